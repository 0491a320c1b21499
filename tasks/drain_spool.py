"""Draining of the spool."""

from bhiv.bucket.replay import Replay, replay_failures
from tasks.step import run_settings, step


@step("drain_spool", "drain the spool")
def drain_spool() -> Replay:
    """Repeat the operations that failed while S3 was away."""
    return replay_failures(run_settings())
