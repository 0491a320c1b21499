import time
from contextlib import suppress

import pytest

from bhiv.errors import ScriptError
from bhiv.script import Passage, decode_script, parse_script

LIMIT = 1_000_000


def narrations(text: str) -> list[str]:
    return [passage.narration for passage in parse_script(text).passages]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_is_read_with_and_without_a_byte_order_mark(encoding: str) -> None:
    assert decode_script("कमल – lotus\r\nend".encode(encoding), max_bytes=LIMIT) == "कमल – lotus\nend"


def test_a_stray_control_character_becomes_a_space() -> None:
    assert decode_script(b"page one\x0cpage two", max_bytes=LIMIT) == "page one page two"


@pytest.mark.parametrize(
    ("data", "line", "said"),
    [
        (b"", None, "is empty"),
        (b"\xef\xbb\xbf \n\t", None, "is empty"),
        (b"x" * 1_001, None, "1,001 bytes and at most 1,000"),
        ("Grün\nfür".encode("latin-1"), 1, "not UTF-8 text .byte 2.; save it as UTF-8"),
        ("fine\nnaïve".encode("cp1252"), 2, "not UTF-8 text .byte 7.; save it as UTF-8"),
        (b"\xff\xfea", 1, "not UTF-16"),
        (b"%PDF\nq\0x", 2, "not plain text"),
        ("no mark".encode("utf-16-le"), 1, "not plain text"),
        (b"\x01\x02\x03\x04", 1, "not plain text"),
    ],
)
def test_what_is_no_script_is_refused_with_its_place(data: bytes, line: int | None, said: str) -> None:
    with pytest.raises(ScriptError, match=said) as refused:
        decode_script(data, max_bytes=1_000)
    assert line == refused.value.line


def test_headings_are_titles_and_paragraphs_are_passages() -> None:
    script = parse_script("# The Pond #\n\nMud below.\n\n## C#\n\nLight above,\nfar away.\n\n# Last\nThe end.\n")

    assert script.title == "The Pond"
    assert (
        Passage(None, "Mud below.", None, 3),
        Passage("C#", "Light above,\nfar away.", None, 7),
        Passage("Last", "The end.", None, 11),
    ) == script.passages


def test_an_underlined_line_is_a_heading() -> None:
    assert parse_script("The Pond\n========\n\nMud below.").title == "The Pond"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("The Pond\n\nMud below.", "The Pond"),
        ("कमल की प्रार्थना\n\nएक पोखर था।", "कमल की प्रार्थना"),
        ("Mud lay below.\n\nLight above.", None),
        ("“Look!”\n\nLight above.", None),
        ("Mud below,\n\nlight above.", None),
        ("The pond\nlay still\n\nLight above.", None),
        ("Only one line", None),
        ("[picture: mud] Mud\n\nLight.", None),
        ("This line has far too many words in it to be the title of anything\n\nLight.", None),
        ("An aside\n\n# The Pond\n\nLight.", None),
    ],
)
def test_a_short_first_line_may_be_the_title(text: str, title: str | None) -> None:
    assert title == parse_script(text).title


def test_a_very_long_title_is_cut_to_what_a_plan_takes() -> None:
    title = parse_script(f"# {'word ' * 60}\n\nMud.").title
    assert title is not None
    assert len(title) <= 200


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("**Bold** and *thin* and __both__ and _low_.", "Bold and thin and both and low."),
        ("***All*** of `it` is ~~not~~ here.", "All of it is not here."),
        ("See [the pond](https://a.b/c_(d) \"x\") now.", "See the pond now."),
        ("An image ![of mud](mud.png) here.", "An image here."),
        ("Go to <https://a.b>.", "Go to https://a.b."),
        ("> Quoted\n>\n", "Quoted"),
        ("- one\n- two\n  more", "one\ntwo more"),
        ("1. one\n2) two", "one\ntwo"),
        (r"Five \* three \_ two", "Five * three _ two"),
        ("5 * 3 and snake_case and 2*3", "5 * 3 and snake_case and 2*3"),
        ("**यह** बड़ा *है*।", "यह बड़ा है।"),
        ("Plain [aside] text [1].", "Plain [aside] text [1]."),
        ("The [pauses] and [musical] bits.", "The [pauses] and [musical] bits."),
    ],
)  # fmt: skip
def test_marks_of_markdown_are_not_spoken(written: str, said: str) -> None:
    assert [said] == narrations(written)


