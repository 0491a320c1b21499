from pathlib import Path

import numpy as np
import pytest

from bhiv import captions, ffmpeg
from bhiv.plan import SAMPLE_RATE, Captions
from bhiv.video.overlay import CaptionLayer
from tests.integration import media
from tests.integration.media import FPS, HEIGHT, WIDTH


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def layer(text: str, style: Captions) -> CaptionLayer | None:
    return media.layer_of(captions.make_cues(media.words(text, SAMPLE_RATE * 2), 42), style)


def burned(folder: Path, text: str, style: Captions) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    """How much each pixel differs from the same shot without captions, a second in; rows below the middle."""
    with_text = media.write_clip(folder, "with.mp4", 50, layer(text, style), move="still")
    without = media.write_clip(folder, "without.mp4", 50, move="still")
    first, second = (media.grab(path, 1.0).astype(np.int16) for path in (with_text, without))
    return np.asarray(np.abs(first - second).max(axis=2))


def test_a_clip_is_h264_high_with_bt709_tags_and_exact_frames(folder: Path) -> None:
    [stream] = ffmpeg.inspect(media.write_clip(folder, "a.mp4", 37)).all

    assert stream.packets == 37
    assert all(part in stream.description for part in ("h264 (High)", "yuv420p(tv, bt709", f"{WIDTH}x{HEIGHT}"))


@pytest.mark.parametrize("text", ["A lotus seed slept.", "कमल का बीज सोया।"])
@pytest.mark.parametrize("style", ["karaoke", "phrase", "pop"])
def test_captions_are_burned_into_their_zone_only(folder: Path, text: str, style: Captions) -> None:
    changed = burned(folder, text, style) > 60

    assert changed[int(HEIGHT * 0.78) :].sum() > 150
    assert changed[: int(HEIGHT * 0.75)].sum() == 0


def test_a_still_picture_is_clean_again_after_a_caption(folder: Path) -> None:
    shown = layer("Gone.", "phrase")

    path = media.write_clip(folder, "a.mp4", 100, shown, move="still")

    assert np.abs(media.grab(path, 0).astype(int) - media.grab(path, 3.9)).max() < 12


def test_karaoke_colours_the_words_that_were_heard(folder: Path) -> None:
    path = media.write_clip(
        folder, "a.mp4", 60, layer("Seven tall white swans swam slowly past", "karaoke"), move="still"
    )

    def golden(at: float) -> int:
        frame = media.grab(path, at).astype(int)
        return int(((frame[..., 0] > 200) & (frame[..., 2] < 130)).sum())

    early, middle, late = golden(0.5), golden(1.2), golden(2.2)
    assert early < middle < late


def test_the_picture_moves_with_the_camera(folder: Path) -> None:
    path = media.write_clip(folder, "a.mp4", FPS * 2, move="pan_right")

    first, last = media.grab(path, 0), media.grab(path, 2 - 1 / FPS)

    assert np.abs(first.astype(int) - last).mean() > 1


def test_the_same_clip_has_the_same_bytes(folder: Path) -> None:
    text = layer("Twice the same.", "karaoke")

    first = media.write_clip(folder, "a.mp4", 30, text).read_bytes()
    second = media.write_clip(folder, "b.mp4", 30, text).read_bytes()

    assert first == second
