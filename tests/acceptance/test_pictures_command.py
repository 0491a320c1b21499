import itertools
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from bhiv.pictures import brief_scenes, draw
from bhiv.request import make_plan, make_request
from bhiv.settings import Settings

ROOT = Path(__file__).parent.parent.parent
SHOWN = ("examples/saal.md", "examples/far.md")


def bhiv(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bhiv.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_sheet_shows_every_scene_of_scripts_and_plans(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("The sea was calm.\n\nA city at dusk.\n\nनदी के किनारे एक गाँव था।", encoding="utf-8")
    ended = bhiv(
        "pictures", "a.txt", ROOT / "examples/plan.json", "-o", "sheets/all.png", "--columns", 3, "--size", "640x640"
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "sheets/all.png  8 pictures\n"
    with Image.open("sheets/all.png") as sheet:
        across, down = sheet.size
        assert across == pytest.approx(down, rel=0.15)  # three by three squares
    assert [path.name for path in Path("sheets").iterdir()] == ["all.png"]


def test_a_sheet_is_named_by_its_script_and_is_a_jpeg_when_its_name_says_so() -> None:
    Path("a.txt").write_text("The sea was calm.", encoding="utf-8")

    assert bhiv("pictures", "a.txt").stdout == "out/a.png  1 pictures\n"
    assert bhiv("pictures", "a.txt", "-o", "a.jpg").returncode == 0
    with Image.open("a.jpg") as sheet:
        assert sheet.format == "JPEG"


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        ("Hello there.", ("-o", "a.mp4"), ".png or .jpg"),
        ("Hello there.", ("-o", "."), "."),
        ("Hello there.", ("--size", "641x3"), "size"),
        ("Hello there.", ("--style", "plaid"), "style"),
        ("Hello there.", ("--columns", "0"), "columns"),
        ("Hello.\n\n[music: a raga]\n\nThere.", (), "line 3"),
        ("", (), "is empty"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_is_written(content: str, arguments: tuple[str, ...], said: str) -> None:
    Path("a.txt").write_text(content, encoding="utf-8")
    ended = bhiv("pictures", "a.txt", *arguments)

    assert ended.returncode == 2
    assert said in ended.stderr
    assert [path.name for path in Path.cwd().iterdir()] == ["a.txt"]


def test_a_script_that_is_not_there_is_refused() -> None:
    assert bhiv("pictures", "nothing.txt").stderr.strip().endswith("there is no file nothing.txt; check the name")


def test_no_two_pictures_of_the_readme_are_alike(settings: Settings) -> None:
    plans = [make_plan(make_request({"script": (ROOT / name).read_text("utf-8")}), settings) for name in SHOWN]
    pictures = [draw(brief) for plan in plans for brief in brief_scenes(plan, 480, 270)]
    small = [cv2.cvtColor(cv2.resize(picture, (48, 27)), cv2.COLOR_RGB2Lab).astype(float) for picture in pictures]

    assert len(pictures) == 24
    assert {plan.language for plan in plans} == {"en", "hi"}
    assert min(np.abs(one - two).mean() for one, two in itertools.combinations(small, 2)) > 6


def test_the_sheet_of_the_readme_is_small_and_made_by_the_command_beside_it() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert f"bhiv pictures {' '.join(SHOWN)} --columns 6 -o docs/pictures.jpg" in readme
    assert "](docs/pictures.jpg)" in readme
    assert (ROOT / "docs/pictures.jpg").stat().st_size < 300_000
