"""What can speak a language now, and why the rest can't."""

from dataclasses import dataclass

from bhiv.errors import VoiceError
from bhiv.settings import Settings
from bhiv.speech.engine import EMBEDDED
from bhiv.speech.engines import names
from bhiv.speech.voices import choose_voices, espeak_voices


@dataclass(frozen=True)
class Offer:
    """One engine."""

    engine: str
    #: Its voices for the language, as `ENGINE:NAME` takes them, the one that it takes by itself first.
    voices: tuple[str, ...] = ()
    #: Why it can't speak; empty when it can. Whether a service answers is not asked.
    lacks: str = ""


def offers(language: str, settings: Settings) -> list[Offer]:
    """Return what every engine has for a language, a BCP-47 code."""
    return [_offer(engine, language, settings) for engine in names()]


def _offer(engine: str, language: str, settings: Settings) -> Offer:
    try:
        first = choose_voices(engine, language, settings)[0].name
    except VoiceError as error:
        return Offer(engine, lacks=str(error))
    return Offer(engine, tuple(dict.fromkeys([first, *_others(engine, language)])))


def _others(engine: str, language: str) -> list[str]:
    spoken = language.split("-")[0].lower()
    if engine != EMBEDDED:
        return []
    return [voice.name for voice in espeak_voices() if spoken in {code.split("-")[0] for code, _ in voice.languages}]
