"""Speech: from text to sound, with the time of every word."""

from bhiv.speech.narration import narrate
from bhiv.speech.voices import Voice, choose_voice
from bhiv.speech.words import Spoken, Word

__all__ = ["Spoken", "Voice", "Word", "choose_voice", "narrate"]
