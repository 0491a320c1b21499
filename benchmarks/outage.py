"""S3 is away for a minute by the clock in the middle of a run: the video is delivered, and nothing is lost or doubled.

A real gateway (Ceph, over TLS) behind a proxy that resets every connection; see tests/servers.
"""

import hashlib
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measuring import BHIV, plan_of, write_plan
from bhiv.bucket import Bucket
from bhiv.bucket.listing import entries
from bhiv.bucket.opening import open_s3
from bhiv.bucket.replay import replay_failures, spooled
from bhiv.settings import inherited_environment
from tests.servers.ceph import ceph
from tests.servers.fault_proxy import FaultProxy, fault_proxy
from tests.servers.s3 import as_environment, s3_settings

_AWAY_SECONDS = 60.0
_SCENES = 14
_RUN_SECONDS = 600


def measure() -> Iterator[str]:
    """Yield what came of one run; what must hold is asserted."""
    with tempfile.TemporaryDirectory(prefix="ceph-") as name, ceph(Path(name)) as server:
        port = int(server.endpoint_url.rpartition(":")[2])
        with tempfile.TemporaryDirectory(prefix="bhiv-bench-") as work, fault_proxy("127.0.0.1", port) as proxy:
            folder = Path(work)
            settings = s3_settings(server, folder, proxy.port)
            write_plan(folder, plan_of(_SCENES), "plan.json")
            environment = inherited_environment() | as_environment(settings)
            with subprocess.Popen(
                [BHIV, "render", "plan.json", "--json"], cwd=folder, env=environment, stdout=subprocess.PIPE
            ) as command:
                away = _outage(command, proxy, settings.home)
                out, _ = command.communicate(timeout=_RUN_SECONDS)
            subprocess.run([BHIV, "down"], cwd=folder, env=environment, check=True, capture_output=True)
            assert command.returncode == 0, "the run failed"
            summary = json.loads(out)
            waiting = spooled(settings).operations
            yield f"S3 was away for {away:.0f} s; the run ended well and left {waiting} changes in the spool"

            first, second = replay_failures(settings), replay_failures(settings)
            assert (first.left, first.errors, second.operations) == (0, [], 0), (first, second)
            remote = open_s3(settings.model_copy(update={"s3_endpoint_url": server.endpoint_url}))
            delivered = (folder / "out" / "plan.mp4").read_bytes()
            assert remote.get_bytes(f"videos/{summary['content_id']}.mp4") == delivered
            records = _check_records(remote)
            yield f"{first.operations} replayed, then 0; the video and {records} recorded objects are whole on S3"


def _outage(command: "subprocess.Popen[bytes]", proxy: FaultProxy, home: Path) -> float:
    # In the middle: the pictures are on S3, and the clips are just being made.
    while not any((home / "copies").rglob("*")) or proxy.taken < 2_000_000:
        assert command.poll() is None, "the run ended before the outage"
        time.sleep(0.05)
    begun = time.monotonic()
    proxy.down = True
    time.sleep(_AWAY_SECONDS)
    proxy.heal()
    return time.monotonic() - begun


def _check_records(remote: Bucket) -> int:
    return sum(_check_record(remote, entry.key) for entry in entries(remote) if entry.key.endswith(".json"))


def _check_record(remote: Bucket, key: str) -> int:
    told = json.loads(remote.get_bytes(key))
    named = [value for value in told.values() if isinstance(value, dict) and {"key", "sha256", "size"} <= set(value)]
    for value in named:
        data = remote.get_bytes(value["key"])
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (value["sha256"], value["size"]), value["key"]
    return len(named)
