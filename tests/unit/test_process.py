import hashlib
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from bhiv import process
from bhiv.errors import DiskFull, Interrupted, ToolFailed, ToolTimedOut


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-c", code]


SLEEP = "import time; time.sleep(60)"
SLEEPER = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); {SLEEP}"


def test_output_is_returned() -> None:
    finished = process.run(python("import sys; print(sys.stdin.read() * 2)"), stdin=b"ab", timeout_seconds=20)

    assert finished.stdout == b"abab\n"


def test_output_is_handed_on_as_it_comes_and_not_kept() -> None:
    pieces: list[bytes] = []
    code = "import sys; [print(number, end=' ') for number in range(100_000)]; print('done', file=sys.stderr)"

    finished = process.run(python(code), timeout_seconds=20, take=pieces.append)

    assert b"".join(pieces).split() == [b"%d" % number for number in range(100_000)]
    assert max(map(len, pieces)) <= 65_536
    assert (finished.stdout, finished.stderr) == (b"", "done\n")


def test_a_child_is_ended_when_what_takes_its_output_fails() -> None:
    def refuse(_: bytes) -> None:
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        process.run(python(f"print(1, flush=True); {SLEEP}"), timeout_seconds=20, take=refuse)
    with pytest.raises(ToolTimedOut):
        process.run(python(SLEEPER), timeout_seconds=0.7, take=list[bytes]().append)
    with pytest.raises(ToolFailed, match="code 3"):
        process.run(python("import sys; print(1); sys.exit(3)"), timeout_seconds=20, take=list[bytes]().append)


def test_a_bad_end_says_the_last_words() -> None:
    with pytest.raises(ToolFailed, match="ended with code 3: no such voice") as failed:
        process.run(python("import sys; print('no such voice', file=sys.stderr); sys.exit(3)"), timeout_seconds=20)

    assert (failed.value.returncode, failed.value.retryable) == (3, True)


def test_a_stuck_child_is_ended_with_all_that_it_started() -> None:
    before = psutil.Process().children(recursive=True)  # servers that other tests share
    with pytest.raises(ToolTimedOut):
        process.run(python(SLEEPER), timeout_seconds=0.7)

    # the fixture that looks for what is left running fails this test if the grandchild lives
    assert not [child for child in psutil.Process().children(recursive=True) if child not in before]


def test_a_stuck_child_that_does_not_read_is_ended() -> None:
    with pytest.raises(ToolTimedOut), process.feed(python(SLEEP), stall_seconds=0.7) as write:
        while True:
            write(bytes(1 << 20))


def test_a_child_that_ends_early_is_reported_by_its_code() -> None:
    with (
        pytest.raises(ToolFailed, match="code 7"),
        process.feed(python("raise SystemExit(7)"), stall_seconds=20) as write,
    ):
        for _ in range(100):
            write(bytes(1 << 20))


def test_a_full_disk_is_named() -> None:
    code = "import sys; print('av_interleaved_write_frame(): No space left on device', file=sys.stderr); sys.exit(228)"

    with pytest.raises(DiskFull, match="free some space"):
        process.run(python(code), timeout_seconds=20)


def test_stop_ends_children_and_refuses_new_ones(tmp_path: Path) -> None:
    started = tmp_path / "started"
    code = f"import pathlib, time; pathlib.Path({str(started)!r}).touch(); time.sleep(60)"

    def stop() -> None:
        deadline = time.monotonic() + 20
        while not started.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        process.stop_all()

    stopper = threading.Thread(target=stop)
    stopper.start()
    try:
        with pytest.raises(Interrupted):
            process.run(python(code), timeout_seconds=30)
        with pytest.raises(Interrupted):
            process.run(python("pass"), timeout_seconds=30)
    finally:
        stopper.join()
        process.allow()
    assert process.run(python("print(1)"), timeout_seconds=30).stdout == b"1\n"


def test_an_error_while_feeding_ends_the_child() -> None:
    with pytest.raises(ZeroDivisionError), process.feed(python(SLEEP), stall_seconds=30):
        raise ZeroDivisionError


def test_a_slow_child_that_goes_on_reading_is_left_alone() -> None:
    code = "import sys, time\nwhile sys.stdin.buffer.read(1 << 19): time.sleep(0.3)"

    with process.feed(python(code), stall_seconds=1.5) as write:
        for _ in range(6):
            write(bytes(1 << 19))


def test_what_is_lent_arrives_as_it_was_written() -> None:
    """Two buffers by turns, larger and smaller than a pipe, each changed as soon as it may be."""
    code = (
        "import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest(), file=sys.stderr); sys.exit(3)"
    )
    for size in (3 << 20, (1 << 20) + 4321, 5_000):
        wanted = hashlib.sha256()
        buffers = [bytearray(size), bytearray(size)]
        with (
            pytest.raises(ToolFailed) as failed,
            process.feed(python(code), stall_seconds=20, lent=True) as write,
        ):
            for number in range(20):
                buffer = buffers[number % 2]
                buffer[:] = bytes([number * 7 % 256]) * size
                wanted.update(buffer)
                whole, cut = memoryview(buffer), number * size // 20
                write(whole[:cut], whole[cut : cut + 7], whole[cut + 7 :])
        assert wanted.hexdigest() in str(failed.value)
