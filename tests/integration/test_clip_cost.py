"""What a clip costs beside its encoder, by CPU, of which a machine's other work takes little."""

import resource
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bhiv import captions, ffmpeg, process
from bhiv.plan import SAMPLE_RATE, Camera, Frames
from bhiv.video.camera import Still
from bhiv.video.clip import ClipSpec, Entry, encode
from bhiv.video.encoder import encoder_arguments
from tests.integration import media

WIDTH, HEIGHT, FPS, FRAMES = 1280, 720, 30, Frames(120)
#: 1.07 to 1.33 were seen on a busy machine, the encoder's start and the reading of the pictures included.
MOST = 1.5


def cpu_of(work: Callable[[], object]) -> float:
    """CPU seconds of this process and of the children that it waited for."""

    def now() -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.process_time() + children.ru_utime + children.ru_stime

    before = now()
    work()
    return now() - before


@pytest.mark.parametrize("move", ["zoom_in", "pan_right"])
def test_motion_a_crossfade_and_karaoke_cost_little_beside_the_encoder(tmp_path: Path, move: Camera) -> None:
    pictures = [media.write_picture(tmp_path / f"{shade}.png", WIDTH, HEIGHT, shade) for shade in (60, 120)]
    still = Still(picture_sha256=move, move=move, frames=FRAMES)
    cues = captions.make_cues(media.words("Seven tall white swans swam slowly past the mill.", SAMPLE_RATE * 3), 42)
    spec = ClipSpec(
        frames=FRAMES, still=still, entry=Entry(transition="crossfade", frames=Frames(15), still=still),
        width=WIDTH, height=HEIGHT, fps=FPS, quality="standard",
        captions=media.layer_of(cues, "karaoke"), encoder="",
    )  # fmt: skip
    raw = tmp_path / "raw.yuv"
    encode(spec, pictures, tmp_path, 60, output=("-c:v", "rawvideo", "-pix_fmt", "yuv420p", "-f", "rawvideo", str(raw)))
    shape = ("-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS), "-i", str(raw))
    alone = ffmpeg.command(*shape, *encoder_arguments("standard", FPS), str(tmp_path / "alone.mp4"))

    whole = min(cpu_of(lambda: encode(spec, pictures, tmp_path, 60)) for _ in range(3))
    least = min(cpu_of(lambda: process.run(alone, timeout_seconds=60)) for _ in range(3))

    assert whole <= MOST * least
