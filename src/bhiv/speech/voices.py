"""Voices: which there are, and which one reads a language."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import espeakng_loader
from pydantic import Field

from bhiv.errors import Inarticulate, VoiceError
from bhiv.plan import Contract
from bhiv.settings import Settings
from bhiv.speech.engine import EMBEDDED
from bhiv.speech.engines import open_engine

#: Where espeak's own order of preference is not ours: its `en` is British.
_PREFERRED = {"en": "en-us"}
_ORDINARY = 5


class Voice(Contract):
    """A voice that was chosen."""

    engine: str
    name: str = Field(description="The engine's own name for it.")


@dataclass(frozen=True)
class EspeakVoice:
    """A voice as espeak's data describes it."""

    #: What comes behind `espeak:`.
    name: str
    #: For people, such as `English (America)`.
    title: str
    #: BCP-47 codes in lower case, each with its rank: the voice with the lowest speaks for the language.
    languages: tuple[tuple[str, int], ...]


def choose_voices(voice: str, language: str, settings: Settings) -> tuple[Voice, ...]:
    """Return who speaks `language`, a BCP-47 code, in order: each says what the ones before it could not.

    For a plan's `voice` of `auto` that is the chain of the settings, without those that don't speak the language; for
    `ENGINE` or `ENGINE:NAME` that voice. The embedded espeak comes last where it speaks the language.

    Raises:
        VoiceError: no such engine or voice, it lacks something, or nobody speaks the language; the message says what
            there is.
    """
    if voice == "auto":
        wished = [found for one in settings.voices if (found := _unless_inarticulate(one, language, settings))]
    else:
        wished = [_voice(voice, language, settings)]
    last = espeak_voice(language)
    if last and not any(one.engine == EMBEDDED for one in wished):
        wished.append(last)
    return tuple(dict.fromkeys(wished)) or (Voice(engine=EMBEDDED, name=_best(language)),)


def espeak_voice(language: str) -> Voice | None:
    """Return the embedded voice for a language, None when there is none."""
    try:
        return Voice(engine=EMBEDDED, name=_best(language))
    except VoiceError:
        return None


def _unless_inarticulate(voice: str, language: str, settings: Settings) -> Voice | None:
    try:
        return _voice(voice, language, settings)
    except Inarticulate:
        return None


def _voice(voice: str, language: str, settings: Settings) -> Voice:
    engine, _, name = voice.partition(":")
    if engine == EMBEDDED:
        return Voice(engine=engine, name=_named(name, language) if name else _best(language))
    # A plan that names the engine alone has the voice that the operator has chosen for it.
    chosen = next((one.partition(":")[2] for one in settings.voices if one.partition(":")[0] == engine), "")
    return Voice(engine=engine, name=open_engine(engine, settings).voice_for(name or chosen, language))


@cache
def espeak_voices() -> tuple[EspeakVoice, ...]:
    """Return every voice of the embedded espeak, by name; those whose dictionary was not shipped are left out."""
    data = Path(espeakng_loader.get_data_path())
    return tuple(sorted(_described(data), key=lambda voice: voice.name))


def _described(data: Path) -> Iterator[EspeakVoice]:
    for path in (data / "lang").rglob("*"):
        if not path.is_file():
            continue
        lines = [line.split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
        languages = [(line[1].lower(), _rank(line)) for line in lines if line[:1] == ["language"]]
        titles = [" ".join(line[1:]) for line in lines if line[:1] == ["name"]]
        dictionaries = [line[1] for line in lines if line[:1] == ["dictionary"]] or [path.name.split("-")[0]]
        if languages and (data / f"{dictionaries[0]}_dict").exists():
            yield EspeakVoice(path.name.lower(), titles[0] if titles else path.name, tuple(languages))


def _rank(line: list[str]) -> int:
    return int(line[2]) if len(line) > 2 else _ORDINARY


def _best(language: str) -> str:
    """Return the voice that ranks first for the language, or for the nearest one that leaves out its last parts."""
    parts = language.lower().split("-")
    for length in range(len(parts), 0, -1):
        code = "-".join(parts[:length])
        name = _PREFERRED.get(code) or _first_for(code)
        if name is not None:
            return name
    raise Inarticulate(f"no voice speaks {language!r}; give a BCP-47 code such as en, hi or fr")


def _first_for(code: str) -> str | None:
    ranked = [(rank, voice.name) for voice in espeak_voices() for spoken, rank in voice.languages if spoken == code]
    return min(ranked)[1] if ranked else None


def _named(name: str, language: str) -> str:
    """Return the voice that a person calls by its name or its code, such as `en-gb`, perhaps with `+` and a variant."""
    base, _, variant = name.lower().partition("+")
    voices = {voice.name: voice for voice in espeak_voices()}
    voice = voices.get(base) or voices.get(_first_for(base) or "")
    fitting = [other.name for other in voices.values() if _speaks(other, language)]
    there = f"for {language!r} there are {', '.join(fitting[:8])}" if fitting else f"no voice speaks {language!r}"
    if voice is None:
        raise VoiceError(f"espeak has no voice {name!r}; {there}")
    if not _speaks(voice, language):
        raise Inarticulate(f"the voice {name!r} speaks {voice.title}, not {language!r}; {there}")
    return f"{voice.name}+{_variant(variant)}" if variant else voice.name


def _variant(name: str) -> str:
    """Return a variant as its file is called; espeak would fall back to none without a word."""
    folder = Path(espeakng_loader.get_data_path()) / "voices" / "!v"
    variants = {path.name.lower(): path.name for path in folder.iterdir() if " " not in path.name}
    if name not in variants:
        raise VoiceError(f"espeak has no variant {name!r}; some of them are {', '.join(sorted(variants)[:12])}")
    return variants[name]


def _speaks(voice: EspeakVoice, language: str) -> bool:
    return language.split("-")[0].lower() in {code.split("-")[0] for code, _ in voice.languages}
