import threading
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bhiv import process
from bhiv.errors import Interrupted, PlanError, ToolFailed, ToolTimedOut, VoiceError
from bhiv.languages import detect_language
from bhiv.plan import SAMPLE_RATE, parse_plan
from bhiv.script import decode_script, parse_script
from bhiv.settings import Settings
from bhiv.speech import Spoken, Voice, choose_voices, narrate, read_narration
from bhiv.speech.espeak import synthesize, synthesize_all
from bhiv.speech.narration import Sentence, embedded
from bhiv.speech.pauses import without_pauses
from bhiv.speech.spoken import Token, spoken_tokens
from bhiv.speech.voices import espeak_voices
from bhiv.storyboard import make_scenes

EXAMPLES = Path(__file__).parents[2] / "examples"


def choose_voice(voice: str, language: str) -> Voice:
    return choose_voices(voice, language, Settings())[0]


def say(text: str, folder: Path, language: str = "en") -> tuple[Spoken, NDArray[np.int16]]:
    path = folder / "narration.wav"
    parts = read_narration(text, language)
    spoken = narrate(parts, embedded(choose_voice("auto", language), parts), path)
    with wave.open(str(path), "rb") as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (SAMPLE_RATE, 1, 2)
        return spoken, np.frombuffer(file.readframes(file.getnframes()), "<i2")


def loudness(sound: NDArray[np.int16], start: int, end: int) -> float:
    return float(np.sqrt(np.mean(np.square(sound[start:end].astype(float)))))


def check_times(spoken: Spoken) -> None:
    ends = [0, *(word.end for word in spoken.words)]
    assert all(word.start < word.end for word in spoken.words)
    assert all(end <= word.start for end, word in zip(ends, spoken.words, strict=False))
    assert ends[-1] <= spoken.samples


@pytest.mark.parametrize(
    ("name", "scenes", "shortest", "longest"),
    [
        ("lotus.txt", (7, 10), 55, 90),
        ("kamal.txt", (6, 9), 50, 90),
        ("sunlight.md", (8, 12), 60, 110),
        ("rain.txt", (4, 4), 25, 50),
    ],
)
def test_every_word_of_an_example_is_heard_once_in_order(
    name: str, scenes: tuple[int, int], shortest: int, longest: int, tmp_path: Path
) -> None:
    text = decode_script((EXAMPLES / name).read_bytes(), max_bytes=100_000)
    made = make_scenes(parse_script(text), 200)
    seconds = 0.0
    for scene in made:
        spoken, sound = say(scene.narration, tmp_path, detect_language(text))
        seconds += spoken.samples / SAMPLE_RATE
        assert without_pauses(scene.narration).split() == [word.text for word in spoken.words]
        assert len(sound) == spoken.samples
        check_times(spoken)
    assert scenes[0] <= len(made) <= scenes[1]
    assert shortest <= seconds <= longest


def test_the_example_plan_is_one(tmp_path: Path) -> None:
    plan = parse_plan((EXAMPLES / "plan.json").read_bytes())

    assert choose_voice(plan.voice, plan.language).name == "en"
    assert any(not scene.narration and scene.duration_seconds for scene in plan.scenes)


def test_the_same_narration_has_the_same_bytes(tmp_path: Path) -> None:
    text = "It began in 1776, for the people. [pause 0.5s] “Yes,” they said."

    first, second = [say(text, tmp_path) for _ in range(2)]

    assert first[0] == second[0]
    assert first[1].tobytes() == second[1].tobytes()


