"""Runs the main job in this process, against the Prefect server that the home keeps."""

from collections.abc import Callable

from bhiv import heap, house
from bhiv.prefect_environment import unwatched
from bhiv.progress import Event, watching
from bhiv.record import Summary
from bhiv.request import RenderRequest
from bhiv.settings import Settings


def render(
    request: RenderRequest, settings: Settings, watcher: Callable[[Event], None], *, verbose: bool = False
) -> Summary:
    """Run `script_to_video` to its end and return what it did; `watcher` is told of every step.

    Raises:
        RunFailed: the run failed; its metadata says why.
    """
    heap.share()
    with house.connected(settings, verbose=verbose), watching(watcher):
        flow = house.load("flows.script_to_video").script_to_video
        with unwatched():
            summary = flow(request)
    assert isinstance(summary, Summary)
    return summary
