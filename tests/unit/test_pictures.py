import random
from itertools import pairwise
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
from PIL import Image

import bhiv.pictures
from bhiv.errors import FontError, StorageError
from bhiv.pictures import Brief, brief_scenes, draw, save
from bhiv.pictures.brief import LOTUS_STAGES, Item, LayoutName, Motif, PaletteName
from bhiv.pictures.canvas import quantile
from bhiv.pictures.drawing import LAYOUTS, compose, draw_depths, lay_out
from bhiv.pictures.icons import has_icon, icon
from bhiv.pictures.palette import GAMMA, contrast, luminance, palettes
from bhiv.pictures.reading import Figure, count, phrase, quotation, vocabulary
from bhiv.plan import Picture, RenderPlan, Scene

LOTUS_STORY = (
    "In a quiet pond behind an old temple, a lotus seed slept in the mud.",
    "One spring morning it woke, and a small root felt its way into the dark.",
    "Its stem climbed through the cold water toward the light.",
    "The fish laughed. “Why leave the soft mud for a light you cannot keep?”",
    "At dawn a bud stood above the water, and waited.",
    "Then the sun rose over the hills, and the lotus opened, petal by petal.",
)
MIXED = (
    "Light from the Sun takes 8 minutes and 20 seconds to reach us.",
    "Nearly 97 percent of the water on Earth is in the oceans.",
    "The mountains stood silent above the valley.",
    "The snow on the peak never melts.",
    "“The important thing is not to stop questioning,” said Albert Einstein.",
    "Patience is a quiet strength.",
    "सूर्य का प्रकाश हम तक 8 मिनट 20 सेकंड में पहुँचता है।",
    "नदी के किनारे एक गाँव था।",
    "The old city slept under the stars.",
    "In 1957 Sputnik circled the Earth. In 1969 people walked on the Moon.",
    "The market sells mangoes, fresh coconuts and sweet lime in summer.",
    "Unlike coal, sunlight costs nothing.",
)
TEXTS: dict[str, dict[str, object]] = {
    "title": {"headline": "The Lotus and the Mud"},
    "headline": {"headline": "A small root reached into the dark", "kicker": "The Lotus", "icon": "sprout"},
    "number": {
        "lead": "Light from the Sun takes",
        "figures": (Figure(value="8", unit="minutes"), Figure(value="20", unit="seconds")),
        "follow": "to reach us",
        "icon": "weather-sunny",
    },
    "quote": {"quote": "क्षमा ही वीरों का सच्चा आभूषण है।", "source": "एक गुरु", "quoted": True, "language": "hi"},
    "landscape": {"headline": "Above the clouds", "motif": "mountains"},
    "lotus": {"headline": "कमल खिल उठा", "motif": "bloom", "details": ("temple",)},
    "devotion": {"headline": "दीपों का पर्व", "motif": "lamp", "language": "hi"},
    "list": {
        "headline": "A good soil holds three things",
        "items": (
            Item(text="Sand", icon="grain"),
            Item(text="Silt, as fine as flour", icon="water"),
            Item(text="Clay"),
        ),
    },
    "comparison": {
        "items": (Item(text="The rain is late", icon="weather-pouring"), Item(text="The farmers wait", icon="barley")),
        "follow": "but",
        "headline": "This year",
    },
    "timeline": {
        "headline": "The way to the Moon",
        "items": (
            Item(label="1957", text="Sputnik circled the Earth"),
            Item(label="1961", text="Gagarin followed"),
            Item(label="1969", text="People walked on the Moon"),
        ),
    },
    "chapter": {"headline": "A very slow start", "kicker": "How Sunlight Reaches You", "motif": "sunrise"},
    "end": {"headline": "Thank you", "items": (Item(text="Written by Asha"), Item(text="Read by a friend"))},
}
LAYOUT_NAMES = sorted(get_args(LayoutName))
PLACES = sorted(set(get_args(Motif)) - {""})
WIDE, TALL, SQUARE, TINY = (368, 207), (207, 368), (248, 248), (144, 144)


