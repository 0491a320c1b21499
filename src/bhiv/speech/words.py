"""Word and Spoken: what every speech engine's sound comes with."""

from pydantic import Field

from bhiv.plan import Contract, Samples


class Word(Contract):
    """One word as it is shown, and when it is heard."""

    text: str = Field(description="As written, with the punctuation that touches it.")
    start: Samples = Field(description="First sample, from the start of the narration.")
    end: Samples = Field(description="The sample after the last.")
    sentence: int = Field(description="Which sentence of the narration it belongs to, from 0.")


class Spoken(Contract):
    """A narration's sound: its exact length and its words in order."""

    samples: Samples = Field(description="Length of the sound file.")
    words: tuple[Word, ...] = Field(description="Empty for a narration of pauses only.")
    engine: str
    voice: str
