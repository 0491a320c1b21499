"""How far the word times found by alignment are from labelled speech: Festival says when each of its words begins.

Needs Debian's festival with festvox-kallpc16k and festvox-us-slt-hts; both voices differ from the embedded one, and one
of them is of another kind (statistical, where the other joins recorded pieces).
"""

import shutil
import subprocess
import tempfile
import time
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bhiv.plan import SAMPLE_RATE
from bhiv.speech.espeak import synthesize
from bhiv.speech.narration import at_full_rate
from bhiv.speech.recordings import trimmed
from bhiv.speech.spoken import Token
from bhiv.speech.utterance import Utterance
from bhiv.speech.word_times import timed

VOICES = ("kal_diphone", "cmu_us_slt_arctic_hts")
#: No numbers, abbreviations or hyphens, which Festival would say as other words than are written.
SENTENCES = (
    "Behind an old stone temple lay a pond that nobody looked at, and its water was brown.",
    "In that mud slept a lotus seed, and all it could hear was the temple bell, very far above.",
    "Every morning the bell rang again, and something small and green leaned towards the sound.",
    "It pushed one thin stem through the dark, and the mud held on to it, and it did not complain.",
    "Then, one dawn, the bud broke the surface, and a hundred petals opened without a sound.",
    "The sun was warm.",
    "Nobody had told the people of the village that the river would be there before the end of the night.",
    "She asked him why, he said nothing, and for the rest of the year they walked the long way to school.",
)


@dataclass(frozen=True)
class Spoken:
    """A sentence as Festival said it, at 48 kHz, and where each word begins and ends in it, in seconds."""

    sentence: str
    samples: NDArray[np.int16]
    labels: list[tuple[float, float]]


def is_installed() -> bool:
    """Whether Festival and both voices are there."""
    voices = Path("/usr/share/festival/voices")
    return bool(shutil.which("festival")) and all(any(voices.rglob(name)) for name in VOICES)


def measure() -> Iterator[str]:
    """Yield the rows of the report."""
    if not is_installed():
        yield "not measured: festival, festvox-kallpc16k and festvox-us-slt-hts are not installed"
        return
    for voice in VOICES:
        spoken = speak(voice)
        started = time.process_time()
        errors = milliseconds_off(spoken)
        took = time.process_time() - started
        seconds = sum(len(one.samples) for one in spoken) / SAMPLE_RATE
        yield (
            f"{voice}: {len(errors)} words, mean {errors.mean():.0f} ms, p90 {np.percentile(errors, 90):.0f} ms, "
            f"worst {errors.max():.0f} ms; {seconds / took:.0f} times as fast as the speech"
        )


def speak(voice: str) -> list[Spoken]:
    """Have Festival say every sentence."""
    with tempfile.TemporaryDirectory(prefix="bhiv-festival-") as folder:
        script = [f"(voice_{voice})"]
        for number, sentence in enumerate(SENTENCES):
            script += [
                f'(set! said (utt.synth (Utterance Text "{sentence}")))',
                f'(utt.save.wave said "{folder}/{number}.wav" (quote riff))',
                f'(format t "sentence {number}\\n")',
                '(mapcar (lambda (word) (format t "word %s %f %f\\n" (item.name word)'
                ' (item.feat word "word_start") (item.feat word "word_end"))) (utt.relation.items said (quote Word)))',
            ]
        said = subprocess.run(
            ["festival", "--pipe"], input="\n".join(script), capture_output=True, text=True, check=True, timeout=300
        ).stdout
        labels: list[list[tuple[float, float]]] = []
        for line in said.splitlines():
            kind, _, told = line.partition(" ")
            if kind == "sentence":
                labels.append([])
            elif kind == "word" and told.split()[0].strip("'").isalnum():
                labels[-1].append((float(told.split()[1]), float(told.split()[2])))
        return [
            Spoken(sentence, _read(Path(folder) / f"{number}.wav"), labels[number])
            for number, sentence in enumerate(SENTENCES)
        ]


def milliseconds_off(spoken: list[Spoken]) -> NDArray[np.float64]:
    """Return how far from its label the start of each word was found."""
    errors: list[float] = []
    for one in spoken:
        found, cut = find_words(one)
        assert len(found.times) == len(one.labels), one.sentence
        assert found.timing == "aligned", one.sentence
        errors += [
            abs((start + cut) / SAMPLE_RATE - label) * 1000
            for (start, _), (label, _) in zip(found.times, one.labels, strict=True)
        ]
    return np.array(errors)


def find_words(one: Spoken) -> tuple[Utterance, int]:
    """Return the sentence with its word times, and how many samples of silence were before it."""
    samples, cut = trimmed(one.samples)
    tokens = [Token(word, word) for word in one.sentence.split()]
    return timed(tokens, samples, (), lambda said: synthesize(said, "en-us")), cut


def _read(path: Path) -> NDArray[np.int16]:
    with wave.open(str(path)) as file:
        samples, rate = np.frombuffer(file.readframes(file.getnframes()), "<i2"), file.getframerate()
    return at_full_rate(Utterance(samples, rate, ((0, len(samples)),))).samples
