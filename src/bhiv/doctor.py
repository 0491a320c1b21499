"""What a machine needs to make videos, and whether it is there."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bhiv import process
from bhiv.errors import BhivError, CatalogUnavailable, InputRefused, StorageError, VoiceError
from bhiv.settings import Settings

_LEAST_FREE_BYTES = 2_000_000_000
_NEEDED_FILTERS = ("ebur128", "acompressor", "alimiter")
_NEEDED_ENCODERS = ("libx264", "aac", "mov_text")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `message` says what to do when it is not `ok`."""

    subject: str
    ok: bool
    message: str


def examine(settings: Settings) -> list[Finding]:
    """Look at everything that a render needs; nothing is changed."""
    return [
        _look("ffmpeg", _ffmpeg),
        _look("encoder", lambda: _encoder(settings)),
        _voices(settings),
        _look("font", _font),
        *_folders(settings),
        *_storage(settings),
        _pictures(settings),
        _catalog(settings),
        _look("Prefect server", lambda: _server(settings)),
    ]


def _look(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, ok=True, message=look())
    except (BhivError, ImportError, OSError) as error:
        return Finding(subject, ok=False, message=f"{error}; run `make setup` again")


def _ffmpeg() -> str:
    from bhiv import ffmpeg

    banner = process.run([ffmpeg.executable(), "-version"], timeout_seconds=30).stdout.decode().split()[2]
    for kind, needed in (("-filters", _NEEDED_FILTERS), ("-encoders", _NEEDED_ENCODERS)):
        listed = process.run(ffmpeg.command(kind), timeout_seconds=30).stdout.decode().split()
        if lacking := [name for name in needed if name not in listed]:
            raise BhivError(f"{ffmpeg.executable()} lacks {', '.join(lacking)}")
    return f"{banner} with libx264"


def _encoder(settings: Settings) -> str:
    from bhiv.video import encoder

    if settings.hardware_encoder == "off":
        return f"{encoder.X264}; graphics hardware is not looked for (BHIV_HARDWARE_ENCODER is off)"
    chosen = encoder.choose(settings, keep=False)
    return "; ".join([chosen.name, *(f"not {name}: {reason}" for name, reason in chosen.refused.items())])


def _voices(settings: Settings) -> Finding:
    from bhiv.speech import choose_voices

    spoken = []
    try:
        for language in ("en", "hi"):
            chain = " then ".join(f"{one.engine}:{one.name}" for one in choose_voices("auto", language, settings))
            spoken.append(f"{language} ({chain})")
    except VoiceError as error:
        return Finding("voices", ok=False, message=f"{error}; or take it out of BHIV_VOICES")
    return Finding("voices", ok=True, message=f"{', '.join(spoken)} and more; see `bhiv voices`")


def _font() -> str:
    from bhiv import fonts

    fonts.check_coverage("Aa अ Я Ω", "the sample")
    return "FiraGO writes Latin, Devanagari, Cyrillic, Greek, Arabic, Hebrew and Thai; installed fonts write the rest"


def _folders(settings: Settings) -> Iterator[Finding]:
    local = [("bucket", settings.bucket_dir)] if settings.storage_backend == "local" else []
    for subject, folder in [("home", settings.home), *local]:
        existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
        free = shutil.disk_usage(existing).free
        if not os.access(existing, os.W_OK):
            yield Finding(subject, ok=False, message=f"{existing} can't be written; set BHIV_HOME or BHIV_BUCKET_DIR")
        elif free < _LEAST_FREE_BYTES:
            yield Finding(subject, ok=False, message=f"{folder} has {free / 1e9:.1f} GB left; free some space")
        else:
            yield Finding(subject, ok=True, message=f"{folder}, {free / 1e9:.0f} GB free")


def _storage(settings: Settings) -> Iterator[Finding]:
    from bhiv.bucket import check_bucket
    from bhiv.bucket.replay import spooled

    if settings.storage_backend == "s3":
        try:
            yield Finding("bucket", ok=True, message=f"{check_bucket(settings)} can be written and read")
        except StorageError as error:
            yield Finding("bucket", ok=False, message=str(error))
    waiting = spooled(settings)
    if waiting.since:
        yield Finding("spool", ok=False, message=f"{waiting.told}: {waiting.error}")


def _pictures(settings: Settings) -> Finding:
    from bhiv.photos import Collection

    lacking = Collection.of(settings).lacking
    return Finding("pictures", ok=not lacking, message="; ".join(lacking) or f"from {', '.join(settings.pictures)}")


def _catalog(settings: Settings) -> Finding:
    from bhiv.catalog.checkup import check_catalog

    try:
        return Finding("catalog", ok=True, message=check_catalog(settings))
    except (CatalogUnavailable, InputRefused) as error:
        return Finding("catalog", ok=False, message=str(error))


def _server(settings: Settings) -> str:
    from bhiv.prefect_server import find_server

    server = find_server(settings)
    return f"runs at {server.ui_url}" if server else "not running; the next render starts it"