def story(*narrations: str, title: str = "The Lotus and the Mud", **fields: object) -> RenderPlan:
    return RenderPlan.model_validate({"title": title, "scenes": [{"narration": text} for text in narrations], **fields})


def sample(layout: str, size: tuple[int, int] = WIDE, palette: str = "lotus", **fields: object) -> Brief:
    told = {"layout": layout, "palette": palette, "seed": 7, "width": size[0], "height": size[1]}
    return Brief.model_validate({**told, **TEXTS[layout], **fields})


def without_text(brief: Brief) -> Brief:
    return brief.model_copy(update={"headline": "", "kicker": "", "lead": "", "follow": "", "quote": "", "source": ""})


def test_the_package_offers_seven_names() -> None:
    assert bhiv.pictures.__all__ == [
        "Brief", "brief_end", "brief_scenes", "brief_title", "compose", "contact_sheet", "draw", "draw_depths", "save",
    ]  # fmt: skip


# What is drawn.


def test_every_layout_is_in_the_table() -> None:
    assert sorted(LAYOUTS) == LAYOUT_NAMES


@pytest.mark.parametrize("layout", LAYOUT_NAMES)
@pytest.mark.parametrize("size", [WIDE, TALL, SQUARE, TINY, (83, 166), (64, 64), (900, 83)])
def test_every_layout_fills_every_shape(layout: str, size: tuple[int, int]) -> None:
    picture = draw(sample(layout, size))

    assert (size[1], size[0], 3) == picture.shape
    assert np.uint8 == picture.dtype
    assert picture.std() > 8  # neither blank nor flat


@pytest.mark.parametrize("motif", PLACES)
def test_every_motif_is_drawn_with_and_without_room_for_text(motif: str) -> None:
    layout = "lotus" if motif in LOTUS_STAGES else "landscape"

    assert draw(sample(layout, motif=motif, headline="")).std() > 8
    assert draw(sample("title", TALL, motif=motif)).std() > 8


@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_the_same_brief_gives_the_same_bytes(layout: str) -> None:
    assert draw(sample(layout)).tobytes() == draw(sample(layout)).tobytes()


def test_another_seed_gives_another_place() -> None:
    assert draw(sample("landscape", seed=1)).tobytes() != draw(sample("landscape", seed=2)).tobytes()


@pytest.mark.parametrize("size", [WIDE, TALL, SQUARE, TINY])
@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_text_keeps_off_the_captions_and_the_rim(layout: str, size: tuple[int, int]) -> None:
    canvas = lay_out(sample(layout, size))

    assert canvas.inscribed
    for box, _ in canvas.inscribed:
        assert box.left >= 0.1 * size[0]
        assert box.right <= 0.9 * size[0]
        assert box.top >= 0.08 * size[1]
        assert box.bottom <= 0.76 * size[1]


@pytest.mark.parametrize("size", [WIDE, TALL])
@pytest.mark.parametrize("layout", ["title", "headline", "landscape", "lotus"])
def test_no_pixel_of_text_lies_where_captions_go(layout: str, size: tuple[int, int]) -> None:
    brief = sample(layout, size)
    change = np.abs(draw(brief).astype(int) - draw(without_text(brief)).astype(int)).max(axis=2)
    if layout in ("landscape", "lotus"):  # without a headline, they use the sky for the picture
        change = np.abs(draw(brief).astype(int) - draw(brief.model_copy(update={"headline": "."})).astype(int)).max(
            axis=2
        )

    assert (change > 60).any()
    assert not (change[int(0.76 * size[1]) :] > 60).any()


