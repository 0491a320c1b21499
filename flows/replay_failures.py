"""Replay: what was kept on this machine while S3 was away is brought to S3."""

from prefect import flow

from bhiv.bucket.replay import Replay
from flows.report import show_report
from flows.run_settings import settings_of_run
from tasks.drain_spool import drain_spool
from tasks.step import under


@flow(name="replay_failures", persist_result=False)
def replay_failures() -> Replay:
    """Repeat the operations that failed, in their order, until all are done or one fails again."""
    with under(settings_of_run()):
        report = drain_spool()
    show_report("replay-failures", vars(report).items())
    return report
