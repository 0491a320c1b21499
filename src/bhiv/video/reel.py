"""The reel: a clip's frames by number, upright, in BT.709's RGB, at the programme's rate and size.

MoviePy has a reader too. It counts frames by a rounded mean rate, which drifts in clips of a variable one, leaves the
colour matrix to a default, knows no HDR, and its ffmpeg outlives who is killed; so this one stands in its place.
"""

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bhiv import ffmpeg, process
from bhiv.errors import RunFailed
from bhiv.video.probe import GUARDED, Probed

Picture = NDArray[np.uint8]

#: ITU-R BT.2408: diffuse white of HDR, in cd/m², becomes the white that tone mapping starts from.
_WHITE = 203
#: Highlights above 1,000 cd/m² are cut off.
_PEAK = 1000 / _WHITE
#: A reader is started anew rather than read on for more frames than this.
_FAR = 120
#: What a clip that runs backwards may keep of its frames, in bytes.
_KEPT_BYTES = 96 << 20
_MOST_KEPT = 64
#: More frames than this may not be missing at the end of what the packets promised.
_MISSING = 3


class Cut(NamedTuple):
    """How a clip's picture is scaled, and which part of that is taken."""

    scaled: tuple[int, int]
    size: tuple[int, int]
    corner: tuple[int, int] = (0, 0)


class Reel:
    """A stretch of a clip as `count` frames, `rate` of them to a second of the clip; read in any order, best forward.

    To be entered; on leaving, its ffmpeg is ended.
    """

    def __init__(
        self, path: Path, probed: Probed, start: Fraction, rate: Fraction, count: int, cut: Cut, stall_seconds: float
    ) -> None:
        self._path, self._probed, self._start, self._rate, self._cut = path, probed, start, rate, cut
        self._stall_seconds = stall_seconds
        self.count = count
        width, height = cut.size
        self._picture: Picture = np.empty((height, width, 3), np.uint8)
        self._kept_most = min(_MOST_KEPT, max(2, _KEPT_BYTES // self._picture.nbytes))
        self._kept: dict[int, Picture] = {}
        self._all: dict[int, Picture] = {}
        self._at, self._ended_at = -1, count
        self._reading = ExitStack()

    def __enter__(self) -> "Reel":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reading.close()

    def frame(self, number: int) -> Picture:
        """Return a frame, its number brought within the reel; valid until the next is asked for.

        Raises:
            RunFailed: the clip ends before the reel does.
            ToolFailed, ToolTimedOut, Interrupted: it can't be read.
        """
        number = min(max(number, 0), self.count - 1, self._ended_at - 1)
        for kept in (self._kept, self._all):
            if number in kept:
                return kept[number]
        if number < self._at:
            return self._backwards(number)
        if self._at < 0 or number - self._at > _FAR:
            self._open(number)
        self._kept.clear()
        while self._at < number and self._read():
            pass
        if self.count <= self._kept_most:  # a short loop
            self._all[number] = self._picture.copy()
        return self._picture

    def _backwards(self, number: int) -> Picture:
        """Read a stretch that ends with `number` and keep it: who goes back once will again."""
        first = max(0, number - self._kept_most + 1)
        self._kept.clear()
        self._open(first)
        for place in range(first, number + 1):
            self._read()
            self._kept[place] = self._picture.copy()
        return self._kept[number]

    def _open(self, number: int) -> None:
        self._reading.close()
        start = float(self._start + number / self._rate)
        # From the key frame before, so that the frame that is still shown at that moment is there.
        sought = ("-noaccurate_seek", "-ss", f"{start:.6f}") if self._probed.indexed else ()
        filters = self._filters(0 if sought else start)
        command = ffmpeg.command(
            *("-threads", "2", *sought, *GUARDED, "-i", str(self._path)),
            *("-map", "0:V:0", "-vf", filters, "-filter_threads", "1"),
            *("-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"),
        )
        self._fill = self._reading.enter_context(process.read(command, stall_seconds=self._stall_seconds))
        self._at = number - 1

    def _read(self) -> bool:
        """Read the next frame; where there is none, the last stays."""
        if self._fill(self._picture.data.cast("B")):
            self._at += 1
            return True
        missing = self.count - 1 - self._at
        if missing > _MISSING:
            at = float(self._start + (self._at + 1) / self._rate)
            raise RunFailed(f"the clip {self._path.name} ends or breaks at {at:.2f} s; copy it again, or end it before")
        self._ended_at = max(1, self._at + 1)
        return False

    def _filters(self, skipped_seconds: float) -> str:
        scaled, size, corner = self._cut
        # A frame half-way between two places would fall on either, as the seek rounds; so none lies there.
        timed = f"settb=1/1000000,setpts=PTS+{100 - round(skipped_seconds * 1_000_000)},fps={self._rate}:start_time=0"
        deinterlaced = ["bwdif=mode=send_frame"] if self._probed.interlaced else []
        sides = f"{scaled[0]}:{scaled[1]}"
        cut = [] if scaled == size else [f"crop={size[0]}:{size[1]}:{corner[0]}:{corner[1]}:exact=1"]
        return ",".join([*deinterlaced, timed, *_coloured(self._probed, sides), *cut])


def _coloured(probed: Probed, sides: str) -> list[str]:
    """Return the filters that scale a picture and make it RGB, as it is meant to be seen on a BT.709 screen."""
    if probed.pixel_format.startswith(("rgb", "bgr", "gbr", "0rgb", "0bgr")):
        return [f"scale={sides}:flags=bicubic", "format=rgb24"]
    # ffmpeg's own scaler is off by up to four levels, or takes twice the time.
    source = f"min={probed.matrix}:rin={'full' if probed.full_range else 'limited'}"
    sized = "zscale=w={}:h={}:filter=bicubic".format(*sides.split(":"))
    # zscale takes no half pixel of chroma.
    whole = [f"format=yuv444p{'10le' if '1' in probed.pixel_format else ''}"] if probed.odd else []
    if not probed.is_hdr and probed.primaries != "bt2020":
        return [*whole, f"{sized}:{source}:m=gbr:r=full", "format=gbrp", "format=rgb24"]
    transfer = probed.transfer if probed.is_hdr else "bt709"
    lit = f"{source}:pin=bt2020:tin={transfer}:m=gbr:p=bt709:t=linear:r=full:npl={_WHITE if probed.is_hdr else 100}"
    mapped = [f"tonemap=mobius:param=0.3:desat=0:peak={_PEAK:.4f}"] if probed.is_hdr else []
    shown = "zscale=min=gbr:tin=linear:pin=bt709:rin=full:m=gbr:t=bt709:r=full:npl=100"
    return [*whole, sized, f"zscale={lit}", "format=gbrpf32le", *mapped, shown, "format=gbrp", "format=rgb24"]