@pytest.mark.parametrize("motif", ["", *PLACES])
def test_the_caption_zone_is_calm(motif: str) -> None:
    brief = sample("title", (736, 414), motif=motif)
    zone = cv2.cvtColor(draw(brief)[int(0.80 * 414) :], cv2.COLOR_RGB2GRAY)
    edges = cv2.Laplacian(cv2.GaussianBlur(zone, (0, 0), 2.5), cv2.CV_32F)

    assert np.abs(edges).mean() < 1.5


@pytest.mark.parametrize("palette", get_args(PaletteName))
@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_text_stands_out_from_what_is_behind_it(layout: str, palette: str) -> None:
    assert_contrast(sample(layout, (552, 310), palette))


@pytest.mark.parametrize("palette", ["dawn", "ocean", "slate"])  # the lightest skies
@pytest.mark.parametrize("motif", PLACES)
def test_a_title_stands_out_from_every_place(motif: str, palette: str) -> None:
    assert_contrast(sample("title", (552, 310), palette, motif=motif))


def assert_contrast(brief: Brief) -> None:
    canvas = lay_out(brief)
    light = (canvas.developed().astype(np.float32) / 255) ** GAMMA @ np.array([0.2126, 0.7152, 0.0722])
    for box, ink in canvas.inscribed:
        inside = light[int(box.top) : int(box.bottom), int(box.left) : int(box.right)]
        inked = (inside > luminance(ink) / 2).astype(np.uint8)
        behind = inside[cv2.dilate(inked, np.ones((3, 3), np.uint8)) == 0]
        assert behind.size > inside.size * 0.2
        assert contrast(luminance(ink), float(np.quantile(behind, 0.98))) >= 4.5


def test_every_palette_carries_white_text_on_its_slides() -> None:
    for palette in palettes().values():
        assert contrast(luminance(palette.ink), luminance(palette.mid)) >= 4.5
        assert contrast(luminance(palette.muted), luminance(palette.mid)) >= 3


def test_a_very_long_title_still_stays_in_its_place() -> None:
    canvas = lay_out(sample("title", TINY, motif="sea", headline="A very long title indeed " * 8))

    (box, _) = canvas.inscribed[0]
    assert box.left >= 0.1 * TINY[0]
    assert box.bottom <= 0.76 * TINY[1]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("share", [0.0, 0.38, 0.5, 0.99, 1.0])
def test_a_quantile_is_that_of_numpy_to_the_last_bit(share: float, kind: type[np.floating]) -> None:
    for size in (1, 2, 1000, 1234):
        values = np.random.default_rng(size).random((size, 3)).astype(kind)

        assert quantile(values, share) == float(np.quantile(values, share))


def test_grain_keeps_a_gradient_from_banding() -> None:
    row = draw(sample("title", (736, 414), motif="", headline="x"))[390, :, 0].astype(int)

    assert np.count_nonzero(np.diff(row)) > 0.5 * row.size


def test_an_unknown_icon_is_refused() -> None:
    with pytest.raises(FontError, match="no icon named 'no-such-thing'"):
        icon("no-such-thing", 40)


def test_a_picture_is_saved_with_all_but_the_last_of_its_grain(tmp_path: Path) -> None:
    picture = draw(sample("lotus", (2208, 1242)))
    save(picture, tmp_path / "lotus.jpg")

    lost = np.asarray(Image.open(tmp_path / "lotus.jpg")).astype(int) - picture
    assert np.abs(lost).mean() < 2
    assert np.abs(lost).max() < 32
    assert (tmp_path / "lotus.jpg").stat().st_size < 1_000_000


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 3)])
def test_a_picture_of_any_size_is_saved(size: tuple[int, int], tmp_path: Path) -> None:
    picture = np.full((*size, 3), (200, 90, 30), np.uint8)
    save(picture, tmp_path / "plain.jpg")

    read = np.asarray(cv2.imread(str(tmp_path / "plain.jpg")))[..., ::-1]
    assert read.shape == picture.shape
    assert np.abs(read.astype(int) - picture).max() < 4


def test_a_picture_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nowhere"):
        save(draw(sample("quote", TINY)), tmp_path / "nowhere" / "a.jpg")


