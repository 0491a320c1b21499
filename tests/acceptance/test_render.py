import json
import shutil
from pathlib import Path

import pytest

from bhiv import ffmpeg
from tests.acceptance.conftest import ROOT, Ended, Shop, open_shop

SMALL = ("--size", "320x180", "--fps", "24")
SCRIPT = """A Small Story

The first scene is a mountain at dawn.

The second scene has 42 birds in it.

The third scene says goodbye.
"""
MADE_STEPS = ("images", "tts", "subtitles", "render", "stitch")


def made_anew(summary: dict[str, dict[str, dict[str, int]]]) -> dict[str, int]:
    stages = summary["stages"]
    return {step: stages[step]["total"] - stages[step]["cached"] for step in MADE_STEPS}


@pytest.fixture(scope="module")
def first(shared_home: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, Ended]:
    """A shop where the script was rendered, and what the command said; to be looked at only."""
    folder = tmp_path_factory.mktemp("first")
    shop = open_shop(folder / "shop", shared_home, folder / "bucket")
    shop.write("story.txt", SCRIPT)
    return shop, shop.bhiv("render", "story.txt", "-o", "deep/er/a.mp4", "--json", *SMALL)


@pytest.fixture
def rendered(first: tuple[Shop, Ended], shop: Shop) -> Shop:
    """A shop of the test's own with the script, the video and the bucket of the first."""
    shutil.copytree(first[0].folder, shop.folder, dirs_exist_ok=True)
    shutil.copytree(first[0].bucket, shop.bucket)
    return shop


def test_a_script_becomes_a_video_with_captions_beside_it(shop: Shop) -> None:
    shop.write("story.txt", SCRIPT)

    ended = shop.bhiv("render", "story.txt", *SMALL)

    assert ended.code == 0, ended.err
    assert ended.out.startswith("out/story.mp4  ")
    assert "watch it at http://127.0.0.1:" in ended.err
    kinds = [stream.kind for stream in ffmpeg.inspect(shop.folder / "out/story.mp4").all]
    assert kinds == ["Video", "Audio", "Subtitle"]
    assert "The second scene has 42 birds in it." in (shop.folder / "out/story.srt").read_text()
    assert (shop.folder / "out/story.vtt").read_text().startswith("WEBVTT")


def test_json_says_what_was_made_and_the_bucket_keeps_it(first: tuple[Shop, Ended]) -> None:
    shop, ended = first

    assert ended.code == 0, ended.err
    summary = ended.summary
    content = summary["content_id"]
    assert ended.out.count("\n") == 1
    assert summary["video"] == "deep/er/a.mp4"
    assert summary["storyboard_source"] == "rules"
    assert list(summary["stages"]) == ["storyboard", *MADE_STEPS, "upload"]
    assert {step: stage["total"] for step, stage in summary["stages"].items()} == {
        "storyboard": 1, "images": 3, "tts": 3, "subtitles": 3, "render": 3, "stitch": 3, "upload": 1,
    }  # fmt: skip
    assert shop.kept("scripts") == [f"{content}_script.txt"]
    assert shop.kept("storyboards") == [f"{content}_storyboard.json"]
    assert f"{content}.mp4" in shop.kept("videos")
    kept = json.loads((shop.bucket / f"videos/{content}_job_summary.json").read_text())
    assert kept["stages"] == summary["stages"]
    [metadata] = shop.metadata()
    assert metadata["processing_status"] == "completed"
    assert metadata["error"] is None
    assert metadata["title"] == "A Small Story"
    assert metadata["paths"]["video"] == f"videos/{content}.mp4"
    assert metadata["storyboard_stats"]["total_scenes"] == 3
    assert metadata["storyboard_stats"]["total_duration"] == summary["duration_seconds"]


def test_status_shows_a_finished_job(first: tuple[Shop, Ended]) -> None:
    shop, summary = first[0], first[1].summary
    job = summary["job_id"]

    listed, told, printed = shop.bhiv("status"), shop.bhiv("status", job[-6:]), shop.bhiv("status", job, "--json")

    [row] = [line.split() for line in listed.out.splitlines() if line.startswith(job[-6:])]
    assert row[1:4] == ["completed", "completed", "100"]
    assert row[-3:] == ["A", "Small", "Story"]
    assert job in told.out
    assert "render" in told.out
    assert printed.summary["stages"] == summary["stages"]
    assert (printed.summary["state"], printed.summary["attempts"]) == ("completed", 1)
    unknown = shop.bhiv("status", "ffffffff")
    assert (unknown.code, unknown.out, unknown.err.count("\n")) == (2, "", 1)
    assert "no job 'ffffffff'" in unknown.err


