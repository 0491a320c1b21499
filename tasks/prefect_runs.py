"""Prefect's own knowledge of runs, asked for and changed."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import AwaitingRetry

from bhiv.reconciling import Run

_MOST = 200
_UNSETTLED = [StateType.CRASHED, StateType.RUNNING, StateType.PENDING]


def runs_of(ids: Iterable[str]) -> dict[str, Run]:
    """Return what Prefect knows of these runs, by their ids; those that it has forgotten are not there."""
    wanted = [UUID(one) for one in ids]
    with get_client(sync_client=True) as client:
        parts = [wanted[start : start + _MOST] for start in range(0, len(wanted), _MOST)]
        found = [_read(client, FlowRunFilter(id=FlowRunFilterId(any_=part))) for part in parts]
    return {run.id: run for part in found for run in part}


def unsettled_runs(deployment: str, hours: float) -> list[Run]:
    """Return the runs of a deployment, due in the last hours, that crashed, go on, or were taken to be begun."""
    after = datetime.now(UTC) - timedelta(hours=hours)
    unsettled = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_UNSETTLED)),
        expected_start_time=FlowRunFilterExpectedStartTime(after_=after),
    )
    with get_client(sync_client=True) as client:
        return _read(client, unsettled, DeploymentFilter(name=DeploymentFilterName(any_=[deployment])))


def run_again(run_id: str) -> None:
    """Have a worker run it again under the same id, as Retry on its page does."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(UUID(run_id), AwaitingRetry(), force=True)


def _read(client: SyncPrefectClient, runs: FlowRunFilter, deployments: DeploymentFilter | None = None) -> list[Run]:
    found = client.read_flow_runs(flow_run_filter=runs, deployment_filter=deployments, limit=_MOST)
    return [_run(one) for one in found]


def _run(found: FlowRun) -> Run:
    state = found.state
    return Run(
        id=str(found.id),
        state=state.type.value if state else "SCHEDULED",
        since=state.timestamp if state else found.created or datetime.now(UTC),
        deployed=found.deployment_id is not None,
        count=found.run_count,
    )
