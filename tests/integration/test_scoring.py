"""Voices with nothing under them: mastered one by one, laid as packets, and heard part by part."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bhiv import ffmpeg, process, production, scoring
from bhiv.cache import Made
from bhiv.errors import GateRejected
from bhiv.plan import SAMPLE_RATE, Samples, Scene
from bhiv.production import Frame
from bhiv.settings import Settings
from bhiv.speech import choose_voices
from bhiv.video import aac, gate_sound, sound
from bhiv.video.sound import Mastered
from bhiv.workplace import Workplace, open_workplace
from tests.integration import media

FRAME = Frame(width=320, height=180, fps=30, quality="draft")
LOOK = production.CaptionLook(style="off", position="auto", language="en")
TOLD = (
    "The river runs to the sea, past five towns and a mill.",
    "",
    "It is long and quiet, and the boats on it are slow.",
    "Nobody has ever seen where it begins.",
    "In spring it is brown, and in autumn it is nearly blue.",
)
#: More than are encoded at once.
MANY = tuple(f"This is sentence number {number}." for number in range(18))
#: Nearly as loud, so that the voices' common gain stays.
EDITED = (*TOLD[:2], "It is long and quiet, and the boats on it are grey.", *TOLD[3:])


def lay(workplace: Workplace, settings: Settings, told: Sequence[str]) -> Made[Mastered]:
    """Speak scenes, of which those without words last a second, and make their sound."""
    (workplace.runs / "run").mkdir(parents=True, exist_ok=True)
    scenes = [Scene(narration=text, duration_seconds=None if text else 1) for text in told]
    voices = choose_voices("espeak", "en", settings)
    narrated = [production.make_narration(workplace, "run", one, "en", voices, settings).result for one in scenes]
    captioned = [
        production.make_captions(workplace, one, spoken, LOOK, FRAME).result
        for one, spoken in zip(scenes, narrated, strict=True)
    ]
    return scoring.make_sound(workplace, "run", narrated, captioned, FRAME)


def kept(workplace: Workplace) -> set[str]:
    """The voices in the bucket."""
    keys = (entry.key for entry in workplace.bucket.list_page().entries)
    return {key for key in keys if key.startswith("audio/voice-") and key.endswith(".aac")}


def test_an_edit_encodes_only_what_is_said_anew_and_gives_what_a_fresh_run_gives(
    workplace: Workplace, settings: Settings, tmp_path: Path
) -> None:
    lay(workplace, settings, TOLD)
    before = kept(workplace)

    edited = lay(workplace, settings, EDITED)

    assert (len(before), len(kept(workplace) - before)) == (4, 1)
    own = settings.model_copy(update={"bucket_dir": tmp_path / "other"})
    fresh = open_workplace(own)
    assert lay(fresh, own, EDITED).result.sound.sha256 == edited.result.sound.sha256


@pytest.mark.parametrize("told", [TOLD, MANY])
def test_a_voice_is_heard_sample_for_sample_as_it_is_by_itself(
    workplace: Workplace, settings: Settings, tmp_path: Path, told: Sequence[str]
) -> None:
    made = lay(workplace, settings, told)
    whole = media.heard(workplace.bucket.fetch(made.result.sound))

    assert len(kept(workplace)) == sum(map(bool, told))
    for key in kept(workplace):
        packets = tmp_path / "voice.aac"
        packets.write_bytes(workplace.bucket.get_bytes(key))
        alone = media.heard(packets)[:, aac.PACKET :]
        starts = [at for at in range(0, whole.shape[1] - alone.shape[1], aac.PACKET) if whole[0, at : at + 4096].any()]
        found = [at for at in starts if np.array_equal(whole[:, at : at + alone.shape[1]], alone)]
        assert len(found) == 1


def test_what_is_heard_of_all_is_what_is_heard_of_the_parts(workplace: Workplace, settings: Settings) -> None:
    file = workplace.bucket.fetch(lay(workplace, settings, TOLD).result.sound)
    [track] = ffmpeg.inspect(file).all

    record = workplace.bucket.get_bytes(f"{gate_sound.key(track.digest)}.json")
    parts, whole = gate_sound.Heard.model_validate_json(record), gate_sound.listen(file)

    assert parts.loudness_lufs == pytest.approx(whole.loudness_lufs, abs=0.1)
    assert parts.loudness_lufs == pytest.approx(sound.TARGET_LUFS, abs=0.2)
    assert parts.true_peak_dbtp == pytest.approx(whole.true_peak_dbtp, abs=0.1)
    assert len(parts.levels) == len(whole.levels)
    # A step of 20 ms may begin up to half of one earlier or later.
    near = np.lib.stride_tricks.sliding_window_view(np.pad(whole.levels, 1, mode="edge"), 3)
    assert np.mean((parts.levels > near.min(axis=1) - 1) & (parts.levels < near.max(axis=1) + 1)) > 0.95


def test_silence_is_heard_of_nothing() -> None:
    heard = gate_sound.together([], Samples(SAMPLE_RATE))

    assert (heard.loudness_lufs, heard.true_peak_dbtp) == (None, None)
    assert (len(heard.levels), heard.levels.max()) == (50, -100)


def test_scenes_without_words_have_no_voice(workplace: Workplace, settings: Settings) -> None:
    made = lay(workplace, settings, ["", ""])

    heard = media.heard(workplace.bucket.fetch(made.result.sound))
    assert heard.shape == (2, 2 * SAMPLE_RATE)
    assert not heard.any()
    assert not kept(workplace)


def test_the_gain_is_one_of_few(tmp_path: Path) -> None:
    gains = [
        sound.hear([Samples(14_400)], [media.write_voice(tmp_path / "a.wav", 90_000, by)], Samples(130_000), tmp_path)
        for by in (0.1, 0.1001, 0.2)
    ]

    first, near, other = (one.gain_db for one in gains)
    assert first == near
    assert first - other == pytest.approx(6, abs=0.25)
    assert all(gain % 0.25 == 0 for gain in (first, other))


def test_voices_in_each_others_place_are_refused(tmp_path: Path) -> None:
    voice = media.write_voice(tmp_path / "voice.wav", 48_000)
    dialogue = sound.hear([Samples(0)], [voice], Samples(96_000), tmp_path)
    [packets] = sound.encode_voices(dialogue, [0], tmp_path)

    with pytest.raises(ValueError, match="packet 40"):
        aac.lay([(0, packets), (40, packets)], Samples(96_000), tmp_path)


def test_voices_are_the_same_encoded_and_heard_together_or_alone(tmp_path: Path) -> None:
    spoken = [media.write_voice(tmp_path / f"{number}.wav", 9_000 + 700 * number, 0.1) for number in range(18)]
    starts = [Samples(40_000 * number) for number in range(18)]
    dialogue = sound.hear(starts, spoken, Samples(40_000 * 18), tmp_path)
    (together := tmp_path / "together").mkdir()
    (alone := tmp_path / "alone").mkdir()

    files = sound.encode_voices(dialogue, range(18), together)

    assert len({file.read_bytes() for file in files}) == 18
    heard = gate_sound.listen_to_parts(files, together)
    for number in (0, 16, 17):
        [file] = sound.encode_voices(dialogue, [number], alone)
        assert file.read_bytes() == files[number].read_bytes()
        assert gate_sound.listen_to_parts([file], alone) == [heard[number]]


def test_a_part_that_is_damaged_is_refused(tmp_path: Path) -> None:
    voice = media.write_voice(tmp_path / "voice.wav", 48_000)
    dialogue = sound.hear([Samples(0)], [voice], Samples(48_000), tmp_path)
    [whole] = sound.encode_voices(dialogue, [0], tmp_path)
    damaged = tmp_path / "damaged.aac"
    packets = bytearray(whole.read_bytes())
    packets[len(packets) // 2 : len(packets) // 2 + 200] = bytes(range(200))
    damaged.write_bytes(packets)

    with pytest.raises(GateRejected, match="damaged"):
        gate_sound.listen_to_parts([whole, damaged], tmp_path)


def test_pauses_are_the_encoders_own_silence(tmp_path: Path) -> None:
    voice = media.write_voice(tmp_path / "voice.wav", 48_000, 0.0)
    dialogue = sound.hear([Samples(0)], [voice], Samples(48_000), tmp_path)
    [silent] = sound.encode_voices(dialogue, [0], tmp_path)

    laid = aac.lay([], Samples(96_000), tmp_path)

    assert not media.heard(laid).any()
    process.run(ffmpeg.command("-i", str(laid), "-c", "copy", str(tmp_path / "laid.adts.aac")), timeout_seconds=20)
    pauses = (tmp_path / "laid.adts.aac").read_bytes()
    assert silent.read_bytes() == pauses[: silent.stat().st_size]
