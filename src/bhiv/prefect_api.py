"""The few words that the service has with a Prefect server: start a deployment's run, end a run, is it there.

Over HTTP and not through Prefect's client, whose import costs seconds and which retries on its own.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import httpx
from anyio import to_thread

from bhiv.errors import RunFailed, ServerUnavailable
from bhiv.prefect_server import Server

_SECONDS = 20.0
#: On SQLite a server answers 503 while another of its clients writes.
_PAUSES = (0.2, 0.5, 1.0)
#: For who only wants to know whether it is there, and has somebody waiting.
_LOOK_SECONDS = 3.0


class RunRefused(RunFailed):
    """The Prefect server will never take what was asked for."""


class PrefectApi:
    """A Prefect server, wherever `find` says that it is; it is asked anew after every failure."""

    def __init__(self, find: Callable[[], Server | None]) -> None:
        self._find = find
        #: Where a person watches it; None as long as no server was found.
        self.ui_url: str | None = None
        self._client: httpx.AsyncClient | None = None
        self._deployments: dict[str, str] = {}

    async def start_run(self, deployment: str, parameters: dict[str, Any], key: str) -> str:
        """Have a deployment run with the parameters, once for a key; return the run's id.

        Raises:
            ServerUnavailable: there is no server, it is busy, or it does not know the deployment (yet).
            RunRefused: the deployment does not take these parameters.
        """
        if deployment not in self._deployments:
            found = await self._ask("GET", f"/deployments/name/{deployment}/{deployment}")
            self._deployments[deployment] = found["id"]
        body = {"parameters": parameters, "idempotency_key": key, "state": {"type": "SCHEDULED"}}
        run = await self._ask("POST", f"/deployments/{self._deployments[deployment]}/create_flow_run", body)
        return str(run["id"])

    async def cancel_run(self, run_id: str) -> None:
        """Have a run end; one that has ended, or is unknown, stays as it is. Raises ServerUnavailable."""
        try:
            await self._ask("POST", f"/flow_runs/{run_id}/set_state", {"state": {"type": "CANCELLING"}, "force": False})
        except RunRefused:
            return

    async def answers(self) -> bool:
        """Whether the server is there."""
        try:
            await self._ask("GET", "/health", seconds=_LOOK_SECONDS)
        except ServerUnavailable:
            return False
        return True

    async def close(self) -> None:
        """Let go of the connections."""
        client, self._client = self._client, None
        self._deployments.clear()
        if client is not None:
            await client.aclose()

    async def _ask(self, method: str, path: str, body: Any = None, seconds: float = _SECONDS) -> Any:
        client = await self._connected()
        try:
            answer = await client.request(method, path, json=body, timeout=seconds)
            for pause in _PAUSES:
                if answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
                    break
                await asyncio.sleep(pause)
                answer = await client.request(method, path, json=body, timeout=seconds)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            await self.close()
            raise ServerUnavailable(f"the Prefect server does not answer: {error or type(error).__name__}") from error
        if answer.is_success:
            return answer.json() if answer.content else None
        if answer.status_code in {HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}:
            raise RunRefused(f"Prefect refuses {path}: {answer.text[:500]}")
        if answer.status_code == HTTPStatus.NOT_FOUND:
            if path.startswith("/flow_runs"):
                raise RunRefused(f"Prefect does not know {path}")
            self._deployments.clear()
            raise ServerUnavailable(f"the Prefect server does not know {path}; `bhiv up` deploys what it needs")
        raise ServerUnavailable(f"the Prefect server answers {answer.status_code} to {path}")

    async def _connected(self) -> httpx.AsyncClient:
        if self._client is None:
            # It asks the server, which may be silent for seconds.
            server = await to_thread.run_sync(self._find, abandon_on_cancel=True)
        if self._client is None:
            if server is None:
                raise ServerUnavailable("there is no Prefect server; `bhiv up` starts one")
            self.ui_url = server.ui_url
            self._client = httpx.AsyncClient(base_url=server.api_url, trust_env=False)
        return self._client
