"""Engine: what every speech engine outside of BHIV can do; one module each."""

from typing import Protocol

from bhiv.speech.recordings import Recording

#: The engine that is always there.
EMBEDDED = "espeak"


class Engine(Protocol):
    """A speech engine; each call says one sentence, or a part of a very long one.

    The embedded espeak is none: its words' times are exact, and those of all others are checked against it.
    """

    #: For messages, such as `elevenlabs`.
    name: str
    #: All but voice, language and text that decides how it sounds: part of the key of what is kept.
    identity: str

    def voice_for(self, name: str, language: str) -> str:
        """Return its voice for a BCP-47 code; `name` is the one that was asked for, empty for its own choice.

        Asks nobody.

        Raises:
            Inarticulate: its voice does not speak the language.
            VoiceError: it has no such voice.
        """
        ...

    def record(self, text: str, voice: str, language: str) -> Recording:
        """Say a text with one of its voices.

        Raises:
            SpeechError: it did not; what was answered may still be no sound, which the caller looks at.
        """
        ...


def base_of(language: str) -> str:
    """Return the language of a BCP-47 code, without its script and region."""
    return language.split("-")[0].lower()
