"""AAC: sound encoded at one quality, and sounds that were encoded apart, laid behind each other as packets.

A packet holds what is heard of 1024 samples and of those after them, and knows nothing of other packets (ISO/IEC
14496-3). Between packets of silence others can be put that were encoded elsewhere, and no sample differs.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from bhiv import ffmpeg, process
from bhiv.plan import SAMPLE_RATE, Samples
from bhiv.video.dynamics import Envelope, amplified
from bhiv.video.loudness import BLOCK, Sound, Wave, pieces

#: In samples.
PACKET = 1024
_STALL_SECONDS, _TIMEOUT_SECONDS = 120, 1200
#: One quality all along, whose noise is masked at 99 of 100 moments, at half of what 256 kbit/s cost; the default coder
#: overshoots by up to 4.6 dB for moments, measured on 14 min of speech, and takes four times as long.
_ENCODER = ("-c:a", "aac", "-aac_coder", "fast", "-q:a", "2.5", "-aac_tns", "0", "-aac_pns", "0", "-aac_is", "0")
#: What is the same on both sides need not be tried otherwise.
_ONE_SIDED = ("-aac_ms", "1")
_BITEXACT = ("-flags:a", "+bitexact", "-fflags", "+bitexact")
_SAMPLES = ("-f", "f32le", "-ar", str(SAMPLE_RATE))
#: Two channels in which nothing is heard: no band of any has a figure (ISO/IEC 14496-3, 4.4.2.1), behind an ADTS head.
_PAUSE = bytes.fromhex("fff14c8001bffc 211004608c1c")
#: Of the head of an ADTS packet, in bytes, and where it has the packet's length, in bits from its end.
_HEAD, _LENGTH_AT, _LENGTH_MASK = 7, 13, 0x1FFF


def encode(sound: Sound, gains: Envelope, target: Path) -> None:
    """Write a sound after its gains, stereo, into an MP4 (`.m4a`).

    Raises:
        ToolFailed, ToolTimedOut, DiskFull, Interrupted: there is no sound; what was written stays.
    """
    command = ffmpeg.command(*_SAMPLES, "-ac", "2", "-i", "pipe:0", *_ENCODER, *_BITEXACT, str(target))
    with process.feed(command, stall_seconds=_STALL_SECONDS) as write:
        for piece in _amplified(sound, gains):
            write(np.ascontiguousarray(piece.T).data.cast("B"))


def encode_each(sounds: Sequence[tuple[Sound, Envelope]], folder: Path) -> list[Path]:
    """Write sounds of one channel, heard on both sides, each after its gains, as packets with a head each (ADTS).

    One process encodes all. Return their files in `folder`, in the sounds' order; those of a call before
    are replaced.

    Raises:
        ToolFailed, ToolTimedOut, DiskFull, Interrupted: there is no sound; what was written stays.
    """
    if not sounds:
        return []
    numbers = range(len(sounds))
    for number in numbers:
        with (folder / f"{number}.raw").open("wb") as raw:
            raw.writelines(piece.data for piece in _amplified(*sounds[number]))
    inputs = [(*_SAMPLES, "-ac", "1", "-i", f"{number}.raw") for number in numbers]
    coded = (*_ENCODER, *_ONE_SIDED, "-af", "pan=stereo|c0=c0|c1=c0", *_BITEXACT)
    outputs = [("-map", str(number), *coded, f"{number}.aac") for number in numbers]
    command = ffmpeg.command(*chain.from_iterable((*inputs, *outputs)))
    process.run(command, timeout_seconds=_TIMEOUT_SECONDS, cwd=folder)
    return [folder / f"{number}.aac" for number in numbers]


def _amplified(sound: Sound, gains: Envelope) -> Iterator[Wave]:
    """Yield a sound after its gains piece by piece, exactly as long as it is: channels x samples, little-endian."""
    for start, end in pieces(sound.length):
        heard = amplified(sound.read(start, end), gains[start // BLOCK : end // BLOCK + 1])
        yield np.ascontiguousarray(heard[:, : sound.length - start], "<f4")


def lay(parts: Iterable[tuple[int, Path]], length: Samples, folder: Path) -> Path:
    """Write an MP4 of `length` samples in which each part, ADTS, begins with a packet; return its path.

    Packet n is heard from sample 1024 (n - 1) on: encoders begin one early.

    Raises:
        ValueError: a part begins before the one before it has ended.
    """
    written = 0
    with (folder / "laid.aac").open("wb") as laid:
        for first, path in parts:
            if first < written:
                raise ValueError(f"a part can't begin with packet {first}: the one before it ends with {written - 1}")
            packets = path.read_bytes()
            laid.write(_PAUSE * (first - written))
            laid.write(packets)
            written = first + _count(packets)
        laid.write(_PAUSE * (-(-length // PACKET) + 1 - written))
    # As the encoder would have written it: it begins a packet early, and the last one ends with the sound.
    start = f"(N-1)*{PACKET}"
    times = (f"round({samples}/({SAMPLE_RATE}*TB))" for samples in (start, rf"min({PACKET}\,{length}-{start})"))
    setts = "setts=ts={}:duration={}".format(*times)
    copied = ("-c", "copy", "-bsf:a", setts, "-fflags", "+bitexact", "sound.m4a")
    process.run(ffmpeg.command("-f", "aac", "-i", "laid.aac", *copied), timeout_seconds=_STALL_SECONDS, cwd=folder)
    return folder / "sound.m4a"


def _count(packets: bytes) -> int:
    at = count = 0
    while at < len(packets):
        at, count = at + _length(packets, at), count + 1
    return count


def _length(packets: bytes, at: int) -> int:
    """Return the length in bytes of the packet that begins there, its head included (ISO/IEC 14496-3, 1.A.2.2.1)."""
    return int.from_bytes(packets[at : at + _HEAD]) >> _LENGTH_AT & _LENGTH_MASK
