"""Engines: which there are, and what each needs from the settings."""

from collections.abc import Callable

from bhiv.errors import VoiceError
from bhiv.settings import Settings
from bhiv.speech.engine import EMBEDDED, Engine


def open_engine(name: str, settings: Settings) -> Engine:
    """Return an engine other than the embedded one; asks nobody.

    Raises:
        VoiceError: there is none of that name, or it lacks something; the message says what.
    """
    if name not in _OPENERS:
        there = ", ".join(["auto", *names()])
        raise VoiceError(f"there is no speech engine {name!r}; use {there}, or ENGINE:NAME")
    return _OPENERS[name](settings)


def names() -> list[str]:
    """Return the names of all engines, the embedded one first."""
    return [EMBEDDED, *_OPENERS]


# Each imports its engine when it is wanted: most installations have none but the embedded one.


def _elevenlabs(settings: Settings) -> Engine:
    from bhiv.speech.elevenlabs import ElevenLabs

    if settings.elevenlabs_api_key is None:
        raise VoiceError("elevenlabs has no key: set BHIV_ELEVENLABS_API_KEY")
    return ElevenLabs(settings.elevenlabs_base_url, settings.elevenlabs_api_key, settings.elevenlabs_model)


def _openai(settings: Settings) -> Engine:
    from bhiv.speech.openai_speech import OpenAISpeech

    if settings.tts_base_url is None:
        raise VoiceError("openai has no address: set BHIV_TTS_BASE_URL")
    return OpenAISpeech(settings.tts_base_url, settings.tts_api_key, settings.tts_model)


def _gtts(settings: Settings) -> Engine:
    from bhiv.speech.gtts import GoogleTranslate

    return GoogleTranslate(settings.gtts_base_url)


def _edge(_settings: Settings) -> Engine:
    from bhiv.speech.edge import Edge

    return Edge()


def _piper(settings: Settings) -> Engine:
    from bhiv.speech.piper import Piper

    if settings.piper_model is None:
        raise VoiceError("piper has no voice: set BHIV_PIPER_MODEL to a file .onnx")
    return Piper(settings.piper_model)


_OPENERS: dict[str, Callable[[Settings], Engine]] = {
    "elevenlabs": _elevenlabs,
    "openai": _openai,
    "edge": _edge,
    "gtts": _gtts,
    "piper": _piper,
}