# What is chosen.


def test_the_first_scene_is_the_title() -> None:
    first = brief_scenes(story(*LOTUS_STORY), 2208, 1242)[0]

    assert (
        first.layout, first.headline, first.motif, first.details,
    ) == ("title", "The Lotus and the Mud", "bloom", ("temple",))  # fmt: skip
    assert (first.width, first.height) == (2208, 1242)


def test_a_lotus_story_shows_the_stages_that_its_words_name() -> None:
    briefs = brief_scenes(story(*LOTUS_STORY), *WIDE)

    assert [brief.motif for brief in briefs] == ["bloom", "sprout", "stem", "", "bud", "bloom"]
    assert briefs[3].quote == "Why leave the soft mud for a light you cannot keep?"


def test_a_hindi_story_is_read_too() -> None:
    briefs = brief_scenes(
        story("कीचड़ में कमल का एक बीज सो रहा था।", "नदी के किनारे एक गाँव था।", title="कमल", language="hi"), *WIDE
    )

    assert [brief.motif for brief in briefs] == ["bloom", "river"]
    assert briefs[1].language == "hi"


def test_a_number_is_set_in_its_own_sentence() -> None:
    brief = brief_scenes(story("Hello there.", MIXED[0]), *WIDE)[1]

    assert brief.layout == "number"
    assert brief.lead == "Light from the Sun takes"
    assert [(figure.value, figure.unit) for figure in brief.figures] == [("8", "minutes"), ("20", "seconds")]
    assert brief.follow == "to reach us"


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("It covers 71% of the planet.", "71%", ""),
        ("The prize was ₹1,50,000 in gold.", "₹1,50,000", ""),
        ("About 4.5 billion years ago the Earth was born.", "4.5", "billion years"),
        ("They landed in 1969.", "1969", ""),
        ("भारत में 22 भाषाएँ हैं।", "22", "भाषाएँ"),
    ],
)
def test_a_striking_number_is_found_with_its_unit(text: str, value: str, unit: str) -> None:
    told = count(text)

    assert told is not None
    assert (value, unit) == (told.figures[0].value, told.figures[0].unit)


@pytest.mark.parametrize("text", ["Two birds sat there.", "Chapter 3 begins.", "The 2nd of them left.", ""])
def test_a_number_that_says_little_is_left_alone(text: str) -> None:
    assert count(text) is None


def test_every_drawn_word_comes_from_the_script() -> None:
    plan = story("Welcome.", *MIXED)
    for scene, brief in zip(plan.scenes, brief_scenes(plan, *WIDE), strict=True):
        known = f"{plan.title} {scene.narration}".casefold()
        drawn = [brief.headline, brief.kicker, brief.lead, brief.follow, brief.quote, brief.source]
        drawn += [part for figure in brief.figures for part in (figure.value, figure.unit)]
        drawn += [part for item in brief.items for part in (item.label, item.text)]
        for text in drawn:
            assert text.rstrip("…").casefold() in known


def test_a_speaker_is_named_only_where_the_text_does() -> None:
    said = quotation(MIXED[4])
    unsaid = quotation(LOTUS_STORY[3])

    assert said is not None
    assert unsaid is not None
    assert (said.source, unsaid.source) == ("Albert Einstein", "")


def test_short_lines_are_verse() -> None:
    verse = quotation("Roses fall at evening\nbut the root remembers")

    assert verse is not None
    assert (verse.text, verse.marked) == ("Roses fall at evening\nbut the root remembers", False)


def test_a_headline_is_a_clause_of_the_text() -> None:
    assert phrase("It woke, and a small root reached into the dark.") == "A small root reached into the dark"


def test_a_scene_title_is_shown() -> None:
    plan = RenderPlan(title="T", scenes=(Scene(narration="x"), Scene(narration="The sea was calm.", title="Day one")))
    brief = brief_scenes(plan, *WIDE)[1]

    assert (brief.layout, brief.motif, brief.headline) == ("chapter", "sea", "Day one")


