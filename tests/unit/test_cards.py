import pytest

from bhiv.cards import awaits_credits, end_cards, title_cards
from bhiv.photos import Collection, Credit, card_lines, wish_pictures
from bhiv.pictures import brief_scenes
from bhiv.plan import EndCard, RenderPlan, Scene
from bhiv.production import _chapters
from bhiv.settings import Settings

SCENES = (Scene(narration="A mountain stands at dawn."), Scene(narration="Then the sea comes."))
SIZE = (736, 414)
JANE = Credit(title="A mill", author="Jane", licence="CC BY 4.0", source_url="https://www.example.org/mill/1")


def plan(**fields: object) -> RenderPlan:
    return RenderPlan.model_validate({"title": "The Mountain", "scenes": SCENES, **fields})


def test_a_title_card_is_there_when_the_plan_wants_one() -> None:
    [card] = title_cards(plan(title_card=True), *SIZE)

    assert title_cards(plan(), *SIZE) == ()
    assert (card.brief.layout, card.brief.headline) == ("title", "The Mountain")
    assert (card.scene.narration, card.scene.duration_seconds) == ("", 2.5)


def test_behind_a_title_card_the_first_scene_shows_what_it_is_about() -> None:
    with_card, without = (brief_scenes(plan(title_card=wanted), *SIZE) for wanted in (True, False))
    [card] = title_cards(plan(title_card=True), *SIZE)

    assert without[0].layout == "title"
    assert with_card[0].layout != "title"
    assert with_card[0].motif != card.brief.motif or with_card[0].layout != card.brief.layout
    assert with_card[1:] == without[1:]


@pytest.mark.parametrize(
    ("wanted", "owed", "count"),
    [("auto", (), 0), ("auto", (JANE,), 1), ("always", (), 1), ("always", (JANE,), 1), ("never", (JANE,), 0)],
)
def test_an_end_card_is_there_when_somebody_is_owed_or_the_plan_says_so(
    wanted: EndCard, owed: tuple[Credit, ...], count: int
) -> None:
    cards = end_cards(plan(end_card=wanted), owed, *SIZE)

    assert len(cards) == count
    for card in cards:
        assert (card.brief.layout, card.brief.headline, card.move) == ("end", "The Mountain", "still")
        assert [item.text for item in card.brief.items] == ["“A mill” by Jane (CC BY 4.0), example.org"] * len(owed)


def test_more_credits_stay_longer_and_never_more_than_a_scene_may() -> None:
    credits_ = [Credit(author=f"Author {number}", licence="CC0") for number in range(30)]

    lengths = [end_cards(plan(), credits_[:count], *SIZE)[0].scene.duration_seconds for count in (1, 3, 30)]

    assert lengths == [pytest.approx(3.7), pytest.approx(5.1), 10.0]


def test_of_many_credits_a_card_shows_twelve_lines_and_how_many_are_left() -> None:
    credits_ = [Credit(title="A title", author=f"Author {number}", licence="CC0") for number in range(30)]

    lines = card_lines(credits_)

    assert (len(lines), lines[0], lines[-1]) == (12, "Author 0 (CC0)", "+ 19 …")


def test_an_author_is_named_once_and_without_letters_that_no_font_has() -> None:
    odd = Credit(author="Ann \U0001d11e\ue000 B", licence="CC BY 4.0", source_url="not an address")

    assert card_lines([odd, odd]) == ["Ann B (CC BY 4.0)"]
    assert card_lines([Credit()]) == []


def test_a_card_begins_the_first_chapter_and_another_ends_the_last() -> None:
    titled = plan(scenes=(Scene(narration="a", title="One"), Scene(narration="b", title="Two")), title_card=True)

    assert _chapters(titled, 4) == ["One", "", "Two", ""]
    assert _chapters(plan(title_card=True), 3) == ["A mountain stands at dawn", "", "Then the sea comes"]
    assert _chapters(plan(), 3) == ["A mountain stands at dawn", "Then the sea comes", ""]


@pytest.mark.parametrize(
    ("sources", "wanted", "awaited"),
    [
        ("offline", "auto", False),
        ("openverse", "auto", True),
        ("openverse", "always", True),
        ("openverse", "never", False),
    ],
)
def test_credits_are_awaited_only_where_there_may_be_some(
    settings: Settings, sources: str, wanted: EndCard, *, awaited: bool
) -> None:
    made = plan(end_card=wanted)
    collection = Collection.of(Settings(home=settings.home, pictures=sources))

    assert awaits_credits(made, wish_pictures(made, brief_scenes(made, *SIZE)), collection) is awaited
