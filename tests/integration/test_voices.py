"""Speech engines behind local servers that speak their protocols: who speaks, what is kept, and what goes wrong."""

import contextlib
import importlib.util
import sys
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import SecretStr

from bhiv.cache import Made
from bhiv.errors import SpeechError, VoiceError
from bhiv.plan import SAMPLE_RATE, Scene
from bhiv.production import Narrated, make_narration, make_narration_by
from bhiv.settings import Settings
from bhiv.speech import Spoken, Voice, choose_voices
from bhiv.speech.chain import Chain, Speaker
from bhiv.speech.edge import Edge
from bhiv.speech.elevenlabs import ElevenLabs
from bhiv.speech.engine import Engine
from bhiv.speech.gtts import GoogleTranslate
from bhiv.speech.openai_speech import OpenAISpeech
from bhiv.speech.recordings import speech_level
from bhiv.vendors import Patience
from bhiv.video.bed import Recording
from bhiv.video.loudness import integrated, listen
from bhiv.workplace import Workplace, claimed
from tests.conftest import need
from tests.servers import voices
from tests.servers.starting import free_port
from tests.servers.vendor import FAULTS, Asked, Fault, Said, VendorServer, vendor_server

#: The servers need time to speak; only what is silent on purpose is not waited for.
QUICK = Patience(attempts=2, first_pause=0.02, longest_pause=2, silence=20, total=60)
IMPATIENT = replace(QUICK, silence=0.3)
ESPEAK = Speaker(Voice(engine="espeak", name="en-us"), None, "espeak")
TEXT = "The bud broke the surface, at last. A petal opened."

OPENERS: dict[str, tuple[Callable[[Asked], Said], Callable[[str, Patience], Engine], str]] = {
    "openai": (
        voices.openai,
        lambda url, patience: OpenAISpeech(f"{url}/v1", SecretStr("sk-speech"), "tts-1", patience),
        "nova",
    ),
    "elevenlabs": (
        voices.elevenlabs,
        lambda url, patience: ElevenLabs(url, SecretStr("xi-secret"), "eleven_multilingual_v2", patience),
        "Rachel1",
    ),
    "gtts": (voices.gtts, GoogleTranslate, "en"),
}


@dataclass
class Desk:
    """An engine's server and a workplace to speak at."""

    workplace: Workplace
    server: VendorServer
    speaker: Speaker

    def speak(self, text: str = TEXT, *, alone: bool = False, language: str = "en") -> Made[Narrated]:
        speakers = (self.speaker,) if alone else (self.speaker, ESPEAK)
        chain = Chain(self.workplace.bucket, language, speakers)
        with claimed(self.workplace, "run", b""):
            return make_narration_by(self.workplace, "run", Scene(narration=text), chain)

    def sound(self, made: Made[Narrated]) -> NDArray[np.int16]:
        with wave.open(str(self.workplace.bucket.fetch(made.result.sound))) as file:
            return np.frombuffer(file.readframes(file.getnframes()), "<i2")


@contextmanager
def desk_of(workplace: Workplace, name: str, patience: Patience = QUICK) -> Iterator[Desk]:
    answer, opened, voice = OPENERS[name]
    with vendor_server(answer) as server:
        engine = opened(server.url, patience)
        yield Desk(workplace, server, Speaker(Voice(engine=name, name=voice), engine, engine.identity))


@pytest.fixture(params=OPENERS)
def desk(request: pytest.FixtureRequest, workplace: Workplace) -> Iterator[Desk]:
    with desk_of(workplace, request.param) as opened:
        yield opened


def engines(spoken: Spoken) -> list[str]:
    return [by.engine for by in spoken.by]


def check_words(spoken: Spoken, text: str = TEXT) -> None:
    assert text.split() == [word.text for word in spoken.words]
    moments = [moment for word in spoken.words for moment in (word.start, word.end)]
    assert moments == sorted(moments)
    assert all(word.start < word.end for word in spoken.words)
    assert (0, spoken.samples) == (moments[0], moments[-1])


