"""One channel of AAC, heard on both sides without being encoded twice.

A pair of channels may be coded as their middle and half their difference (ISO/IEC 14496-3, 4.6.8.1). Where there is no
difference, that is the coded channel, bit for bit, and a few bits that say so.
"""

from functools import lru_cache
from pathlib import Path

#: Samples in a packet.
PACKET = 1024
#: In bytes, of an ADTS packet without a checksum.
_HEAD = 7
_CHANNELS_AT, _LENGTH_AT, _LENGTH_MASK = 30, 13, 0x1FFF
_SHORT = 2
_END = 0b111


def on_both_sides(source: Path, target: Path) -> None:
    """Rewrite ADTS of one channel, as ffmpeg's own encoder makes it, for two that are alike; packet by packet.

    Raises:
        ValueError: it is none.
    """
    with source.open("rb") as single, target.open("wb") as double:
        while head := single.read(_HEAD):
            start = int.from_bytes(head)
            body = _paired(single.read((start >> _LENGTH_AT & _LENGTH_MASK) - _HEAD))
            start &= ~(7 << _CHANNELS_AT | _LENGTH_MASK << _LENGTH_AT)
            start |= 2 << _CHANNELS_AT | (_HEAD + len(body)) << _LENGTH_AT
            double.write(start.to_bytes(_HEAD))
            double.write(body)


def _paired(packet: bytes) -> bytes:
    """Return a pair of channels whose middle is the packet's only one, and whose difference is nothing."""
    bits, length = int.from_bytes(packet), len(packet) * 8
    spare = (bits & -bits).bit_length() - 1
    # A single channel (0), numbered 0, and nothing behind it but the end and what fills the last byte.
    if length < 32 or bits >> (length - 7) or spare > 7 or bits >> spare & _END != _END:
        raise ValueError("no packet with one channel alone")
    length -= spare + 3
    bits >>= spare + 3
    gain = bits >> (length - 15) & 0xFF
    # What is told about the windows (ics_info): eight short ones may be grouped.
    of_info = 15 if bits >> (length - 18) & 3 == _SHORT else 11
    rest = length - 15 - of_info
    info = bits >> rest & ((1 << of_info) - 1)
    nothing, of_nothing = _nothing(info, of_info)
    # A pair (1), numbered 0, with one window for both; all bands as middle and difference (2).
    paired = 0b001_0000_1 << of_info | info
    paired = (paired << 2 | 0b10) << 8 | gain
    paired = (paired << rest | bits & ((1 << rest) - 1)) << of_nothing | nothing
    paired = paired << 3 | _END
    length = 8 + of_info + 2 + 8 + rest + of_nothing + 3
    return (paired << -length % 8).to_bytes(-(-length // 8))


@lru_cache(maxsize=256)
def _nothing(info: int, length: int) -> tuple[int, int]:
    """Return a channel without sound under these windows (individual_channel_stream), and its length in bits."""
    if length == 11:
        bands, groups, size = info >> 1 & 0x3F, 1, 5
    else:
        bands, groups, size = info >> 7 & 0xF, 8 - (info & 0x7F).bit_count(), 3
    most = (1 << size) - 1
    whole, left = divmod(bands, most)
    # One section a group: the codebook without sound (0, in four bits), and how many bands it has.
    section = 0
    for part in [*[most] * whole, left]:
        section = section << size | part
    of_section = 4 + size * (whole + 1)
    bits, length = 0, 8
    for _ in range(groups if bands else 0):
        bits, length = bits << of_section | section, length + of_section
    return bits << 3, length + 3
