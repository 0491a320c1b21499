"""The programme's sound, as ffmpeg hears the finished file."""

import tracemalloc
import wave
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bhiv import ffmpeg, timeline
from bhiv.plan import SAMPLE_RATE, Samples
from bhiv.settings import Settings
from bhiv.speech import choose_voices
from bhiv.speech.narration import embedded, narrate, read_narration
from bhiv.video import bed, dynamics, sound
from bhiv.video.bed import Loop, Recording
from bhiv.video.loudness import integrated, listen
from bhiv.video.sound import Ambience, Bed, Soundtrack, Voicing
from tests.integration import media

SENTENCES = "The sea covers most of our planet. Currents carry warmth to the poles! What will we find there?"
SECOND = Samples(SAMPLE_RATE)


def say(path: Path, settings: Settings, text: str = SENTENCES, gains: Sequence[float] = (1.0,)) -> Path:
    """Speak a text, its parts in turn at different levels."""
    [voice, *_] = choose_voices("espeak", "en", settings)
    parts = read_narration(text, "en")
    narrate(parts, embedded(voice, parts), path)
    samples = samples_of(path).astype(np.float64)
    for part, gain in zip(np.array_split(np.arange(len(samples)), len(gains)), gains, strict=True):
        samples[part] *= gain
    return write(path, samples)


def write(path: Path, samples: NDArray[np.float64]) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.round(samples).astype("<i2").tobytes())
    return path


def samples_of(path: Path) -> NDArray[np.int16]:
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def length_of(path: Path) -> Samples:
    with wave.open(str(path)) as file:
        return Samples(file.getnframes())


def mastered(
    folder: Path, starts: Sequence[int], narrations: Sequence[Path], length: int, **more: object
) -> NDArray[np.float32]:
    voicings = tuple(Voicing(narration=media.SOMEWHERE, start=Samples(start)) for start in starts)
    given = {name: more.pop(name) for name in ("spoken", "bed", "ambience") if name in more}
    paths = {"music": more.get("music"), "ambience": more.get("paths", ())}
    if not given:
        return media.heard(media.lay_voices(starts, narrations, length, folder))
    track = Soundtrack.model_validate({"voicings": voicings, "length": length, **given})
    return media.heard(sound.master(track, narrations, folder, **paths))  # type: ignore[arg-type]


def whole(path: Path) -> tuple[list[int], list[Path], int]:
    """A programme of one narration, with silence around it."""
    return [timeline.LEAD], [path], timeline.LEAD + length_of(path) + timeline.TAIL


VOICES: dict[str, Callable[[Path, Settings], Path]] = {
    "espeak": say,
    "very quiet": lambda path, settings: say(path, settings, gains=[0.01]),
    "very dynamic": lambda path, settings: say(path, settings, gains=[1.8, 0.02, 1, 0.05, 1.8, 0.2]),
    "a scene of 1.2 s": lambda path, settings: write(
        path, samples_of(say(path, settings, "Go on.")).astype(np.float64)
    ),
    "a buzz": lambda path, _: media.write_voice(path, 3 * SAMPLE_RATE + 17),
}


@pytest.mark.parametrize("name", VOICES)
def test_every_programme_is_as_loud_as_the_other(tmp_path: Path, settings: Settings, name: str) -> None:
    mastered(tmp_path, *whole(VOICES[name](tmp_path / "voice.wav", settings)))

    heard = media.measured(tmp_path / "sound.m4a")

    assert heard.integrated == pytest.approx(sound.TARGET_LUFS, abs=sound.TOLERANCE_LU)
    assert heard.true_peak is not None
    assert heard.true_peak <= -1


def test_a_voice_alone_is_the_same_on_both_sides(tmp_path: Path, settings: Settings) -> None:
    left, right = mastered(tmp_path, *whole(say(tmp_path / "voice.wav", settings)))

    np.testing.assert_allclose(left, right, atol=1e-4)


def test_silence_stays_silence(tmp_path: Path) -> None:
    heard = mastered(tmp_path, [], [], 2 * SAMPLE_RATE)

    assert heard.shape == (2, 2 * SAMPLE_RATE)
    assert not heard.any()


def test_speech_over_music_has_its_loudness_too(tmp_path: Path, settings: Settings) -> None:
    music = media.write_stereo(tmp_path / "music.wav", media.music(5))
    starts, voices, length = whole(say(tmp_path / "voice.wav", settings))
    spoken = ((Samples(starts[0]), Samples(length - timeline.TAIL)),)

    left, right = mastered(tmp_path, starts, voices, length, spoken=spoken, bed=BED, music=music)

    heard = media.measured(tmp_path / "sound.m4a")
    assert heard.integrated == pytest.approx(sound.TARGET_LUFS, abs=sound.TOLERANCE_LU)
    assert heard.true_peak is not None
    assert heard.true_peak <= -1
    assert not np.allclose(left, right, atol=1e-3)