def true_words(text: str = TEXT) -> list[float]:
    """When each word starts in what the servers say, with our own gap between the sentences."""
    starts, offset = [], 0.0
    for sentence in (f"{part.rstrip('.')}." for part in text.split(". ")):
        words = voices.reading(sentence).words
        starts += [offset + start - words[0][1] for _, start, _ in words]
        offset += words[-1][2] - words[0][1] + 0.28
    return starts


def test_a_narration_is_spoken_with_every_word_in_its_time(desk: Desk) -> None:
    made = desk.speak()

    spoken = made.result.spoken
    assert (engines(spoken), made.notes) == ([desk.speaker.voice.engine] * 2, ())
    check_words(spoken)
    off = [abs(word.start / SAMPLE_RATE - true) for word, true in zip(spoken.words, true_words(), strict=True)]
    assert np.mean(off) < 0.05
    assert [by.timing for by in spoken.by] == ["engine" if desk.speaker.voice.engine == "elevenlabs" else "aligned"] * 2


def test_all_voices_are_equally_loud(desk: Desk) -> None:
    loud = desk.speak()
    desk.server.always = "500"
    embedded = desk.speak("Nobody had heard it. The sun was warm.")

    assert abs(20 * np.log10(speech_level(desk.sound(loud)) / speech_level(desk.sound(embedded)))) < 1
    files = [desk.workplace.bucket.fetch(made.result.sound) for made in (loud, embedded)]
    first, second = (integrated(listen(Recording(file, 1)).doubled().energies) for file in files)
    assert abs(first - second) < 1.5


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", OPENERS)
def test_whatever_an_engine_does_the_narration_is_made(workplace: Workplace, name: str, fault: Fault) -> None:
    with desk_of(workplace, name, IMPATIENT if fault == "slow" else QUICK) as desk:
        desk.server.always = fault

        made = desk.speak("A petal opened.")

    check_words(made.result.spoken, "A petal opened.")
    assert len(desk.server.requests) <= QUICK.attempts
    if fault == "type":  # an answer is judged by what it is
        assert (engines(made.result.spoken), made.notes) == ([name], ())
    else:
        assert engines(made.result.spoken) == ["espeak"]
        [note] = made.notes
        assert note.startswith(f"the voice of {name} ")
        assert note.endswith("; espeak spoke in its place")
        assert "secret" not in note


@pytest.mark.parametrize("fault", ["401", "500", "html", "empty", "truncated"])
def test_without_another_voice_it_is_one_clear_error(desk: Desk, fault: Fault) -> None:
    desk.server.always = fault

    with pytest.raises(SpeechError, match=r"^nobody speaks 'en' just now: the voice of "):
        desk.speak("A petal opened.", alone=True)


def test_a_sentence_that_fails_falls_back_alone(desk: Desk) -> None:
    desk.server.faults = [None, "400"]

    made = desk.speak()

    assert engines(made.result.spoken) == [desk.speaker.voice.engine, "espeak"]
    check_words(made.result.spoken)
    assert len(made.notes) == 1


def test_nothing_is_asked_for_twice(desk: Desk) -> None:
    desk.speak()
    before = len(desk.server.requests)

    again, edited = desk.speak(), desk.speak("A petal opened. The bud broke the surface, at last.")

    assert (again.cached, edited.cached) == (True, False)
    assert len(desk.server.requests) == before


def test_what_was_wished_is_had_once_it_is_back(desk: Desk) -> None:
    desk.server.faults = ["400", "400"]
    fallen, before = desk.speak(), len(desk.server.requests)

    risen, again = desk.speak(), desk.speak()

    name = desk.speaker.voice.engine
    assert [engines(made.result.spoken) for made in (fallen, risen, again)] == [["espeak"] * 2, [name] * 2, [name] * 2]
    assert (again.cached, len(desk.server.requests)) == (True, before + 2)


