"""The memory that threads allocate from."""

import ctypes
import sys
from contextlib import suppress

#: Parameters of mallopt(3).
_ARENA_MAX, _TRIM_THRESHOLD, _MMAP_THRESHOLD = -8, -1, -3
_ARENAS = 2
#: In bytes: what a heap may keep unused at its end; blocks up to 32 MiB, the most that may be, come out of a heap.
_KEPT, _LARGEST = 1 << 30, 1 << 25


def share() -> None:
    """Have all threads of this process, which must have one only, allocate from two heaps; with glibc only.

    It gives eight to each core. What a task let go of then lies in the heap of the thread that ran it, out of reach of
    the others, and a run's memory grows with the number of its tasks: by 50 MB from 20 scenes to 200.

    A heap keeps what was let go: pictures are made of arrays of up to 32 MB, and what comes new from the system has to
    be filled with zeros, which took half a second of CPU of a minute's video.
    """
    if sys.platform == "linux":
        with suppress(AttributeError):  # another C library has neither the function nor the heaps
            libc = ctypes.CDLL(None)
            libc.mallopt(_ARENA_MAX, _ARENAS)
            libc.mallopt(_TRIM_THRESHOLD, _KEPT)
            libc.mallopt(_MMAP_THRESHOLD, _LARGEST)
