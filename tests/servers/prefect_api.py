"""Calls of a Prefect server, as its pages make them; what it cannot answer now is asked again."""

import json
import time
from collections.abc import Callable
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

from tests.servers.starting import wait_until

OVER = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})
_SECONDS = 120.0


class PrefectApi:
    """A server that may be away or busy for a while: SQLite refuses what comes while it writes.

    `address` is asked before every try, for a server that comes back may have moved; `revive` is called after every
    try that failed.
    """

    def __init__(self, address: Callable[[], str], revive: Callable[[], None] = lambda: None) -> None:
        self.address, self._revive = address, revive

    def call(self, path: str, body: object = None, method: str | None = None) -> Any:
        """Return the answer, None when it is empty; a refusal (4xx) is raised as HTTPError at once."""
        data = None if body is None else json.dumps(body).encode()
        deadline = time.monotonic() + _SECONDS
        while True:
            try:
                request = Request(self.address() + path, data, {"content-type": "application/json"}, method=method)
                with urlopen(request, timeout=30) as answer:
                    said = answer.read()
                    return json.loads(said) if said else None
            except HTTPError as error:
                error.close()
                if error.code < 500:
                    raise
                failure: Exception = error
            except (OSError, HTTPException, ValueError) as error:
                failure = error
            if time.monotonic() > deadline:
                raise AssertionError(f"the Prefect server does not answer {path}: {failure}")
            self._revive()
            time.sleep(0.1)

    def run(self, deployment: str, parameters: dict[str, Any], **more: Any) -> str:
        """Start a run of a deployment whose flow has its name, and return the run's id."""
        found = self.call(f"/deployments/name/{deployment}/{deployment}")["id"]
        return self.run_of(found, parameters, **more)

    def run_of(self, deployment_id: str, parameters: dict[str, Any], **more: Any) -> str:
        """Start a run of a deployment and return the run's id."""
        # The key makes one run of a request that was heard and is asked again.
        body = {"parameters": parameters, "idempotency_key": uuid4().hex} | more
        return str(self.call(f"/deployments/{deployment_id}/create_flow_run", body)["id"])

    def flow_run(self, run: str) -> dict[str, Any]:
        """Return what the server knows of a run."""
        found: dict[str, Any] = self.call(f"/flow_runs/{run}")
        return found

    def state(self, run: str) -> str:
        """Return the kind of state that a run is in, such as RUNNING."""
        return str(self.flow_run(run)["state_type"])

    def end_of(self, run: str, seconds: float = 120) -> str:
        """Wait until a run is over and return the kind of state that it ended in."""
        what = f"the end of run {run}"
        return wait_until(lambda: (state := self.state(run)) in OVER and state, what, seconds, every=0.2)