BED = Bed(music=media.SOMEWHERE, level_db=-20)
#: A buzz, a pause of 8 s, and another.
SPOKEN = ((1 * SECOND, 5 * SECOND), (13 * SECOND, 17 * SECOND))


def difference(tmp_path: Path, **more: object) -> NDArray[np.float64]:
    """Return what lies under two voices: what is heard with it less the voices, as sound before mastering."""
    voice = media.write_voice(tmp_path / "voice.wav", 4 * SAMPLE_RATE)
    given = {name: more.pop(name) for name in ("spoken", "bed", "ambience") if name in more}
    track = Soundtrack.model_validate(
        {
            "voicings": [Voicing(narration=media.SOMEWHERE, start=start) for start, _ in SPOKEN],
            "length": 20 * SAMPLE_RATE,
            "spoken": SPOKEN,
            **given,
        }
    )
    starts = [voicing.start for voicing in track.voicings]
    sound.write_programme(zip(starts, [voice, voice], strict=True), track.length, tmp_path / "programme.wav")
    mixed = sound.mix(track, tmp_path / "programme.wav", more.get("music"), more.get("paths", ()))  # type: ignore[arg-type]
    alone = sound.mix(track.model_copy(update={"bed": None, "ambience": ()}), tmp_path / "programme.wav", None, ())
    return np.asarray(mixed.read(0, track.length) - alone.read(0, track.length), np.float64)


def test_music_is_so_far_below_the_voice_and_comes_up_in_pauses(tmp_path: Path) -> None:
    steady = media.write_stereo(tmp_path / "music.wav", np.random.default_rng(1).standard_normal((2, 7 * SECOND)) * 0.1)

    music = difference(tmp_path, bed=BED, music=steady)

    def level(start: float, end: float) -> float:
        cut = music[:, round(start * SECOND) : round(end * SECOND)]
        return float(10 * np.log10(np.mean(cut**2)))

    under, pause = level(1, 5), level(6, 12)
    assert pause - under == pytest.approx(bed.LIFT, abs=0.5)
    assert level(13, 17) == pytest.approx(under, abs=0.5)
    # It is down when the first word comes, and not up at once after the last.
    assert level(12.9, 13.0) == pytest.approx(under, abs=0.7)
    assert level(5.0, 5.15) == pytest.approx(under, abs=0.7)


def test_the_level_under_words_is_the_one_that_was_asked_for(tmp_path: Path) -> None:
    steady = media.write_stereo(tmp_path / "music.wav", np.random.default_rng(1).standard_normal((2, 7 * SECOND)) * 0.1)
    music = difference(tmp_path, bed=BED, music=steady)
    media.write_stereo(tmp_path / "under.wav", music[:, SECOND : 5 * SECOND])
    track = Soundtrack(voicings=(Voicing(narration=media.SOMEWHERE, start=Samples(0)),), length=Samples(4 * SECOND))
    sound.write_programme([(Samples(0), tmp_path / "voice.wav")], track.length, tmp_path / "one.wav")
    said = integrated(listen(sound.mix(track, tmp_path / "one.wav", None, ())).energies)

    assert integrated(listen(Recording(tmp_path / "under.wav")).energies) == pytest.approx(said - 20, abs=0.7)