def test_a_second_run_makes_nothing_and_says_so(rendered: Shop) -> None:
    again = rendered.bhiv("render", "story.txt", *SMALL)
    told = rendered.bhiv("render", "story.txt", "--json", *SMALL)

    assert "nothing had to be made again" in again.out
    assert made_anew(told.summary) == dict.fromkeys(MADE_STEPS, 0)
    assert (rendered.folder / "out/story.mp4").read_bytes() == (rendered.folder / "deep/er/a.mp4").read_bytes()


def test_a_changed_scene_makes_that_scene_and_the_join(rendered: Shop) -> None:
    rendered.write("story.txt", SCRIPT.replace("third scene says goodbye", "third scene says farewell to all"))

    changed = rendered.bhiv("render", "story.txt", "--json", *SMALL)

    assert made_anew(changed.summary) == {"images": 1, "tts": 1, "subtitles": 1, "render": 1, "stitch": 3}


@pytest.mark.parametrize("damage", ["delete", "truncate", "flip"])
def test_a_lost_or_damaged_artefact_is_made_again(rendered: Shop, damage: str) -> None:
    clip = next(path for path in (rendered.bucket / "clips").glob("clip-*.mp4"))
    whole = clip.read_bytes()
    if damage == "delete":
        clip.unlink()
    elif damage == "truncate":
        clip.write_bytes(whole[:1000])
    else:
        clip.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])

    again = rendered.bhiv("render", "story.txt", "--json", *SMALL)

    assert made_anew(again.summary) == {"images": 0, "tts": 0, "subtitles": 0, "render": 1, "stitch": 0}
    assert clip.read_bytes() == whole


def test_a_printed_plan_gives_the_same_video(rendered: Shop) -> None:
    rendered.write("story.json", rendered.bhiv("plan", "story.txt", *SMALL).out)

    from_plan = rendered.bhiv("render", "story.json", "-o", "b.mp4", "--json")

    assert from_plan.summary["storyboard_source"] == "plan"
    assert made_anew(from_plan.summary) == dict.fromkeys(MADE_STEPS, 0)
    assert (rendered.folder / "b.mp4").read_bytes() == (rendered.folder / "deep/er/a.mp4").read_bytes()


def test_a_script_may_come_from_standard_input(shop: Shop) -> None:
    ended = shop.bhiv("render", "-", "--title", "From a pipe", *SMALL, stdin=b"One scene only, and short.")

    assert ended.code == 0, ended.err
    assert (shop.folder / "out/video.mp4").is_file()
    assert shop.metadata()[0]["title"] == "From a pipe"


def test_options_replace_those_of_a_plan(shop: Shop) -> None:
    ended = shop.bhiv("plan", ROOT / "examples/plan.json", "--size", "square", "--title", "Other")

    plan = json.loads(ended.out)
    assert (plan["size"], plan["title"], plan["voice"]) == ("square", "Other", "espeak:en-gb")


EXAMPLES = sorted(path.name for path in (ROOT / "examples").iterdir())


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_renders(shop: Shop, name: str) -> None:
    ended = shop.bhiv("render", ROOT / "examples" / name, "-o", "a.mp4", "--json", "--quality", "draft", *SMALL)

    assert ended.code == 0, ended.err
    assert 20 < ended.summary["duration_seconds"] < 180


def test_there_are_examples_in_both_languages() -> None:
    assert len(EXAMPLES) >= 5
    assert "कमल" in (ROOT / "examples/kamal.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("size", ["landscape", "portrait", "square"])
def test_a_draft_of_every_size_renders(shop: Shop, size: str) -> None:
    shop.write("s.txt", "A river runs to the sea.")

    ended = shop.bhiv("render", "s.txt", "--size", size, "--quality", "draft", "--json")

    [picture] = ffmpeg.inspect(shop.folder / ended.summary["video"]).of_kind("Video")
    expected = {"landscape": "960x540", "portrait": "540x960", "square": "540x540"}[size]
    assert expected in picture.description


def test_an_older_video_is_replaced_as_a_whole(shop: Shop) -> None:
    shop.write("s.txt", "A river runs to the sea.")
    target = shop.folder / "a.mp4"
    target.write_bytes(b"an older one")

    shop.bhiv("render", "s.txt", "-o", "a.mp4", *SMALL)

    assert len(target.read_bytes()) > 10_000
    assert sorted(path.name for path in shop.folder.iterdir()) == ["a.mp4", "a.srt", "a.vtt", "s.txt"]


def test_the_library_is_found_from_any_folder(shop: Shop, tmp_path: Path) -> None:
    assert "ok" in shop.bhiv("doctor").out