def test_a_fallback_that_lasts_makes_nothing_again(desk: Desk) -> None:
    desk.server.always = "400"

    fallen, again = desk.speak(), desk.speak()

    assert (fallen.cached, again.cached) == (False, True)
    assert fallen.result == again.result
    assert fallen.notes == again.notes != ()


def test_marks_without_a_word_ask_nobody(desk: Desk) -> None:
    made = desk.speak("— …")

    assert [word.text for word in made.result.spoken.words] == ["—", "…"]
    assert desk.server.requests == []


def test_a_very_long_sentence_is_asked_for_in_parts(desk: Desk) -> None:
    text = ", ".join(["and the mud held on to the stem"] * 12) + "."

    made = desk.speak(text)

    check_words(made.result.spoken, text)
    assert {word.sentence for word in made.result.spoken.words} == {0}
    assert len(made.result.spoken.by) == 2
    assert len(desk.server.requests) == (4 if desk.speaker.voice.engine == "gtts" else 2)


@pytest.mark.parametrize(
    ("alignment", "timing"),
    [
        (None, "aligned"),
        ({"characters": ["A"]}, "aligned"),
        ({"characters": list("A petal"), "character_start_times_seconds": [9e9] * 7,
          "character_end_times_seconds": [float("nan")] * 7}, "aligned"),
        ({"characters": list("Some other words"), "character_start_times_seconds": [0.1] * 16,
          "character_end_times_seconds": [0.2] * 16}, "aligned"),
    ],
)  # fmt: skip
def test_letters_without_sensible_times_leave_the_sound(workplace: Workplace, alignment: object, timing: str) -> None:
    def answer(asked: Asked) -> Said:
        return Said.of({**voices.elevenlabs(asked).json, "alignment": alignment})

    with desk_of(workplace, "elevenlabs") as desk:
        desk.server.answer = answer
        made = desk.speak("A petal opened.", alone=True)

    assert [by.timing for by in made.result.spoken.by] == [timing]
    check_words(made.result.spoken, "A petal opened.")


@pytest.mark.parametrize(
    ("text", "said", "complaint"),
    [
        ("Nobody had told the people of the village that the river would come.", "Nobody.", "too short for"),
        (
            "Yes.",
            "Nobody had told the people of the village that the river would come, and they slept.",
            "too long for",
        ),
    ],
)
def test_speech_that_is_too_short_or_too_long_for_its_text_is_none(
    workplace: Workplace, text: str, said: str, complaint: str
) -> None:
    with desk_of(workplace, "openai") as desk:
        desk.server.answer = lambda _: Said(voices.reading(said).wav, "audio/wav")

        with pytest.raises(SpeechError, match=complaint):
            desk.speak(text, alone=True)


def test_silence_is_no_speech(workplace: Workplace) -> None:
    with desk_of(workplace, "openai") as desk:
        desk.server.answer = lambda _: Said(voices.reading("A petal opened.", gain=0.0).wav, "audio/wav")

        with pytest.raises(SpeechError, match="answered silence"):
            desk.speak("A petal opened.", alone=True)


def test_hindi_is_spoken_and_aligned_too(workplace: Workplace) -> None:
    text = "तालाब में कमल खिला, और सूरज निकला।"
    with desk_of(workplace, "gtts") as desk:
        desk.speaker = Speaker(Voice(engine="gtts", name="hi"), desk.speaker.engine, "gtts")
        made = desk.speak(text, alone=True, language="hi")

    check_words(made.result.spoken, text)
    assert [by.timing for by in made.result.spoken.by] == ["aligned"]


@pytest.fixture
def edge(monkeypatch: pytest.MonkeyPatch) -> Iterator[voices.EdgeServer]:
    if importlib.util.find_spec("edge_tts") is None:
        need("edge-tts; THE VOICES OF EDGE ARE NOT TESTED")
    with voices.edge_server() as server:
        # The package has its service's address as a constant and no other way to name one.
        monkeypatch.setattr("edge_tts.communicate.WSS_URL", server.url)
        yield server


