"""Runs a flow's hooks for a run whose process can't do it any more: `python -m deployments.hooks KIND RUN STATE`."""

import asyncio
import sys
from functools import partial

from prefect.client.schemas.objects import FlowRun, State
from prefect.flows import load_flow_from_flow_run
from prefect.runner._hook_runner import HookRunner


async def run_hooks(kind: str, flow_run: FlowRun, state: State[object]) -> None:
    """Load the flow of a run and run its `cancellation` or `crashed` hooks; what goes wrong is in the run's log."""
    hooks = HookRunner(resolve_flow=partial(load_flow_from_flow_run, use_placeholder_flow=False))
    run = hooks.run_cancellation_hooks if kind == "cancellation" else hooks.run_crashed_hooks
    await run(flow_run, state)


if __name__ == "__main__":
    run, state = FlowRun.model_validate_json(sys.argv[2]), State.model_validate_json(sys.argv[3])
    asyncio.run(run_hooks(sys.argv[1], run, state))
