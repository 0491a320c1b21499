"""Music that a plan names: had from the user's disk, the web or the bucket, and listened to before it is believed."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bhiv import ffmpeg, process
from bhiv.bucket import Artifact, Bucket, check_bucket, open_bucket
from bhiv.cache import Step, recall
from bhiv.errors import MusicError, PictureError, PlanError, StorageError, StorageUnavailable, ToolFailed
from bhiv.photos.fetching import fetch, rules_of, shown
from bhiv.plan import SAMPLE_RATE, Contract, Music, Samples
from bhiv.settings import Settings
from bhiv.vendors import wait_for

#: The largest file of the user's own, in bytes.
MOST_BYTES = 64 << 20
#: In seconds: shorter music can't go round without being noticed; longer music is cut.
_SHORTEST, _LONGEST = 1, 30 * 60
#: Where a file's first bytes stand, those bytes, ffmpeg's name of the format, its ending and type. No other is read: it
#: may be a stranger's file.
_FORMATS = (
    (0, b"RIFF", "wav", "wav", "audio/wav"),
    (0, b"ID3", "mp3", "mp3", "audio/mpeg"),
    (0, b"OggS", "ogg", "ogg", "audio/ogg"),
    (0, b"fLaC", "flac", "flac", "audio/flac"),
    (4, b"ftyp", "mov", "m4a", "audio/mp4"),
)
_FETCH_ATTEMPTS = 3
_DECODE_SECONDS = 300
_BEGINNING = 16


class Tune(Contract):
    """Music that was listened to, as it came."""

    music: Artifact


STEP = Step("music", 1, "audio", Tune)


def keep_file(path: Path, settings: Settings, field: str) -> str:
    """Store a music file in the bucket and return its key, which is made of its bytes.

    Raises:
        PlanError: it is not there, or is no music that can be heard; nothing was stored.
        StorageError: the bucket can't be written, or is not where the settings say.
    """
    try:
        if not path.is_file():
            raise PlanError(f"there is no file {path}", field)
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise PlanError(f"{str(path)!r} can't be read: {error}", field) from None
    try:
        ending, media_type = _judged(data, str(path))
    except MusicError as error:
        raise PlanError(str(error), field) from None
    with suppress(StorageUnavailable):  # what is stored meanwhile waits in the spool
        check_bucket(settings)
    key = f"audio/own-{hashlib.sha256(data).hexdigest()[:40]}.{ending}"
    open_bucket(settings).put_bytes(key, data, media_type)
    return key


def find_music(bucket: Bucket, music: Music, allowed_hosts: Sequence[str]) -> Artifact:
    """Return the file of a plan's music; what is at an address is fetched once.

    Raises:
        MusicError: it can't be had, or is no music that can be heard.
    """
    if music.url is not None:
        what = f"the music at {shown(music.url)}"
        key = STEP.key(music.url)
        return recall(bucket, STEP, key, partial(_fetched, bucket, key, music.url, allowed_hosts, what)).result.music
    assert music.object is not None, "files are stored before"
    what = f"the music {music.object}"
    try:
        artifact = bucket.stat(music.object).artifact
    except StorageError as error:
        raise MusicError(f"{what} can't be had: {error}") from error
    return recall(bucket, STEP, STEP.key(artifact.sha256), partial(_looked_at, bucket, artifact, what)).result.music


def decode(source: Path, target: Path, length: Samples) -> Path:
    """Write as much of a music file as a programme of `length` needs, as 16-bit stereo WAV of 48 kHz.

    Raises:
        MusicError: it is no music that can be heard.
    """
    seconds = str(min(length // SAMPLE_RATE + 10, _LONGEST))
    wanted = ("-t", seconds, "-ac", "2", "-ar", str(SAMPLE_RATE), "-c:a", "pcm_s16le", "-fflags", "+bitexact")
    _run(source, "the music", *wanted, "-f", "wav", str(target))
    return target


def _fetched(bucket: Bucket, key: str, url: str, allowed_hosts: Sequence[str], what: str) -> Tune:
    try:
        data = wait_for(fetch(url, rules_of(allowed_hosts), what, attempts=_FETCH_ATTEMPTS))
    except PictureError as error:
        raise MusicError(str(error)) from error
    ending, media_type = _judged(data, what)
    return Tune(music=bucket.put_bytes(f"{key}.{ending}", data, media_type))


def _looked_at(bucket: Bucket, artifact: Artifact, what: str) -> Tune:
    if artifact.size > MOST_BYTES:
        raise MusicError(f"{what} has more than {MOST_BYTES:,} bytes; make it smaller")
    try:
        _judged(bucket.get_bytes(artifact.key), what)
    except StorageError as error:
        raise MusicError(f"{what} can't be had: {error}") from error
    return Tune(music=artifact)


def _judged(data: bytes, what: str) -> tuple[str, str]:
    """Return the ending and the media type of a music file; `what` begins the message of an error."""
    if len(data) > MOST_BYTES:
        raise MusicError(f"{what} has more than {MOST_BYTES:,} bytes; make it smaller")
    _, ending, media_type = _format(data, what)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"music.{ending}"
        path.write_bytes(data)
        frames = _run(path, what, "-t", str(_LONGEST), "-ar", str(SAMPLE_RATE), "-f", "framecrc", "-").splitlines()
    heard = sum(int(line.split(",")[3]) for line in frames if not line.startswith("#"))
    if Fraction(heard, SAMPLE_RATE) < _SHORTEST:
        raise MusicError(f"{what} is shorter than a second; give longer music, which goes round by itself")
    return ending, media_type


def _run(source: Path, what: str, *output: str) -> str:
    with source.open("rb") as file:
        known, *_ = _format(file.read(_BEGINNING), what)
    reading = ("-protocol_whitelist", "file", "-f", known, "-i", str(source.absolute()), "-map", "0:a:0")
    try:
        return process.run(ffmpeg.command(*reading, *output), timeout_seconds=_DECODE_SECONDS).stdout.decode()
    except ToolFailed as error:
        raise MusicError(f"{what} can't be heard: {error}") from error


def _format(data: bytes, what: str) -> tuple[str, str, str]:
    for at, first, known, ending, media_type in _FORMATS:
        if data[at : at + len(first)] == first:
            return known, ending, media_type
    # MPEG audio without a tag: eleven bits that mark a frame.
    if len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0:
        return "mp3", "mp3", "audio/mpeg"
    raise MusicError(f"{what} is no music that can be heard: give MP3, M4A, WAV, FLAC or Ogg")