@pytest.fixture
def edge_desk(workplace: Workplace, edge: voices.EdgeServer) -> Desk:
    return edge_desk_of(workplace, QUICK)


def edge_desk_of(workplace: Workplace, patience: Patience) -> Desk:
    # The service's name stands for it when it is down: a new one for each test.
    engine = Edge(patience, address=f"edge-{free_port()}")
    voice = engine.voice_for("", "en")
    return Desk(workplace, VendorServer(lambda _: Said(b"")), Speaker(Voice(engine="edge", name=voice), engine, "edge"))


def test_edge_speaks_and_says_when(edge_desk: Desk, edge: voices.EdgeServer) -> None:
    made = edge_desk.speak()

    check_words(made.result.spoken)
    assert [by.timing for by in made.result.spoken.by] == ["engine", "engine"]
    assert edge.texts == ["The bud broke the surface, at last.", "A petal opened."]
    off = [abs(w.start / SAMPLE_RATE - true) for w, true in zip(made.result.spoken.words, true_words(), strict=True)]
    assert np.mean(off) < 0.03


@pytest.mark.parametrize("fault", voices.EDGE_FAULTS)
def test_whatever_edge_does_the_narration_is_made(
    workplace: Workplace, edge: voices.EdgeServer, fault: voices.EdgeFault
) -> None:
    edge.fault = fault

    made = edge_desk_of(workplace, IMPATIENT if fault == "silence" else QUICK).speak("A petal opened.")

    assert engines(made.result.spoken) == ["espeak"]
    assert made.notes[0].startswith("the voice of edge ")
    # After a 403 the package itself sets its clock and tries once more.
    assert edge.connections <= QUICK.attempts * 2


def test_edge_is_left_alone_while_it_is_down(edge_desk: Desk, edge: voices.EdgeServer) -> None:
    edge.fault = "500"
    edge_desk.speak("A petal opened.")
    before = edge.connections

    edge_desk.speak("The sun was warm.")

    assert edge.connections == before


PIPER = """
import argparse, json, sys, wave
parser = argparse.ArgumentParser()
parser.add_argument("-m"), parser.add_argument("-f")
options = parser.parse_args()
text = sys.stdin.read()
if "burst" in text:
    sys.exit("the model does not load")
from tests.servers.voices import reading
open(options.f, "wb").write(reading(text).wav)
"""


