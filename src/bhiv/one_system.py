"""One running system to a home: whoever brings it up holds the home's place."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from bhiv.prefect_server import stop_server
from bhiv.server_folder import ServerFolder
from bhiv.settings import Settings


@contextmanager
def alone(settings: Settings) -> Iterator[bool]:
    """Hold the home's place for the block; yields False when another process holds it."""
    settings.home.mkdir(parents=True, exist_ok=True)
    with (settings.home / "up.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = True
        except BlockingIOError:
            free = False
        yield free


def stop_if_unused(settings: Settings) -> None:
    """End the home's server unless a command still works with it, or it is not the home's own."""
    if settings.prefect_api_url is None and not ServerFolder(settings.home).is_used():
        stop_server(settings)
