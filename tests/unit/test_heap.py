import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

THREADS = """
import ctypes, sys, threading
from bhiv import heap
if {shared}: heap.share()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.fdopen.restype = ctypes.c_void_p
together = threading.Barrier(12)
def allocate():
    libc.malloc(20_000)
    together.wait(20)
    libc.malloc(20_000)
threads = [threading.Thread(target=allocate) for _ in range(12)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc.malloc_info(0, ctypes.c_void_p(libc.fdopen(1, b"w")))
libc.fflush(None)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's heaps")
@pytest.mark.parametrize("shared", [False, True])
def test_all_threads_of_a_process_share_two_heaps(shared: bool) -> None:
    code = [sys.executable, "-c", THREADS.format(shared=shared)]
    told = subprocess.run(code, capture_output=True, text=True, check=True, timeout=60).stdout

    heaps = len(ElementTree.fromstring(told).findall("heap"))

    assert heaps <= 2 if shared else heaps > 2
