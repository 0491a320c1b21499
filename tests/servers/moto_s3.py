"""moto's S3 server: quick to start, and too kind: it takes wrong secrets, so errors are tested against Ceph."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.starting import S3Server, answers, free_port, running, wait_until


@contextmanager
def moto(folder: Path) -> Iterator[S3Server]:
    """Run a server that keeps everything in memory; its words go to `folder`."""
    port = free_port()
    argv = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with running(argv, folder / "moto.words"):
        wait_until(lambda: answers(port), "moto")
        yield S3Server("moto", f"http://127.0.0.1:{port}", "test-key", "test-secret", None)