def test_music_begins_and_ends_gently(tmp_path: Path) -> None:
    loud = media.write_stereo(tmp_path / "music.wav", np.full((2, 7 * SECOND), 0.3))

    music = np.abs(difference(tmp_path, bed=BED, music=loud)[0])

    assert music[0] == music[-1] == 0
    assert music[: SECOND // 100].max() < music[2 * SECOND // 3] / 100
    assert (np.diff(music[-2 * SECOND :]) <= 1e-6).all()
    assert music[-SECOND] < music[-3 * SECOND // 2] / 1.5


@pytest.mark.parametrize("seconds", [1.3, 5, 11])
def test_music_goes_round_without_a_click(tmp_path: Path, seconds: float) -> None:
    time = np.arange(round(seconds * SECOND)) / SECOND
    smooth = np.stack([np.sin(2 * np.pi * 211.3 * time + 0.7), np.cos(2 * np.pi * 97.7 * time)]) * 0.5
    loop = Loop(Recording(media.write_stereo(tmp_path / "music.wav", smooth)))

    rounds = loop.read(0, 30 * SECOND)
    parts = np.concatenate([loop.read(start, start + 4_800) for start in range(0, 30 * SECOND, 4_800)], axis=1)

    steepest = np.abs(np.diff(smooth)).max()
    assert np.abs(np.diff(rounds)).max() <= 1.5 * steepest
    np.testing.assert_array_equal(rounds, parts)
    hops = np.sqrt(np.square(rounds[:, SECOND // 2 :].reshape(2, -1, SECOND // 10)[:, :280]).mean(axis=(0, 2)))
    assert hops.min() > 0.02


def test_the_sound_of_a_scene_is_at_its_place_and_steps_back_for_words(tmp_path: Path) -> None:
    steady = media.write_stereo(tmp_path / "scene.wav", np.random.default_rng(1).standard_normal((2, 9 * SECOND)) * 0.1)
    noise = Ambience(sound=media.SOMEWHERE, start=Samples(4 * SECOND + 7), gain_db=-6)

    under = difference(tmp_path, ambience=(noise,), paths=[steady])

    assert not under[:, : 4 * SECOND + 7].any()
    assert not under[:, 13 * SECOND + 7 :].any()

    def level(start: float, end: float) -> float:
        return float(20 * np.log10(under[:, round(start * SECOND) : round(end * SECOND)].std() / 0.1))

    assert level(6, 12) == pytest.approx(-6, abs=0.2)
    assert level(4.1, 5) == pytest.approx(-6 - bed.LIFT, abs=0.3)


def test_music_alone_is_brought_to_the_loudness_too(tmp_path: Path) -> None:
    music = media.write_stereo(tmp_path / "music.wav", media.music(5))

    mastered(tmp_path, [], [], 12 * SAMPLE_RATE, bed=BED, music=music)

    assert media.measured(tmp_path / "sound.m4a").integrated == pytest.approx(-14, abs=sound.TOLERANCE_LU)


def test_a_scene_in_which_hardly_anything_is_heard_is_not_made_loud(tmp_path: Path) -> None:
    hiss = media.write_stereo(tmp_path / "hiss.wav", np.random.default_rng(1).standard_normal((2, 2 * SECOND)) * 0.0004)
    noise = Ambience(sound=media.SOMEWHERE, start=Samples(0))

    heard = mastered(tmp_path, [], [], 2 * SAMPLE_RATE, ambience=(noise,), paths=[hiss])

    assert 0.002 < heard.std() < 0.006


def test_two_hundred_scenes_do_not_drift_by_a_sample(tmp_path: Path) -> None:
    click = np.zeros(2_400)
    click[1_000:1_040] = 30_000 * np.hanning(40)
    path, step = write(tmp_path / "click.wav", click), 8_001
    starts = [step * scene for scene in range(200)]

    left, _ = mastered(tmp_path, starts, [path] * 200, step * 200)

    # Each begins with a packet: at most half of one from its place, however many there are.
    aside = [1024 * round(start / 1024) - start for start in starts]
    assert -512 <= min(aside) < -500 < 500 < max(aside) <= 512
    heard = np.abs(left.reshape(200, step)).argmax(axis=1) - aside
    assert set(heard) <= {1_018, 1_019, 1_020, 1_021}
    assert ffmpeg.inspect(tmp_path / "sound.m4a").all[0].end == 200 * step


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path, settings: Settings) -> None:
    music = media.write_stereo(tmp_path / "music.wav", media.music(4))
    programme = whole(say(tmp_path / "voice.wav", settings))

    mastered(tmp_path, *programme, spoken=SPOKEN, bed=BED, music=music)
    first = (tmp_path / "sound.m4a").read_bytes()
    mastered(tmp_path, *programme, spoken=SPOKEN, bed=BED, music=music)

    assert (tmp_path / "sound.m4a").read_bytes() == first


def test_words_are_joined_to_stretches_between_rests() -> None:
    words = [(0, 10), (12, 20), (20 + bed.PAUSE - 1, 80_000), (80_000 + bed.PAUSE, 200_000)]

    assert bed.spans((Samples(start), Samples(end)) for start, end in words) == (
        (0, 80_000),
        (80_000 + bed.PAUSE, 200_000),
    )


def test_a_long_programme_takes_hardly_more_memory_than_a_short_one(tmp_path: Path) -> None:
    voice = media.write_voice(tmp_path / "voice.wav", 7 * SAMPLE_RATE)
    music = media.write_stereo(tmp_path / "music.wav", media.music(5))

    def most(minutes: int) -> int:
        starts = [8 * SAMPLE_RATE * number for number in range(minutes * 60 // 8)]
        track = Soundtrack(
            voicings=tuple(Voicing(narration=media.SOMEWHERE, start=Samples(start)) for start in starts),
            length=Samples(minutes * 60 * SAMPLE_RATE),
            bed=BED,
        )
        tracemalloc.start()
        sound.write_programme([(Samples(start), voice) for start in starts], track.length, tmp_path / "all.wav")
        heard = listen(sound.mix(track, tmp_path / "all.wav", music, ()))
        dynamics.limit(heard.peaks, dynamics.find_gain(heard, -14, -1.5), -1.5)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    most(1)
    growth = most(5) - most(3)

    assert growth < 2 * 50_000  # the samples of two minutes are 46 MB, what is known of their milliseconds 1.4 MB
