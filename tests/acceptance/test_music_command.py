"""Music, from the command to what is heard of the video."""

from tests.acceptance.conftest import Shop
from tests.acceptance.test_render import made_anew
from tests.integration import media

FEW = ("--size", "320x180", "--fps", "24", "--captions", "off")


def test_music_is_heard_in_the_video_and_found_again(shop: Shop) -> None:
    media.write_stereo(shop.folder / "tune.wav", media.music(4))
    story = shop.write("story.txt", "The river runs. [pause 3s] It meets the sea.")

    ended = shop.bhiv("render", story, *FEW, "--music", "tune.wav", "-o", "a.mp4", "--json")

    assert ended.code == 0, ended.err
    assert ended.summary["notes"] == []
    left, right = media.heard(shop.folder / "a.mp4")
    assert abs(left - right).max() > 0.01
    again = shop.bhiv("render", story, *FEW, "--music", "tune.wav", "-o", "a.mp4", "--json")
    assert made_anew(again.summary) == {"images": 0, "tts": 0, "subtitles": 0, "render": 0, "stitch": 0}


def test_what_is_no_music_is_refused_before_any_work(shop: Shop) -> None:
    story = shop.write("story.txt", "The river runs.")

    ended = shop.bhiv("render", story, *FEW, "--music", str(story), "-o", "a.mp4")

    assert ended.code == 2
    assert "is no music that can be heard: give MP3, M4A, WAV, FLAC or Ogg" in ended.err
    assert not (shop.folder / "a.mp4").exists()