def test_pauses_are_silent_and_words_are_not(tmp_path: Path) -> None:
    spoken, sound = say("The bud broke the surface. [pause 2s] The sun, at last, touched it. A petal opened.", tmp_path)

    between = [(word.end, after.start) for word, after in zip(spoken.words, spoken.words[1:], strict=False)]
    gaps = [(end, start) for end, start in between if start > end]
    assert [
        round((spoken.words[index + 1].start - spoken.words[index].end) / SAMPLE_RATE, 2)
        for index in range(len(spoken.words) - 1)
        if spoken.words[index].sentence != spoken.words[index + 1].sentence
    ] == [2.0, 0.28]
    # The resampler rings for a few samples beyond a word's edge.
    assert all(loudness(sound, end + 96, start - 96) < 20 for end, start in gaps)
    assert all(loudness(sound, word.start, word.end) > 300 for word in spoken.words)
    assert len(gaps) == 4  # after "surface.", "sun,", "last," and "it."


def test_a_pause_lasts_exactly_as_long_as_it_says(tmp_path: Path) -> None:
    without, _ = say("One. Two.", tmp_path)
    longer, _ = say("One. [pause 1.28s] Two.", tmp_path)

    assert abs(longer.samples - without.samples - SAMPLE_RATE) <= 1


def test_a_narration_of_pauses_only_has_no_words(tmp_path: Path) -> None:
    spoken, sound = say("[pause 0.1s][pause 0.4s]", tmp_path)

    assert SAMPLE_RATE // 2 == spoken.samples == len(sound)
    assert spoken.words == ()


def test_an_empty_narration_is_an_empty_file(tmp_path: Path) -> None:
    spoken, sound = say(" \n", tmp_path)

    assert (spoken.samples, spoken.words, len(sound)) == (0, (), 0)


def test_words_without_a_sound_are_shown_all_the_same(tmp_path: Path) -> None:
    spoken, _ = say("… —", tmp_path)

    assert [word.text for word in spoken.words] == ["…", "—"]
    check_times(spoken)


def test_an_impossible_pause_in_a_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"lasts 60 s; between 0\.1 and 10 s"):
        say("One. [pause 60s] Two.", tmp_path)


def test_a_line_of_verse_is_followed_by_a_breath(tmp_path: Path) -> None:
    prose, _ = say("The dust lay down to wait. A crow sat black.", tmp_path)
    verse, _ = say("The dust lay down to wait.\nA crow sat black.", tmp_path)

    assert pytest.approx((verse.samples - prose.samples) / SAMPLE_RATE, abs=0.001) == 0.17


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("It's 2024, for the project, and Dr. Smith said: “hello” — it costs $3.5 million.", "en"),
        ("In the end of the day, it was on the top of a hill & so on.", "en"),
        ("₹ 500 और 25 °C, यानी lotus का फूल — बस।", "hi"),
        ("😀 Hello 🌍 world", "en"),
        ("Où est la fleur ?", "fr"),
        ("ดอกบัวบาน ในน้ำ", "th"),
    ],
)
def test_merged_many_worded_and_silent_tokens_all_get_a_time(text: str, language: str, tmp_path: Path) -> None:
    spoken, _ = say(text, tmp_path, language)

    assert text.split() == [word.text for word in spoken.words]
    check_times(spoken)


def test_a_number_starts_where_its_first_word_does() -> None:
    number = synthesize([Token("In", "In"), Token("2024", "2024"), Token("we", "we")], "en-us")
    words = synthesize([Token("In", "In"), Token("2024", "two thousand twenty four"), Token("we", "we")], "en-us")

    assert number.times[1][0] == pytest.approx(words.times[1][0], abs=0.03 * number.rate)
    assert number.times[2][0] == pytest.approx(words.times[2][0], abs=0.12 * number.rate)


def test_an_utterance_has_no_silence_around_it() -> None:
    utterance = synthesize(spoken_tokens("Stand still.", "en"), "en-us")

    assert min(abs(int(utterance.samples[0])), abs(int(utterance.samples[-1]))) > 32
    assert (0, len(utterance.samples)) == (utterance.times[0][0], utterance.times[-1][1])


def test_english_is_spoken_at_a_pleasant_rate(tmp_path: Path) -> None:
    script = parse_script((EXAMPLES / "lotus.txt").read_text(encoding="utf-8"))
    spoken = [say(passage.narration, tmp_path)[0] for passage in script.passages[2:5]]

    words, seconds = sum(len(one.words) for one in spoken), sum(one.samples for one in spoken) / SAMPLE_RATE
    assert 150 <= words / seconds * 60 <= 170


