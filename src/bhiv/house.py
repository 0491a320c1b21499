"""What the command does through Prefect: it finds the server, then loads application code by its dotted name.

The library does not know flows, blocks and deployments; it loads them as Prefect's workers do.
"""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

from bhiv.errors import RunFailed
from bhiv.prefect_environment import adopt, client_environment
from bhiv.prefect_server import Server, start_server
from bhiv.settings import Settings

_FOLDERS = {"flows", "tasks", "blocks", "deployments"}


@contextmanager
def connected(settings: Settings, *, verbose: bool = False, also: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Start or find the home's server, keep it in use for the block, and lead this process's Prefect to it.

    This process's `PREFECT_*` are replaced; `also` holds more variables to set.

    Raises:
        ServerUnavailable: there is none and none can be started.
    """
    server = start_server(settings).wait()
    with server.in_use():
        kept = settings.prefect_api_url is None
        variables = client_environment(settings.home, server.api_url, kept=kept, verbose=verbose)
        adopt({**(also or {}), **variables})
        yield server


def load(name: str) -> ModuleType:
    """Import a module of the application code, such as `flows.script_to_video`; inside `connected` only.

    What is imported by then never goes, and no collection looks at it any more, that of the process's end included.

    Raises:
        RunFailed: BHIV is installed without its checkout.
    """
    gc.disable()  # an eighth of the import is collections that find nothing
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in _FOLDERS:
            raise
        raise RunFailed(f"{name} is not on Python's path: install BHIV from a checkout with `make setup`") from None
    finally:
        gc.freeze()
        gc.enable()
