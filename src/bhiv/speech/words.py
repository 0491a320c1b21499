"""Word and Spoken: what every speech engine's sound comes with."""

from typing import Literal

from pydantic import Field

from bhiv.plan import Contract, Samples

#: How a sentence's word times are known: from the embedded voice; from the engine that spoke; by alignment with the
#: embedded voice; by that voice's times, scaled; by the words' letters.
Timing = Literal["exact", "engine", "aligned", "scaled", "letters"]


class Word(Contract):
    """One word as it is shown, and when it is heard."""

    text: str = Field(description="As written, with the punctuation that touches it.")
    start: Samples = Field(description="First sample, from the start of the narration.")
    end: Samples = Field(description="The sample after the last.")
    sentence: int = Field(description="Which sentence of the narration it belongs to, from 0.")


class SpokenBy(Contract):
    """Who spoke a sentence, and how the times of its words are known."""

    engine: str
    voice: str
    timing: Timing


class Spoken(Contract):
    """A narration's sound: its exact length and its words in order."""

    samples: Samples = Field(description="Length of the sound file.")
    words: tuple[Word, ...] = Field(description="Empty for a narration of pauses only.")
    by: tuple[SpokenBy, ...] = Field(description="One for each sentence; for a very long one, one for each part.")
