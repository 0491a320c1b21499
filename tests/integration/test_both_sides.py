"""One channel of AAC made two: each side is the one that was encoded, sample for sample."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bhiv import ffmpeg, process
from bhiv.plan import SAMPLE_RATE
from bhiv.video.both_sides import on_both_sides
from tests.integration import media

SECOND = SAMPLE_RATE
RNG = np.random.default_rng(5)


def clicks() -> NDArray[np.float64]:
    """Attacks out of silence, for which the encoder takes short windows, grouped in many ways."""
    return RNG.standard_normal(4 * SECOND) * np.exp(-(np.arange(4 * SECOND) % 7_919) / 400) * 0.5


SOUNDS: dict[str, Callable[[], NDArray[np.float64]]] = {
    "music": lambda: media.music(4)[0],
    "noise over all bands": lambda: RNG.standard_normal(3 * SECOND) * 0.2,
    "clicks": clicks,
    "nothing": lambda: np.zeros(SECOND),
    "a click in silence": lambda: np.eye(1, 2 * SECOND, SECOND)[0],
    "shorter than a packet": lambda: RNG.standard_normal(500) * 0.2,
}


def encode(folder: Path, sound: NDArray[np.float64], *arguments: str) -> Path:
    made = folder / "one.aac"
    command = ("-f", "f64le", "-ar", str(SAMPLE_RATE), "-ac", "1", "-i", "pipe:0", "-c:a", "aac", *arguments)
    process.run(ffmpeg.command(*command, "-flags:a", "+bitexact", str(made)), timeout_seconds=60, stdin=sound.tobytes())
    return made


def decode(path: Path, channels: int) -> NDArray[np.float32]:
    decoded = process.run(ffmpeg.command("-f", "aac", "-i", str(path), "-f", "f32le", "-"), timeout_seconds=60)
    assert f"48000 Hz, {'stereo' if channels == 2 else 'mono'}" in decoded.stderr
    assert "rror" not in decoded.stderr
    return np.frombuffer(decoded.stdout, "<f4").reshape(-1, channels).T


@pytest.mark.parametrize("quality", ["0.3", "2.5", "9"])
@pytest.mark.parametrize("name", SOUNDS)
def test_both_sides_are_what_was_encoded(tmp_path: Path, name: str, quality: str) -> None:
    tools = ("-aac_coder", "fast", "-q:a", quality, "-aac_tns", "0", "-aac_pns", "0")
    single = encode(tmp_path, SOUNDS[name](), *tools)

    on_both_sides(single, tmp_path / "two.aac")

    [one], (left, right) = decode(single, 1), decode(tmp_path / "two.aac", 2)
    np.testing.assert_array_equal(left, one)
    np.testing.assert_array_equal(right, one)
    packets = len(one) / 1024
    assert (tmp_path / "two.aac").stat().st_size - single.stat().st_size < 12 * packets


def test_what_has_two_channels_already_is_refused(tmp_path: Path) -> None:
    stereo = encode(tmp_path, media.music(1)[0], "-ac", "2")

    with pytest.raises(ValueError, match="one channel"):
        on_both_sides(stereo, tmp_path / "two.aac")