@pytest.mark.parametrize(
    ("narration", "layout"),
    [
        ("We need water, light and air to live.", "list"),
        ("खेत को चार चीज़ें चाहिए: बीज, पानी, खाद और मेहनत।", "list"),
        ("Unlike coal, sunlight costs nothing.", "comparison"),
        ("गाँव छोटा है, लेकिन दिल बड़ा है।", "landscape"),  # a place is rather shown than two clauses
        ("दिन छोटा है, लेकिन दिल बड़ा है।", "comparison"),
        ("In 1957 Sputnik circled the Earth. In 1969 people walked on the Moon.", "timeline"),
        ("पहले बीज बोओ। फिर पानी दो। अंत में फसल काटो।", "timeline"),
        ("The monsoon has come.", "landscape"),
        ("She lit a diya at the door.", "devotion"),
        ("सबने मिलकर भजन गाया।", "devotion"),
    ],
)
def test_the_form_of_the_words_chooses_the_layout(narration: str, layout: str) -> None:
    assert brief_scenes(story("Welcome.", narration, title="Any"), *WIDE)[1].layout == layout


@pytest.mark.parametrize(
    ("words", "motif"),
    [
        ("It rained on the roofs; the monsoon had come.", "rain"),
        ("The caravan crossed the dunes.", "desert"),
        ("रेगिस्तान में कारवाँ चला।", "desert"),
        ("A comet in outer space.", "space"),
        ("मंदिर की घंटी बजी।", "temple"),
        ("दीपक जल उठा।", "lamp"),
        ("A garland of marigolds.", "flower"),
    ],
)
def test_a_place_or_thing_that_is_named_is_shown(words: str, motif: str) -> None:
    assert brief_scenes(story("Welcome.", words, title="Any"), *WIDE)[1].motif == motif


def test_only_a_last_scene_that_says_so_is_an_end_card() -> None:
    def last(*scenes: Scene) -> Brief:
        return brief_scenes(RenderPlan(title="T", scenes=(Scene(narration="x"), *scenes)), *WIDE)[-1]

    credited = last(Scene(title="Thank you", narration="Written by Asha Rao\nRead by a friend"))

    assert (credited.layout, credited.headline) == ("end", "Thank you")
    assert [item.text for item in credited.items] == ["Written by Asha Rao", "Read by a friend"]
    assert last(Scene(narration="समाप्त।")).layout == "end"
    assert last(Scene(narration="The sea was calm.")).layout != "end"
    assert last(Scene(narration="The end."), Scene(narration="The sea was calm.")).layout != "end"


def test_a_list_keeps_the_words_that_say_what_it_lists() -> None:
    scene = Scene(title="What comes back", narration="It is reflected, by clouds, by ice and by snow.")
    brief = brief_scenes(RenderPlan(title="T", scenes=(Scene(narration="x"), scene)), *WIDE)[1]

    assert (brief.kicker, brief.headline) == ("What comes back", "It is reflected")


def test_a_picture_prompt_decides_before_the_narration() -> None:
    scene = Scene(narration="She remembered her father.", picture=Picture(prompt="a city at dusk"))
    brief = brief_scenes(RenderPlan(title="T", scenes=(Scene(narration="x"), scene)), *WIDE)[1]

    assert (brief.motif, brief.headline) == ("city", "")


def test_a_silent_scene_gets_a_picture() -> None:
    plan = RenderPlan(title="Stillness", scenes=(Scene(duration_seconds=2), Scene(duration_seconds=2)))

    assert brief_scenes(plan, *WIDE)[1].headline == "Stillness"


def test_directions_in_brackets_are_not_shown() -> None:
    brief = brief_scenes(story("x", "[pause 2s] Patience [pause 1s] wins."), *WIDE)[1]

    assert brief.headline.rstrip(".") == "Patience wins"


