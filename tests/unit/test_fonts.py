import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bhiv.errors import FontError, InputRefused
from bhiv.fonts import check_coverage, family_of, family_runs, identity, look_in
from bhiv.system_fonts import installed
from tests.conftest import need

TAMIL = Path("/usr/share/fonts/truetype/lohit-tamil/Lohit-Tamil.ttf")


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Path]:
    """An empty folder, where alone fonts are looked for."""
    folder = tmp_path / "installed"
    folder.mkdir()
    look_in([folder], tmp_path)
    yield folder
    look_in(None, tmp_path)


@pytest.fixture
def tamil(empty: Path, tmp_path: Path) -> Path:
    """The same with a Tamil font in it."""
    if not TAMIL.is_file():
        need("fonts-lohit-taml (see .ci/run); TAMIL IS NOT TESTED")
    shutil.copy(TAMIL, empty)
    return empty / TAMIL.name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "In a quiet pond — “€5, ₹1,50,000 → 25 °C”…",
        "एक शांत तालाब में, क्षत्रिय ने कहा। श्री॥ ०१२३",
        "Ελληνικά Кириллица ქართული עברית العربية ไทย",
        "tab\tline\nbreak\u00a0thin\u2009",
        "क्\u200dष क्\u200cष soft\u00adhyphen \ufeff \u200e\u200f x\ufe0f",
    ],
)
def test_what_the_font_draws_or_nobody_sees_passes(text: str) -> None:
    check_coverage(text, "script.txt")


@pytest.mark.usefixtures("empty")
def test_a_character_without_a_glyph_is_refused_with_its_line_code_point_and_name() -> None:
    with pytest.raises(FontError) as refused:
        check_coverage("first\n\nthird has বাংলা", "script.txt")

    message = str(refused.value)
    assert message.startswith("script.txt, line 3: ")
    assert "'ব' (U+09AC BENGALI LETTER BA)" in message
    assert "no font here writes Bengali" in message
    assert "apt install fonts-lohit-beng-bengali" in message
    assert "3 other" in message
    assert "\n" not in message
    assert isinstance(refused.value, InputRefused)


@pytest.mark.usefixtures("empty")
def test_an_emoji_is_refused() -> None:
    with pytest.raises(FontError, match=r"line 1.*U\+1F600 GRINNING FACE"):
        check_coverage("hello 😀", "scene 2")


@pytest.mark.usefixtures("tamil")
def test_an_installed_font_draws_what_firago_lacks() -> None:
    check_coverage("Hello தமிழ் நாடு!", "a.txt")

    assert family_of("த") == "Lohit Tamil"
    assert family_of("a") == "FiraGO"
    assert [(part, family) for _, part, family in family_runs("ab கொக்கு 12")] == [
        ("ab ", "FiraGO"), ("கொக்கு", "Lohit Tamil"), (" 12", "FiraGO"),
    ]  # fmt: skip


@pytest.mark.usefixtures("tamil")
def test_joiners_stay_within_their_word() -> None:
    assert [part for _, part, _ in family_runs("க்\u200cஷ")] == ["க்\u200cஷ"]


def test_other_fonts_have_an_identity_that_their_bytes_decide(tamil: Path, tmp_path: Path) -> None:
    before = identity("தமிழ்")
    tamil.write_bytes(tamil.read_bytes() + b"\0")
    look_in(None, tmp_path)
    look_in([tamil.parent], tmp_path)

    assert before.startswith("Lohit Tamil ")
    assert identity("தமிழ்") not in ("", before)
    assert identity("plain कमल") == ""


def test_fonts_are_read_once_until_they_change(tamil: Path, tmp_path: Path) -> None:
    index = tmp_path / "fonts.json"
    faces = installed([tamil.parent], index)
    written = index.stat().st_mtime_ns
    (tamil.parent / "broken.ttf").write_bytes(b"no font")

    again = installed([tamil.parent], index)
    third = installed([tamil.parent], index)

    assert [face.family for face in faces] == [face.family for face in again] == ["Lohit Tamil"]
    assert index.stat().st_mtime_ns > written
    assert third == again


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": 0, "files": {}}', b"\xff"])
def test_a_spoiled_index_is_written_anew(content: bytes, tamil: Path, tmp_path: Path) -> None:
    index = tmp_path / "fonts.json"
    index.write_bytes(content)

    assert [face.family for face in installed([tamil.parent], index)] == ["Lohit Tamil"]
    assert b"Lohit" in index.read_bytes()


def test_folders_that_are_not_there_hold_no_fonts(tmp_path: Path) -> None:
    assert installed([tmp_path / "nowhere"], tmp_path / "nor" / "here.json") == ()