@pytest.fixture
def piper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that is called as Piper is; and a voice file for it, whose content only Piper would read."""
    package = tmp_path / "packages" / "piper"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(PIPER)
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.setenv("PYTHONPATH", ":".join([str(package.parent), *sys.path]))
    model = tmp_path / "en_US-lessac-medium.onnx"
    model.write_bytes(b"onnx")
    model.with_name(f"{model.name}.json").write_text('{"espeak": {"voice": "en-us"}}')
    return model


def test_piper_speaks_from_a_file(piper: Path, workplace: Workplace, settings: Settings) -> None:
    told = settings.model_copy(update={"voices": ("piper",), "piper_model": piper})
    chosen = choose_voices("auto", "en", told)

    with claimed(workplace, "run", b""):
        made = make_narration(workplace, "run", Scene(narration="A petal opened. It burst."), "en", chosen, told)

    assert engines(made.result.spoken) == ["piper", "espeak"]
    assert "the model does not load" in made.notes[0]
    with pytest.raises(VoiceError, match="speaks 'en-us', not 'hi'"):
        choose_voices("piper", "hi", told)


@pytest.mark.parametrize(
    ("chain", "voice", "language", "chosen"),
    [
        ("espeak", "auto", "hi", ["espeak:hi"]),
        ("gtts,espeak", "auto", "hi", ["gtts:hi", "espeak:hi"]),
        ("gtts", "auto", "en-IN", ["gtts:en", "espeak:en-us"]),
        ("openai:nova,gtts", "auto", "he", ["openai:nova", "gtts:iw", "espeak:he"]),
        ("openai:nova", "openai", "hi", ["openai:nova", "espeak:hi"]),
        ("espeak", "openai:echo", "zu", ["openai:echo"]),
        ("espeak,gtts", "auto", "hi", ["espeak:hi", "gtts:hi"]),
        ("gtts,espeak:hi+f2", "auto", "hi", ["gtts:hi", "espeak:hi+f2"]),
        ("elevenlabs:Rachel1", "auto", "hi", ["elevenlabs:Rachel1", "espeak:hi"]),
    ],
)
def test_the_chain_is_what_speaks_the_language(
    chain: str, voice: str, language: str, chosen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BHIV_VOICES", chain)
    settings = Settings(tts_base_url="http://127.0.0.1:1/v1", elevenlabs_api_key=SecretStr("xi-secret"))

    assert chosen == [f"{one.engine}:{one.name}" for one in choose_voices(voice, language, settings)]


@pytest.mark.parametrize(
    ("voice", "language", "said"),
    [
        ("openai", "en", "openai has no address: set BHIV_TTS_BASE_URL"),
        ("elevenlabs", "en", "has no key: set BHIV_ELEVENLABS_API_KEY"),
        ("piper", "en", "set BHIV_PIPER_MODEL"),
        ("gtts", "zu", "gtts does not speak 'zu'"),
        ("gtts:fr", "en", "'fr' does not speak 'en'"),
    ],
)
def test_an_engine_that_can_not_speak_is_refused_before_any_work(voice: str, language: str, said: str) -> None:
    with pytest.raises(VoiceError, match=said):
        choose_voices(voice, language, Settings())


def test_an_id_that_is_none_never_becomes_part_of_an_address() -> None:
    settings = Settings(elevenlabs_api_key=SecretStr("xi-secret"))

    with pytest.raises(VoiceError, match="letters and digits"):
        choose_voices("elevenlabs:../../history", "en", settings)


def test_a_voice_of_edge_speaks_its_own_language() -> None:
    with contextlib.suppress(VoiceError):
        engine = Edge()
        assert (engine.voice_for("", "hi"), engine.voice_for("", "en-GB")) == ("hi-IN-SwaraNeural", "en-US-AriaNeural")
        assert engine.voice_for("en-US-EmmaMultilingualNeural", "hi")
        with pytest.raises(VoiceError, match="does not speak 'hi'"):
            engine.voice_for("en-US-AriaNeural", "hi")
        with pytest.raises(VoiceError, match="must be named"):
            engine.voice_for("", "zu")
        with pytest.raises(VoiceError, match="are called like"):
            engine.voice_for("en-US-Aria)", "en")


@pytest.mark.parametrize(
    ("model", "told"), [("eleven_multilingual_v2", None), ("eleven_flash_v2_5", "hi"), ("eleven_turbo_v2_5", "hi")]
)
def test_only_models_that_take_a_language_are_told_it(model: str, told: str | None) -> None:
    with vendor_server(voices.elevenlabs) as server:
        engine = ElevenLabs(server.url, SecretStr("xi-secret"), model, QUICK)
        engine.record("A petal opened.", "Rachel1", "hi-IN")

    [asked] = server.requests
    assert (asked.json.get("language_code"), asked.json["model_id"]) == (told, model)
    assert asked.query == {"output_format": "mp3_44100_128"}


def test_a_model_for_english_alone_is_passed_over_for_hindi() -> None:
    key = SecretStr("xi-secret")
    settings = Settings(voices=("elevenlabs:Rachel1",), elevenlabs_api_key=key, elevenlabs_model="eleven_flash_v2")

    assert [one.engine for one in choose_voices("auto", "hi", settings)] == ["espeak"]
    assert [one.engine for one in choose_voices("auto", "en", settings)] == ["elevenlabs", "espeak"]
