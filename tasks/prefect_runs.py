"""Prefect's own knowledge of runs, asked for and changed."""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    DeploymentFilterTags,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from prefect.states import AwaitingRetry

from bhiv.reconciling import Run

_MOST = 200
_GOING = [StateType.RUNNING, StateType.PENDING]
_UNSETTLED = [StateType.CRASHED, *_GOING]
_MAINTENANCE = DeploymentFilter(tags=DeploymentFilterTags(all_=["maintenance"]))


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
        state=_state(_UNSETTLED),
        expected_start_time=FlowRunFilterExpectedStartTime(after_=after),
    )
    with get_client(sync_client=True) as client:
        return _read(client, unsettled, DeploymentFilter(name=DeploymentFilterName(any_=[deployment])))


def maintenance_runs() -> list[Run]:
    """Return the runs of maintenance deployments that go on, or were taken to be begun."""
    with get_client(sync_client=True) as client:
        return _read(client, FlowRunFilter(state=_state(_GOING)), _MAINTENANCE)


def remove_missed_runs() -> int:
    """Remove the scheduled maintenance runs that are due, but the newest of each deployment; return how many went.

    After an hour without a worker there are 43, which take minutes to refuse one another for want of a free slot. What
    a person has scheduled stays.
    """
    due = FlowRunFilter(
        state=_state([StateType.SCHEDULED]),
        expected_start_time=FlowRunFilterExpectedStartTime(before_=datetime.now(UTC)),
    )
    missed: dict[UUID | None, list[UUID]] = defaultdict(list)
    with get_client(sync_client=True) as client:
        order = FlowRunSort.EXPECTED_START_TIME_DESC
        for run in client.read_flow_runs(flow_run_filter=due, deployment_filter=_MAINTENANCE, sort=order, limit=_MOST):
            if run.auto_scheduled:
                missed[run.deployment_id].append(run.id)
        old = [run_id for runs in missed.values() for run_id in runs[1:]]
        for run_id in old:
            with suppress(ObjectNotFound):  # Prefect removes them itself when a schedule changes
                client.delete_flow_run(run_id)
    return len(old)


def last_words(run_id: str) -> tuple[str, str]:
    """Return a run's name and the message of its state."""
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(UUID(run_id))
    return run.name, (run.state and run.state.message) or ""


def end_run(run_id: str, state: State[Any]) -> None:
    """End a run that will not end by itself; one that has failed or is completed stays as it is."""
    with get_client(sync_client=True) as client:
        before = client.read_flow_run(UUID(run_id)).state
        if before is None or before.type not in {StateType.FAILED, StateType.COMPLETED}:
            client.set_flow_run_state(UUID(run_id), state, force=True)


def run_again(run_id: str) -> None:
    """Have a worker run it again under the same id, as Retry on its page does."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(UUID(run_id), AwaitingRetry(), force=True)


def _state(types: list[StateType]) -> FlowRunFilterState:
    return FlowRunFilterState(type=FlowRunFilterStateType(any_=types))


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
