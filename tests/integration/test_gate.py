from collections.abc import Callable
from pathlib import Path

import pytest

from bhiv import ffmpeg, process
from bhiv.errors import GateRejected, ToolFailed
from bhiv.video.gate import Expected, check
from bhiv.workplace import Workplace
from tests.integration import media


@pytest.fixture
def good(tmp_path: Path, workplace: Workplace) -> tuple[Path, Expected]:
    """A finished video and what it was to be."""
    folder = tmp_path / "work"
    folder.mkdir()
    programme = media.programme(folder, ["A good video has sound.", "And it has pictures too."])
    video = media.join_all(folder, programme)
    wanted = Expected(width=media.WIDTH, height=media.HEIGHT, fps=media.FPS, frames=programme.frames, spoken=True)
    return video, wanted


def remade(source: Path, *arguments: str) -> Path:
    target = source.with_name("broken.mp4")
    process.run(ffmpeg.command("-i", str(source), *arguments, str(target)), timeout_seconds=60)
    return target


KEEP = ("-map", "0", "-c", "copy")
BROKEN: list[tuple[str, Callable[[Path], Path], str]] = [
    ("without sound", lambda path: remade(path, "-map", "0:v", "-map", "0:s", "-c", "copy"), "no 48 kHz stereo sound"),
    ("without captions", lambda path: remade(path, "-map", "0:v", "-map", "0:a", "-c", "copy"), "no soft captions"),
    ("without pictures", lambda path: remade(path, "-map", "0:a", "-c", "copy"), "0 picture streams"),
    ("cut short", lambda path: remade(path, *KEEP, "-t", "1.5"), "frames instead of"),
    ("sound cut short", lambda path: remade(path, *KEEP, "-c:a", "aac", "-af", "atrim=end=2"), "the sound lasts"),
    ("quiet", lambda path: remade(path, *KEEP, "-c:a", "aac", "-af", "volume=-6dB"), "LUFS instead of"),
    ("too loud", lambda path: remade(path, *KEEP, "-c:a", "aac", "-af", "volume=9dB"), "LUFS instead of"),
    ("mono", lambda path: remade(path, *KEEP, "-c:a", "aac", "-ac", "1"), "no 48 kHz stereo sound"),
    ("another size", lambda path: remade(path, *KEEP, "-c:v", "libx264", "-vf", "scale=640:360"), "is not 320x180"),
    (
        "black",
        lambda path: remade(
            path, *KEEP, "-c:v", "libx264", "-vf",
            "drawbox=c=black:t=fill,setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv",
        ),
        "black pictures",
    ),
]  # fmt: skip


def test_a_good_video_passes(good: tuple[Path, Expected]) -> None:
    video, wanted = good

    assert check(video, wanted).duration_seconds == pytest.approx(wanted.frames / wanted.fps)


@pytest.mark.parametrize(("broken", "reason"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_broken_video_is_refused_with_the_reason(
    good: tuple[Path, Expected], broken: Callable[[Path], Path], reason: str
) -> None:
    video, wanted = good

    with pytest.raises(GateRejected, match=reason):
        check(broken(video), wanted)


def test_a_torn_file_is_refused(good: tuple[Path, Expected]) -> None:
    video, wanted = good
    torn = video.with_name("torn.mp4")
    torn.write_bytes(video.read_bytes()[:20_000])

    with pytest.raises((GateRejected, ToolFailed)):
        check(torn, wanted)
