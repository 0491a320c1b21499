"""Speech: from text to sound, with the time of every word."""

from bhiv.speech.narration import narrate, read_narration
from bhiv.speech.voices import Voice, choose_voices
from bhiv.speech.words import Spoken, Word

__all__ = ["Spoken", "Voice", "Word", "choose_voices", "narrate", "read_narration"]
