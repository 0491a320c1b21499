"""The service as a process of its own, on a home of its own."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bhiv.settings import Settings, inherited_environment, settings_environment
from tests.servers.starting import running, wait_until

_KEY = re.compile(r"bhiv_[0-9a-f]{12}_[A-Za-z0-9_-]{43}")
_ADDRESS = re.compile(r"^service +(http://\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Api:
    """A service that runs; the client has the key that opens everything."""

    settings: Settings
    client: httpx.Client

    def without_key(self) -> httpx.Client:
        """A client that shows no key."""
        return httpx.Client(base_url=self.client.base_url, trust_env=False, timeout=30)


@contextmanager
def api(folder: Path, **given: object) -> Iterator[Api]:
    """Run a service in an empty folder until the block is left; no Prefect server is there."""
    own = {"home": folder / "home", "bucket_dir": folder / "bucket", "service_port": 0}
    settings = Settings.model_validate(own | {"rate_limit_per_minute": 100_000} | given)
    kept = {
        name: value for name, value in inherited_environment().items() if not name.startswith(("BHIV_", "PREFECT_"))
    }
    environment = kept | settings_environment(settings) | {"PREFECT_API_URL": "http://127.0.0.1:1/api"}
    log = folder / "service.log"
    with running([sys.executable, "-m", "bhiv.cli", "serve"], log, environment):
        wait_until(lambda: bool(_ADDRESS.search(log.read_text())), "the service's address")
        said = log.read_text()
        [address], [key] = _ADDRESS.findall(said), _KEY.findall(said)
        with httpx.Client(
            base_url=address, headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=30
        ) as client:
            wait_until(lambda: _answers(client), "the service")
            yield Api(settings, client)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/health").is_success
    except httpx.TransportError:
        return False
