import pytest

from bhiv.doctor import examine
from bhiv.errors import InputRefused
from bhiv.photos import Collection, Credit, Wish, credit_lines, credits_of, wish_pictures
from bhiv.photos.credits import cleaned, web_address
from bhiv.photos.offers import Offer, Size, fitting_size, rank
from bhiv.photos.wishes import queries_of
from bhiv.pictures import brief_scenes
from bhiv.plan import RenderPlan
from bhiv.settings import Settings, load_settings, picture_sources


def offer(name: str, *sizes: tuple[int, int]) -> Offer:
    given = tuple(
        Size(url=f"https://example.com/{name}-{width}", width=width, height=height) for width, height in sizes
    )
    return Offer(source="openverse", id=name, sizes=given, credit=Credit())


def names(offers: list[Offer]) -> list[str]:
    return [one.id for one in offers]


SMALL, TALL, WIDE, HUGE = (
    offer("small", (640, 360)), offer("tall", (1400, 2800)), offer("wide", (2400, 1350)), offer("huge", (6000, 3400)),
)  # fmt: skip


def test_what_is_large_enough_and_of_the_shape_comes_first() -> None:
    assert names(rank([SMALL, TALL, WIDE], 1920, 1080, seed=0)) == ["wide", "tall", "small"]
    assert names(rank([SMALL, WIDE, TALL], 1080, 1920, seed=0)) == ["tall", "wide", "small"]
    # Enlarged by half at most, else only where nothing else is there.
    assert names(rank([offer("less", (1200, 675)), offer("enough", (1300, 731))], 1920, 1080, seed=0))[0] == "enough"
    assert names(rank([SMALL], 1920, 1080, seed=0)) == ["small"]
    assert rank([], 1920, 1080, seed=0) == []


def test_the_seed_takes_one_of_those_that_are_alike() -> None:
    alike = [offer(letter, (2400, 1350)) for letter in "abcde"]

    firsts = {rank(alike, 1920, 1080, seed)[0].id for seed in range(9)}

    assert firsts == {"a", "b", "c"}
    assert rank(alike, 1920, 1080, 7) == rank(alike, 1920, 1080, 7)


def test_what_is_taken_comes_last() -> None:
    assert names(rank([WIDE, HUGE], 1920, 1080, 0, taken={"openverse:wide"})) == ["huge", "wide"]
    assert names(rank([WIDE, SMALL], 1920, 1080, 0, taken={"openverse:wide"})) == ["small", "wide"]


def test_no_larger_a_size_is_fetched_than_is_needed() -> None:
    sized = offer("a", (1280, 720), (1920, 1080), (6000, 3375))

    assert [fitting_size(sized, width, width * 9 // 16).width for width in (640, 1920, 2208, 8000)] == [
        1280, 1920, 6000, 6000,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "described", "found"),
    [
        ("a calm lake at dawn, with mist", True, ("calm lake dawn mist", "calm lake")),
        ("कमल का फूल", True, ("lotus flower", "lotus")),
        ("कमल, 4K", True, ("lotus",)),
        ("पहाड़ पर सूर्योदय", True, ("mountains sunrise", "mountains")),
        ("The river runs past the old mill to the sea.", False, ("river sea", "river")),
        ("नदी के किनारे एक गाँव था।", False, ("river hills", "river")),
        ("Kindness outlives everything.", False, ("kindness",)),
        ("Everybody wondered.", False, ("everybody wondered",)),
        ("何もない", False, ()),
        ("", False, ()),
    ],
)
def test_words_are_made_a_search(text: str, described: bool, found: tuple[str, ...]) -> None:
    assert queries_of(text, described=described) == found


def wished(*scenes: dict[str, object], title: str = "A day by the river") -> tuple[Wish, ...]:
    plan = RenderPlan.model_validate({"title": title, "scenes": scenes})
    return wish_pictures(plan, brief_scenes(plan, 320, 180))


def test_a_title_a_number_and_a_quotation_keep_their_designed_pictures() -> None:
    wishes = wished(
        {"narration": "Every day begins."},
        {"narration": "Nearly 97 percent of the water on Earth is in the oceans."},
        {"narration": "A boat lies at the shore."},
        {"narration": "“The important thing is not to stop questioning,” said Albert Einstein."},
    )

    assert [wish.brief.layout for wish in wishes][:2] == ["title", "number"]
    assert [bool(wish.prompt) for wish in wishes] == [False, False, True, False]
    assert [bool(wish.queries) for wish in wishes] == [False, False, True, False]