@pytest.mark.parametrize(("example", "language", "voice"), [("lotus.txt", "en", "en-us"), ("kamal.txt", "hi", "hi")])
def test_sentences_spoken_together_sound_as_each_does_by_itself(example: str, language: str, voice: str) -> None:
    script = parse_script((EXAMPLES / example).read_text(encoding="utf-8"))
    parts = [part for passage in script.passages for part in read_narration(passage.narration, language)]
    sentences = [part.tokens for part in parts if isinstance(part, Sentence)][:10]

    together = synthesize_all([*sentences, sentences[0]], voice)

    for tokens, utterance in zip([*sentences, sentences[0]], together, strict=True):
        alone = synthesize(tokens, voice)
        assert (alone.rate, alone.times) == (utterance.rate, utterance.times)
        assert np.array_equal(alone.samples, utterance.samples)


def test_no_sentences_need_no_voice() -> None:
    assert synthesize_all([], "xx") == ()


def test_sentences_spoken_together_end_when_the_run_does() -> None:
    tokens = spoken_tokens("They spoke of the river, of the boats, and of all that the river carries away. " * 3, "en")
    stop = threading.Timer(0.3, process.stop_all)
    stop.start()
    try:
        with pytest.raises(Interrupted):
            synthesize_all([tokens] * 2000, "en-us")
    finally:
        stop.join()
        process.allow()


def test_sentences_spoken_together_fail_together_when_time_is_up() -> None:
    tokens = spoken_tokens("They spoke of the river, of the boats, and of all that the river carries away.", "en")

    with pytest.raises(ToolTimedOut):
        synthesize_all([tokens] * 200, "en-us", timeout_seconds=0.001)


def test_a_voice_that_espeak_lacks_fails_the_child() -> None:
    with pytest.raises(ToolFailed, match="has no voice 'xx'"):
        synthesize([Token("One", "One")], "xx")


@pytest.mark.parametrize(
    ("voice", "language", "name"),
    [
        ("auto", "en", "en-us"),
        ("auto", "en-IN", "en-us"),
        ("auto", "en-GB", "en"),
        ("auto", "hi", "hi"),
        ("auto", "hi-IN", "hi"),
        ("auto", "fr", "fr"),
        ("auto", "pt-BR", "pt-br"),
        ("auto", "zh", "cmn"),
        ("espeak", "hi", "hi"),
        ("espeak:en-gb", "en", "en"),
        ("espeak:en-us+F3", "en", "en-us+f3"),
    ],
)
def test_a_voice_is_found_for_the_language(voice: str, language: str, name: str) -> None:
    chosen = choose_voice(voice, language)

    assert ("espeak", name) == (chosen.engine, chosen.name)


@pytest.mark.parametrize(
    ("voice", "language", "said"),
    [
        ("festival", "en", "no speech engine 'festival'; use auto, espeak"),
        ("auto", "xx", "no voice speaks 'xx'; give a BCP-47 code"),
        ("espeak:nobody", "hi", "no voice 'nobody'; for 'hi' there are hi"),
        ("espeak:hi", "en", "speaks Hindi, not 'en'; for 'en' there are"),
        ("espeak:hi+nobody", "hi", "no variant 'nobody'"),
    ],
)
def test_a_voice_that_does_not_fit_is_refused_with_what_there_is(voice: str, language: str, said: str) -> None:
    with pytest.raises(VoiceError, match=said) as refused:
        choose_voice(voice, language)
    assert "\n" not in str(refused.value)


def test_the_voices_cover_the_languages_of_india() -> None:
    spoken = {code for voice in espeak_voices() for code, _ in voice.languages}

    assert {"hi", "bn", "ta", "te", "mr", "gu", "kn", "ml", "pa", "or", "as", "ne", "ur", "en-us"} <= spoken
