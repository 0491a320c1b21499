"""Runs the main job in this process, against the Prefect server that the home keeps."""

from collections.abc import Callable
from importlib import import_module

from bhiv.errors import RunFailed
from bhiv.prefect_environment import client_environment
from bhiv.prefect_server import start_server
from bhiv.progress import Event, watching
from bhiv.record import Summary
from bhiv.request import RenderRequest
from bhiv.settings import Settings, adopt_prefect_environment


def render(
    request: RenderRequest, settings: Settings, watcher: Callable[[Event], None], *, verbose: bool = False
) -> Summary:
    """Run `script_to_video` to its end and return what it did; `watcher` is told of every step.

    Raises:
        RunFailed: the run failed; its metadata says why.
    """
    starting = start_server(settings)
    server = starting.wait()
    with server.in_use(), watching(watcher):
        adopt_prefect_environment(
            client_environment(settings.home, server.api_url, kept=settings.prefect_api_url is None, verbose=verbose)
        )
        summary = _load_flow()(request)
    assert isinstance(summary, Summary)
    return summary


def _load_flow() -> Callable[[RenderRequest], object]:
    """Load the flow by its dotted name, as Prefect's workers do: the library does not know the flows."""
    try:
        flow: Callable[[RenderRequest], object] = import_module("flows.script_to_video").script_to_video
    except ModuleNotFoundError as error:
        if error.name not in {"flows", "flows.script_to_video"}:
            raise
        raise RunFailed("the flows are not on Python's path: install BHIV from a checkout with `make setup`") from None
    return flow
