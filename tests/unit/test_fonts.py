import subprocess
import sys
from pathlib import Path

import pytest

from bhiv.errors import FontError, InputRefused
from bhiv.fonts import check_coverage, font_bytes, font_folder

NAMES = ["FiraGO-Bold.ttf", "FiraGO-Regular.ttf"]


def test_the_folder_holds_both_weights_and_nothing_else(tmp_path: Path) -> None:
    folder = font_folder(tmp_path)

    assert tmp_path / "fonts" == folder
    assert sorted(path.name for path in folder.iterdir()) == NAMES
    assert font_bytes("bold") == (folder / "FiraGO-Bold.ttf").read_bytes()
    assert font_bytes("regular") == (folder / "FiraGO-Regular.ttf").read_bytes()


def test_a_second_call_leaves_the_files_alone(tmp_path: Path) -> None:
    before = [path.stat().st_mtime_ns for path in sorted(font_folder(tmp_path).iterdir())]

    assert before == [path.stat().st_mtime_ns for path in sorted(font_folder(tmp_path).iterdir())]


def test_a_file_that_was_cut_short_is_written_again(tmp_path: Path) -> None:
    file = font_folder(tmp_path) / "FiraGO-Bold.ttf"
    file.write_bytes(font_bytes("bold")[:1000])

    font_folder(tmp_path)

    assert font_bytes("bold") == file.read_bytes()


def test_processes_that_ask_at_once_all_find_whole_files(tmp_path: Path) -> None:
    code = "import sys, pathlib; from bhiv.fonts import font_folder; font_folder(pathlib.Path(sys.argv[1]))"
    started = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(3)]

    assert [process.wait(60) for process in started] == [0, 0, 0]
    assert sorted(path.name for path in (tmp_path / "fonts").iterdir()) == NAMES
    assert font_bytes("bold") == (tmp_path / "fonts" / "FiraGO-Bold.ttf").read_bytes()


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


def test_a_character_without_a_glyph_is_refused_with_its_line_code_point_and_name() -> None:
    with pytest.raises(FontError) as refused:
        check_coverage("first\n\nthird has বাংলা", "script.txt")

    message = str(refused.value)
    assert message.startswith("script.txt, line 3: ")
    assert "'ব' (U+09AC BENGALI LETTER BA)" in message
    assert "remove it or write it with other characters" in message
    assert "3 other" in message
    assert "\n" not in message
    assert isinstance(refused.value, InputRefused)


def test_an_emoji_is_refused() -> None:
    with pytest.raises(FontError, match=r"line 1.*U\+1F600 GRINNING FACE"):
        check_coverage("hello 😀", "scene 2")
