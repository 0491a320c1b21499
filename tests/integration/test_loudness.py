"""The meter and the gains, against ffmpeg's own meter."""

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bhiv import ffmpeg, process
from bhiv.plan import SAMPLE_RATE
from bhiv.video import dynamics
from bhiv.video.bed import Recording
from bhiv.video.loudness import BLOCK, Heard, highest_peak, integrated, listen
from tests.integration import media

Stereo = NDArray[np.float64]


def tone(hertz: float, level_db: float, seconds: float = 6) -> Stereo:
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    fades = np.clip(np.minimum(time, time[::-1]) * 50, 0, 1) * 10 ** (level_db / 20)  # an edge has peaks of its own
    return np.stack([fades * np.sin(2 * np.pi * hertz * time + phase) for phase in (0.3, 1.1)])


def noise() -> Stereo:
    return np.random.default_rng(3).standard_normal((2, 7 * SAMPLE_RATE)) * 0.08


def gated() -> Stereo:
    """Loud, then 40 dB lower for longer than that, then silence: both gates count."""
    return np.concatenate([tone(440, -20, 3.27), tone(440, -60, 8.11), np.zeros((2, 3 * SAMPLE_RATE))], axis=1)


def speech() -> Stereo:
    time = np.arange(10 * SAMPLE_RATE) / SAMPLE_RATE
    syllables = np.clip(np.sin(2 * np.pi * 4 * time), 0, 1) * (np.sin(2 * np.pi * 0.3 * time) > -0.5)
    buzz = np.sum([np.sin(2 * np.pi * 130 * n * time + n * n) / n for n in range(1, 40)], axis=0)
    return np.stack([buzz * syllables * 0.15] * 2)


SOUNDS: dict[str, Callable[[], Stereo]] = {
    "997 Hz": lambda: tone(997, -23),
    "deep tone": lambda: tone(60, -12),
    "high tone": lambda: tone(11_000, -6),
    "between samples": lambda: tone(SAMPLE_RATE / 4, -3),
    "noise": noise,
    "music": lambda: media.music(12),
    "speech": speech,
    "both gates": gated,
    "1.2 s": lambda: tone(300, -18, 1.2),
}


@pytest.mark.parametrize("name", SOUNDS)
def test_the_meter_says_what_ffmpeg_says(tmp_path: Path, name: str) -> None:
    path = media.write_stereo(tmp_path / "sound.wav", SOUNDS[name]())

    heard = listen(Recording(path))
    known = media.measured(path)

    assert integrated(heard.energies) == pytest.approx(known.integrated, abs=0.1)
    assert known.true_peak is not None
    assert highest_peak(heard) == pytest.approx(known.true_peak, abs=0.2)


def test_silence_and_what_is_too_short_have_no_loudness(tmp_path: Path) -> None:
    silence = listen(Recording(media.write_stereo(tmp_path / "silence.wav", np.zeros((2, SAMPLE_RATE)))))
    short = listen(Recording(media.write_stereo(tmp_path / "short.wav", tone(997, -20, 0.3))))

    assert (integrated(silence.energies), highest_peak(silence)) == (-np.inf, -np.inf)
    assert integrated(short.energies) == -np.inf


def test_a_sound_is_measured_alike_wherever_its_pieces_meet(tmp_path: Path) -> None:
    late = np.concatenate([np.zeros((2, 1_017 * BLOCK)), media.music(9)], axis=1)
    plain = listen(Recording(media.write_stereo(tmp_path / "plain.wav", media.music(9))))
    moved = listen(Recording(media.write_stereo(tmp_path / "late.wav", late)))

    np.testing.assert_allclose(moved.energies[1_017:], plain.energies[:], rtol=2e-3, atol=1e-6)
    np.testing.assert_allclose(moved.peaks[1_017:], plain.peaks[:], rtol=2e-3, atol=1e-3)


def test_nothing_is_above_the_ceiling_and_gains_change_gently() -> None:
    peaks = np.random.default_rng(1).exponential(0.3, 5_000).astype(np.float32)

    gains = dynamics.limit(peaks, 12, -1.5)[:]

    highest = np.maximum(gains[1:], gains[:-1]) * peaks
    assert highest.max() <= 10 ** (-1.5 / 20) * 1.0001
    steps = 20 * np.abs(np.diff(np.log10(gains)))
    assert steps.max() <= 2.001
    assert gains.max() <= 10 ** (12 / 20) * 1.0001


def test_gains_of_an_hour_are_those_of_its_parts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = np.random.default_rng(2).exponential(0.3, 9_000).astype(np.float32)
    whole = dynamics.limit(peaks, 9, -1.5)[:]

    monkeypatch.setattr(dynamics, "_SEGMENT", 2_500)

    parts = dynamics.limit(peaks, 9, -1.5)
    np.testing.assert_allclose(parts[:], whole, rtol=1e-6)
    np.testing.assert_allclose(parts[2_400:5_100], whole[2_400:5_100], rtol=1e-6)


def test_a_sound_of_one_level_is_not_pressed_more_at_one_place_than_at_another() -> None:
    gains = dynamics.press(np.full(3_000, 0.1, np.float32))[:]

    assert np.ptp(gains) < 1e-6
    assert dynamics.press(np.zeros(100, np.float32))[:].tolist() == [1.0] * 101


def test_the_gain_is_found_that_a_limiter_takes_back() -> None:
    rng = np.random.default_rng(4)
    peaks = rng.exponential(0.1, 20_000).astype(np.float32)
    heard = Heard((peaks**2 * BLOCK / 6).astype(np.float32), peaks)

    gain = dynamics.find_gain(heard, -20, -1.5)

    reached = integrated(dynamics.Limited(heard.energies, dynamics.limit(peaks, gain, -1.5)))
    assert reached == pytest.approx(-20, abs=0.05)


def test_media_files_for_these_tests_are_what_ffmpeg_reads(tmp_path: Path) -> None:
    path = media.write_stereo(tmp_path / "sound.wav", tone(997, -6, 1))

    told = process.run(ffmpeg.command("-i", str(path), "-f", "null", "-"), timeout_seconds=60).stderr

    assert "48000 Hz, stereo" in told
    with wave.open(str(path)) as file:
        assert file.getnframes() == SAMPLE_RATE
