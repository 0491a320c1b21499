from fractions import Fraction
from pathlib import Path

import pytest

from bhiv import ffmpeg, process
from bhiv.timeline import LEAD, sample_at
from bhiv.video import sound
from bhiv.video.gate import Expected, check
from bhiv.video.join import Programme
from bhiv.workplace import Workplace
from tests.integration import media

TEXTS = ["In a quiet pond a seed slept.", "Nobody knew that it was there.", "One day it woke up, {quite} slowly."]


@pytest.fixture
def folder(tmp_path: Path, workplace: Workplace) -> Path:
    """A work folder beside a home with fonts."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def expected(programme: Programme) -> Expected:
    return Expected(width=media.WIDTH, height=media.HEIGHT, fps=programme.fps, frames=programme.frames, spoken=True)


@pytest.mark.parametrize("fps", [24, 25, 29, 30, 60])
def test_a_joined_video_passes_the_gate_at_every_rate(folder: Path, fps: int) -> None:
    programme = media.programme(folder, TEXTS, fps)

    verdict = check(media.join_all(folder, programme), expected(programme))

    assert verdict.duration_seconds == pytest.approx(programme.frames / fps)
    assert verdict.loudness_lufs == pytest.approx(sound.TARGET_LUFS, abs=sound.TOLERANCE_LU)
    assert verdict.true_peak_dbtp is not None
    assert verdict.true_peak_dbtp <= -1


def test_joining_encodes_no_picture_again(folder: Path) -> None:
    programme = media.programme(folder, TEXTS[:2])
    video = media.join_all(folder, programme)

    def pictures(path: Path) -> list[str]:
        listed = process.run(ffmpeg.command("-i", str(path), "-map", "0:v", "-f", "framemd5", "-"), timeout_seconds=60)
        return [line.split(",")[5] for line in listed.stdout.decode().splitlines() if not line.startswith("#")]

    assert pictures(video) == pictures(folder / "clip-0.mp4") + pictures(folder / "clip-1.mp4")


@pytest.mark.parametrize("fps", [29, 30])
def test_a_hundred_scenes_do_not_drift_by_a_sample(folder: Path, fps: int) -> None:
    programme = media.programme(folder, ["Go on now.", "Or stay here."], fps)
    first, second = programme.parts
    parts, at = [], 0
    for number in range(100):
        part = (first, second)[number % 2]
        parts.append(part.model_copy(update={"shot": part.shot.model_copy(update={"start": at})}))
        at += part.shot.frames
    programme = programme.model_copy(update={"parts": tuple(parts)})

    video = media.join_all(folder, programme, [number % 2 for number in range(100)])

    streams = ffmpeg.inspect(video)
    [pictures], [sounds] = streams.of_kind("Video"), streams.of_kind("Audio")
    assert (pictures.packets, pictures.start) == (at, 0)
    assert pictures.duration_seconds == Fraction(at, fps)
    assert sounds.end == sample_at(programme.parts[-1].shot.end, fps)


def test_captions_and_chapters_are_in_the_file(folder: Path) -> None:
    programme = media.programme(folder, TEXTS)
    video = media.join_all(folder, programme)

    told = process.run(ffmpeg.command("-i", str(video), "-map", "0:s", "-f", "srt", "-"), timeout_seconds=60)

    srt = told.stdout.decode()
    assert all(part.title in told.stderr for part in programme.parts)
    assert "title           : A programme" in told.stderr
    assert "(eng): Subtitle: mov_text" in told.stderr
    assert "One day it woke up," in srt
    second = (sample_at(programme.parts[1].shot.start, programme.fps) + LEAD) / 48_000
    assert f"00:00:0{int(second)},{int(second * 1000) % 1000:03}" in srt


@pytest.mark.parametrize("fps", [24, 29])
def test_long_chapters_among_short_ones_begin_where_their_scenes_do(folder: Path, fps: int) -> None:
    programme = media.programme(folder, TEXTS[:2], fps, least_seconds=5)
    first, second = programme.parts
    parts, at = [], 0
    for number, title in enumerate(["One", "Two", "", "", "", "Three"]):
        part = (first, second)[number % 2]
        parts.append(part.model_copy(update={"shot": part.shot.model_copy(update={"start": at}), "title": title}))
        at += part.shot.frames
    programme = programme.model_copy(update={"parts": tuple(parts)})

    chapters = ffmpeg.inspect(media.join_all(folder, programme, [number % 2 for number in range(6)])).chapters

    assert list(map(float, chapters)) == pytest.approx([0, 5, 25], abs=0.001)


def test_the_index_comes_first_and_a_second_join_gives_the_same_bytes(folder: Path) -> None:
    programme = media.programme(folder, TEXTS[:2])

    first = media.join_all(folder, programme).read_bytes()
    second = media.join_all(folder, programme).read_bytes()

    assert first.index(b"moov") < first.index(b"mdat")
    assert first == second


def test_a_quiet_voice_reaches_the_same_loudness(folder: Path) -> None:
    programme = media.programme(folder, TEXTS[:1])
    media.write_voice(folder / "voice-0.wav", programme.parts[0].cues[-1].end, loudness=0.004)

    verdict = check(media.join_all(folder, programme), expected(programme))

    assert verdict.loudness_lufs == pytest.approx(sound.TARGET_LUFS, abs=sound.TOLERANCE_LU)