def test_unless_the_plan_says_what_they_show() -> None:
    prompted, own = wished(
        {"narration": "97 percent of all water.", "picture": {"prompt": "waves"}},
        {"narration": "97 percent of all water.", "picture": {"url": "https://example.com/a.jpg"}},
    )

    assert (prompted.prompt, prompted.queries) == ("waves", ("waves",))
    assert own.url == "https://example.com/a.jpg"


def test_a_model_is_told_the_scene_where_nobody_described_it() -> None:
    _, wish = wished(
        {"narration": "Listen."}, {"narration": "A boat [pause 1s] lies at the shore.", "title": "Morning"}
    )

    assert wish.prompt.endswith("named “A day by the river”, to these words: Morning A boat lies at the shore.")


def test_credits_have_a_line_for_each_owner_once() -> None:
    mill = Credit(title="The mill", author="Ada", licence="CC BY 4.0", source_url="https://example.com/1")
    made = credits_of([("offline", None), ("openverse", mill), ("openverse", mill), ("pexels", Credit(author="Bo"))])

    assert made.lines == ("“The mill” by Ada (CC BY 4.0), https://example.com/1", "Bo")
    assert [row.scene for row in made.pictures] == [1, 2, 3, 4]
    assert credit_lines([]) == []
    assert credit_lines([Credit(), Credit(title="Rain")]) == ["“Rain”"]


def test_what_strangers_write_is_one_short_line() -> None:
    assert cleaned(" A\n lake\x1b[31m \u202eat  dawn ") == "A lake[31m at dawn"
    assert len(cleaned("a" * 999)) == 200
    assert (cleaned(None), cleaned(["a"]), cleaned(7)) == ("", "", "7")
    assert web_address("https://example.com/a") == "https://example.com/a"
    assert [web_address(one) for one in ("javascript:alert(1)", "https://a b", "http://a\n", None)] == ["", "", "", ""]


def test_designed_pictures_are_always_last(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().pictures == ("offline",)

    monkeypatch.setenv("BHIV_PICTURES", "offline, pexels,openverse,pexels")

    assert load_settings().pictures == ("pexels", "openverse", "offline")
    assert picture_sources("offline, pexels,openverse,pexels") == ("pexels", "openverse", "offline")


def test_an_unknown_source_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BHIV_PICTURES", "flickr")

    with pytest.raises(InputRefused, match="BHIV_PICTURES"):
        load_settings()
    with pytest.raises(InputRefused, match="no source of pictures 'flickr'"):
        picture_sources("pexels,flickr")


def test_libraries_behind_a_model_are_searched_only_when_it_fails() -> None:
    first = Collection.of(
        Settings(pictures=("openverse", "openai"), images_model="m", images_base_url="http://127.0.0.1")
    )
    behind = Collection.of(
        Settings(pictures=("openai", "openverse"), images_model="m", images_base_url="http://127.0.0.1")
    )

    assert [source.name for source in first.searched_first] == ["openverse"]
    assert behind.searched_first == ()
    assert [source.name for source in behind.sources] == ["openai", "openverse"]


def test_no_key_is_printed() -> None:
    settings = Settings(
        pictures=("openai", "pexels", "pixabay"), images_model="m",
        images_api_key="sk-secret", pexels_api_key="px-secret", pixabay_api_key="pb-secret",
    )  # fmt: skip

    assert "secret" not in repr(Collection.of(settings))
    assert "secret" not in repr([source.vendor for source in Collection.of(settings).sources])


def test_the_doctor_says_which_key_is_missing(settings: Settings) -> None:
    [well] = [one for one in examine(settings) if one.subject == "pictures"]
    [ill] = [one for one in examine(settings.model_copy(update={"pictures": ("pexels",)})) if one.subject == "pictures"]

    assert (well.ok, well.message) == (True, "from offline")
    assert (ill.ok, ill.message) == (False, "pexels was not asked for pictures: set BHIV_PEXELS_API_KEY")
