"""Starts a warm worker: `python -m deployments.warm_worker --pool bhiv --limit 2`."""

import argparse
import asyncio
import signal

from bhiv import process
from bhiv.house import connected
from bhiv.prefect_environment import json_lines
from bhiv.settings import Settings, load_settings, settings_environment

POOL = "bhiv"

#: Prefect's own 10 s would be most of the time from a request to its first line.
QUERY_SECONDS = 0.5


def run_worker(settings: Settings, *, pool: str = POOL, limit: int | None = None, name: str | None = None) -> None:
    """Serve a work pool in this process until SIGTERM or SIGINT; then end its runs, which are marked Crashed.

    Starts the home's Prefect server unless one is set, and creates the pool unless it is there. `limit` is how many
    runs there may be at once; None takes as many as the settings allow encoders. Puts its own values in place of all
    `PREFECT_*` of this process, so prefect must not have been imported.

    Raises:
        ServerUnavailable: the server can't be started, or the one that is set does not answer.
    """
    # Runs work in the checkout, where relative settings and `.env` would mean others than here.
    ours = {"PREFECT_WORKER_QUERY_SECONDS": str(QUERY_SECONDS)} | settings_environment(settings)
    if settings.log_format == "json":
        ours |= json_lines()
    with connected(settings, verbose=True, also=ours):
        asyncio.run(_serve(pool, limit or settings.encoders, name))


async def _serve(pool: str, limit: int, name: str | None) -> None:
    import anyio

    loop, kinds = asyncio.get_running_loop(), (signal.SIGTERM, signal.SIGINT)
    with anyio.CancelScope() as scope:

        def stop() -> None:
            scope.cancel()
            for kind in kinds:
                loop.remove_signal_handler(kind)  # a second one ends the worker; its runs then end by themselves

        for kind in kinds:
            loop.add_signal_handler(kind, stop)
        from deployments.warm_process import WarmWorker  # takes a second, in which a signal may come

        # Nothing is gained by starting a run before its time: it would only hold one of the places.
        await WarmWorker(pool, name=name, limit=limit, prefetch_seconds=0).start()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m deployments.warm_worker", description=__doc__)
    parser.add_argument("--pool", default=POOL, help="work pool to serve; created unless it is there (%(default)s)")
    parser.add_argument("--limit", type=int, metavar="N", help="how many runs at once; as many as there are cores")
    parser.add_argument("--name", help="how Prefect's pages call this worker")
    parser.add_argument("--parent", type=int, metavar="PID", help="end when this process, which started it, dies")
    given = parser.parse_args()
    if given.parent:
        process.end_with(given.parent)
    run_worker(load_settings(), pool=given.pool, limit=given.limit, name=given.name)


if __name__ == "__main__":
    main()