def test_rules_and_wordless_lines_part_scenes() -> None:
    assert narrations("One.\n---\nTwo.\n* * *\nThree.\n\n…\n\nFour.") == ["One.", "Two.", "Three.", "Four."]


def test_wrapped_prose_is_joined_and_verse_keeps_its_lines() -> None:
    prose = "The pond lay behind the temple, and nobody had looked\nat it for years."
    verse = "All day the hills had held their breath,\nthe dust lay down to wait."

    assert [prose.replace("\n", " "), verse] == narrations(f"{prose}\n\n{verse}")


def test_a_picture_belongs_to_its_passage() -> None:
    script = parse_script("[picture: a  pond]\n\nMud.\n\nLight. [Picture: the sun]\n\nNight.\n\n[picture:stars]")

    assert [(passage.narration, passage.picture_prompt) for passage in script.passages] == [
        ("Mud.", "a pond"),
        ("Light.", "the sun"),
        ("Night.", "stars"),
    ]


def test_a_mark_behind_a_direction_stays_at_its_word() -> None:
    assert narrations("Mud [picture: mud]. Light.") == ["Mud. Light."]


def test_a_second_picture_starts_a_passage_of_its_own() -> None:
    script = parse_script(
        "First [picture: mud] words\nthat are long enough to be no line of verse at all. [picture: sun] Second."
    )

    assert [(passage.picture_prompt, passage.line) for passage in script.passages] == [("mud", 1), ("sun", 2)]


def test_a_pause_stays_where_it_is_and_a_lone_one_goes_before_the_break() -> None:
    text = "[pause 1s]\n\nOne [pause 2 sec] two.\n\n[Pause: 500ms]\n\nThree."

    assert narrations(text) == ["[pause 1s] One [pause 2s] two. [pause 0.5s]", "Three."]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("One.\n\nTwo\n[pause x] three", 4, "write seconds"),
        ("One. [pause]", 1, "write seconds"),
        ("[pause 11s] One.", 1, "between 0.1 and 10"),
        ("One.\n[music: calm]", 2, "a script names no music"),
        ("One. [picture: mud", 1, "not closed"),
        ("One. [picture]", 1, "a picture needs words"),
        ("One. [picture mud]", 1, "a picture needs words"),
        (f"One. [picture: {'mud ' * 300}]", 1, "at most 1,000"),
        ("[picture: mud]\n\n[picture: sun]\n\nOne.", 3, "keep one"),
        ("One. [picture: mud]\n\n[picture: sun]", 3, "no words follow"),
        ("[picture: mud]", 1, "no words follow"),
        ("# Title\n\n## More", None, "nothing to say"),
        ("[pause 2s]", None, "nothing to say"),
        ("…\n\n---", None, "nothing to say"),
    ],
)
def test_a_wrong_direction_is_refused_with_its_line(text: str, line: int | None, said: str) -> None:
    with pytest.raises(ScriptError, match=said) as refused:
        parse_script(text)
    assert line == refused.value.line


@pytest.mark.parametrize(
    "text",
    [
        "The lotus *grows* in [the mud](a), and it waits. " * 2_500,
        "word " * 20_000,
        "line of verse\n" * 7_000,
        "[a](b" * 20_000 + "c",
        "# " * 50_000 + "x",
        "*_ [[ `" * 20_000 + "z",
    ],
    ids=["prose", "one sentence", "verse", "links", "headings", "marks"],
)
def test_a_long_script_is_read_in_under_a_second(text: str) -> None:
    started = time.process_time()
    with suppress(ScriptError):
        parse_script(text)
    assert time.process_time() - started < 1
