"""AAC: sound encoded at one quality, and sounds that were encoded apart, laid behind each other as packets.

A packet holds what is heard of 1024 samples and of those after them, and knows nothing of other packets (ISO/IEC
14496-3). Between packets of silence others can be put that were encoded elsewhere, and no sample differs.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from bhiv import ffmpeg, process
from bhiv.plan import SAMPLE_RATE, Samples
from bhiv.video.dynamics import Envelope, amplified
from bhiv.video.loudness import BLOCK, Sound, pieces

#: In samples.
PACKET = 1024
_STALL_SECONDS = 120
#: One quality all along, whose noise is masked at 99 of 100 moments, at half of what 256 kbit/s cost; the default coder
#: overshoots by up to 4.6 dB for moments, measured on 14 min of speech, and takes four times as long.
_ENCODER = ("-c:a", "aac", "-aac_coder", "fast", "-q:a", "2.5", "-aac_tns", "0", "-aac_pns", "0", "-aac_is", "0")
#: What is the same on both sides need not be tried otherwise.
_ONE_SIDED = ("-aac_ms", "1")
_BITEXACT = ("-flags:a", "+bitexact", "-fflags", "+bitexact")
#: Of the head of an ADTS packet, in bytes, and where it has the packet's length, in bits from its end.
_HEAD, _LENGTH_AT, _LENGTH_MASK = 7, 13, 0x1FFF


def encode(sound: Sound, gains: Envelope, target: Path, *, one_sided: bool = False) -> None:
    """Write a sound after its gains, stereo: into an MP4 (`.m4a`) or as packets with a head each, ADTS (`.aac`).

    With `one_sided` it has one channel, which is heard on both sides.

    Raises:
        ToolFailed, ToolTimedOut, DiskFull, Interrupted: there is no sound; what was written stays.
    """
    raw = ("-f", "f32le", "-ar", str(SAMPLE_RATE), "-ac", "2", "-i", "pipe:0")
    coding = (*_ENCODER, *_ONE_SIDED) if one_sided else _ENCODER
    command = ffmpeg.command(*raw, *coding, *_BITEXACT, str(target))
    with process.feed(command, stall_seconds=_STALL_SECONDS) as write:
        for start, end in pieces(sound.length):
            heard = amplified(sound.read(start, end), gains[start // BLOCK : end // BLOCK + 1])
            both = np.broadcast_to(heard, (2, end - start))[:, : sound.length - start]
            write(np.ascontiguousarray(both.T, "<f4").data.cast("B"))


def lay(parts: Iterable[tuple[int, Path]], length: Samples, folder: Path) -> Path:
    """Write an MP4 of `length` samples in which each part, ADTS, begins with a packet; return its path.

    Packet n is heard from sample 1024 (n - 1) on: encoders begin one early.

    Raises:
        ValueError: a part begins before the one before it has ended.
    """
    pause, written = _silence(folder), 0
    with (folder / "laid.aac").open("wb") as laid:
        for first, path in parts:
            if first < written:
                raise ValueError(f"a part can't begin with packet {first}: the one before it ends with {written - 1}")
            packets = path.read_bytes()
            laid.write(pause * (first - written))
            laid.write(packets)
            written = first + _count(packets)
        laid.write(pause * (-(-length // PACKET) + 1 - written))
    # As the encoder would have written it: it begins a packet early, and the last one ends with the sound.
    start = f"(N-1)*{PACKET}"
    times = (f"round({samples}/({SAMPLE_RATE}*TB))" for samples in (start, rf"min({PACKET}\,{length}-{start})"))
    setts = "setts=ts={}:duration={}".format(*times)
    copied = ("-c", "copy", "-bsf:a", setts, "-fflags", "+bitexact", "sound.m4a")
    process.run(ffmpeg.command("-f", "aac", "-i", "laid.aac", *copied), timeout_seconds=_STALL_SECONDS, cwd=folder)
    return folder / "sound.m4a"


def _silence(folder: Path) -> bytes:
    """Return a packet in which nothing is heard."""
    source = ("-f", "lavfi", "-i", f"anullsrc=r={SAMPLE_RATE}:cl=stereo", "-frames:a", "1")
    coded = (*_ENCODER, *_ONE_SIDED, *_BITEXACT, "silence.aac")
    process.run(ffmpeg.command(*source, *coded), timeout_seconds=_STALL_SECONDS, cwd=folder)
    packets = (folder / "silence.aac").read_bytes()
    return packets[: _length(packets, 0)]


def _count(packets: bytes) -> int:
    at = count = 0
    while at < len(packets):
        at, count = at + _length(packets, at), count + 1
    return count


def _length(packets: bytes, at: int) -> int:
    """Return the length in bytes of the packet that begins there, its head included (ISO/IEC 14496-3, 1.A.2.2.1)."""
    return int.from_bytes(packets[at : at + _HEAD]) >> _LENGTH_AT & _LENGTH_MASK