def test_a_style_rules_every_palette() -> None:
    assert {"ember"} == {brief.palette for brief in brief_scenes(story(*LOTUS_STORY, style="ember"), *WIDE)}


def test_moods_choose_the_palette_where_the_style_is_free() -> None:
    briefs = brief_scenes(story("x", "In the evening they spoke of old times.", title="Friends"), *WIDE)

    assert briefs[1].palette == "dusk"


def test_no_layout_follows_itself() -> None:
    chance = random.Random(3)
    for _ in range(30):
        briefs = brief_scenes(story(*chance.choices(MIXED + LOTUS_STORY, k=12), title="Any"), *WIDE)
        pairs = list(pairwise(briefs))
        assert all((one.layout, one.motif) != (two.layout, two.motif) for one, two in pairs)
        assert all(one.layout != two.layout or one.motif for one, two in pairs)


def test_a_changed_scene_changes_its_own_picture_and_at_most_its_neighbours() -> None:
    chance = random.Random(5)
    for _ in range(30):
        texts = ["Welcome.", *chance.choices(MIXED, k=9)]
        index = chance.randrange(1, 10)
        changed = [*texts[:index], "The harbour lay in fog.", *texts[index + 1 :]]
        before, after = (brief_scenes(story(*lines, title="Any"), *WIDE) for lines in (texts, changed))
        differ = {at for at, (old, new) in enumerate(zip(before, after, strict=True)) if old != new}
        assert differ <= {index - 1, index, index + 1}


def test_every_icon_and_motif_of_the_vocabulary_exists() -> None:
    assert [name for name in vocabulary()["icons"] if not has_icon(name)] == []
    assert set(vocabulary()["places"]) | set(vocabulary()["lotus"]) == set(get_args(Motif)) - {""}
    assert set(vocabulary()["moods"]) == set(palettes()) == set(get_args(PaletteName))


def test_a_brief_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="extra"):
        Brief.model_validate({"layout": "title", "palette": "dawn", "width": 320, "height": 180, "time": "now"})


# Depths, for a camera that moves past them.


@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_depths_laid_over_each_other_are_the_picture(layout: str) -> None:
    brief = sample(layout)
    parts = draw_depths(brief)

    again = compose(parts, [(0, 0)] * len(parts)).astype(int)
    assert np.abs(again - draw(brief)).max() <= 2


@pytest.mark.parametrize("motif", PLACES)
def test_a_place_has_a_far_and_a_near_part(motif: str) -> None:
    parts = draw_depths(sample("landscape", motif=motif, headline=""))

    assert len(parts) >= 2
    assert parts[0].cover.min() == 1  # nothing shows through the farthest
    assert parts[-1].cover.min() < 0.01


def test_a_part_that_moves_leaves_no_hole_and_the_others_alone() -> None:
    parts = draw_depths(sample("landscape", motif="mountains", headline="", palette="dawn"))
    still = compose(parts, [(0, 0)] * len(parts)).astype(int)
    moved = compose(parts, [(0, 0)] * (len(parts) - 1) + [(6, 0)]).astype(int)

    change = np.abs(moved - still).max(axis=2)
    untouched = cv2.erode((parts[-1].cover == 0).astype(np.uint8), np.ones((1, 21), np.uint8)) == 1
    assert change.max() > 20
    assert change[untouched].max() <= 2
    assert moved.min(axis=2)[still.min(axis=2) > 60].min() > 10


@pytest.mark.parametrize("narration", ["The mountains rise above the clouds.", "It was so quiet that nobody spoke."])
def test_the_words_that_a_scene_wants_on_screen_stand_in_its_picture(narration: str) -> None:
    scene = Scene(narration=narration, on_screen="Above it all")
    brief = brief_scenes(RenderPlan(title="T", scenes=(Scene(narration="x"), scene)), *WIDE)[1]

    assert brief.headline == "Above it all"
