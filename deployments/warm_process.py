"""A Prefect worker whose runs start warm: each is a process of its own, forked from one that has imported everything.

It is the stock process worker in all but the start, down to the states, logs and limits. What it takes from
`prefect.runner` is what the stock worker is made of; those modules are not public, so the lock file's version counts.
"""

import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import anyio.abc
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import Flow, FlowRun, State, WorkPool
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.runner._control_channel import ControlChannel
from prefect.runner._flow_run_executor import FlowRunExecutionResult, FlowRunExecutorContext
from prefect.runner._process_manager import ProcessHandle
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker, ProcessWorkerResult
from pydantic import PrivateAttr

from deployments.forking import CHECKOUT, Fork, Forkserver

WORKER_TYPE = "bhiv-warm"

#: A hook that takes longer is ended.
_HOOK_SECONDS = 60.0


class WarmJobConfiguration(ProcessJobConfiguration):
    """The stock worker's configuration; knows whether a run is of this checkout and may start warm."""

    _is_warm: bool = PrivateAttr(default=False)

    @property
    def is_warm(self) -> bool:
        """Whether the run's code is what the forkserver has imported."""
        return self._is_warm

    def prepare_for_flow_run(
        self,
        flow_run: FlowRun,
        deployment: DeploymentResponse | None = None,
        flow: Flow | None = None,
        work_pool: WorkPool | None = None,
        worker_name: str | None = None,
        worker_id: UUID | None = None,
    ) -> None:
        """Fill in what depends on the run."""
        pulls = deployment.pull_steps if deployment else None
        self._is_warm = self.command is None and _is_this_checkout(pulls or [])
        super().prepare_for_flow_run(flow_run, deployment, flow, work_pool, worker_name, worker_id)

    def environment(self, control: ControlChannel | None, flow_run: FlowRun) -> dict[str, str]:
        """Return the environment of the run's process, with the way back to the worker when there is one."""
        variables = {name: value for name, value in self.env.items() if value is not None}
        # The worker runs these hooks, as the stock one does: the process may not live to.
        variables["PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS"] = "false"
        if control is not None:
            with suppress(RuntimeError):  # it has no port: a cancelled run is then ended without being told why
                port, token = control.register(flow_run.id)
                variables |= {"PREFECT__CONTROL_PORT": str(port), "PREFECT__CONTROL_TOKEN": token}
        return variables


def _is_this_checkout(pull_steps: Sequence[dict[str, Any]]) -> bool:
    """Whether all that a deployment does to get its code is to go to this checkout."""
    match pull_steps:
        case [{"prefect.deployments.steps.set_working_directory": {"directory": str() as directory}}]:
            return Path(directory).resolve() == CHECKOUT
        case _:
            return False


class _Handle(ProcessHandle):
    """A fork as Prefect's runner sees a process: it asks once, and kills after 30 s."""

    def __init__(self, fork: Fork) -> None:
        super().__init__(fork)  # type: ignore[arg-type]  # it reads `pid` and `returncode`
        self._fork = fork

    def is_alive(self) -> bool:
        return self._fork.returncode is None

    def graceful_kill(self) -> None:
        self._fork.ask_to_end()

    def hard_kill(self) -> None:
        self._fork.kill()


class _Starter:
    """Starts a run's process, and its hooks' when it can't run them itself."""

    def __init__(
        self, forkserver: Callable[[], Awaitable[Forkserver]], configuration: WarmJobConfiguration, folder: Path
    ) -> None:
        self._forkserver, self._configuration, self._folder = forkserver, configuration, folder
        self.control: ControlChannel | None = None

    async def start(
        self, flow_run: FlowRun, task_status: anyio.abc.TaskStatus[ProcessHandle] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Run the flow as `python -m prefect.engine` does, and return when that process has ended."""
        fork = await self._fork("prefect.engine", environment=self._configuration.environment(self.control, flow_run))
        task_status.started(_Handle(fork))
        try:
            await fork.over.wait()
        except anyio.get_cancelled_exc_class():
            fork.ask_to_end()
            raise

    async def run_cancellation_hooks(self, flow_run: FlowRun, state: State[Any]) -> None:
        """Run them in a process of their own."""
        await self._run_hooks("cancellation", flow_run, state)

    async def run_crashed_hooks(self, flow_run: FlowRun, state: State[Any]) -> None:
        """Run them in a process of their own."""
        await self._run_hooks("crashed", flow_run, state)

    async def _run_hooks(self, kind: str, flow_run: FlowRun, state: State[Any]) -> None:
        said = (kind, flow_run.model_dump_json(), state.model_dump_json())
        fork = await self._fork("deployments.hooks", *said, environment=self._configuration.environment(None, flow_run))
        with anyio.move_on_after(_HOOK_SECONDS):
            await fork.over.wait()
        fork.kill()

    async def _fork(self, module: str, *arguments: str, environment: dict[str, str]) -> Fork:
        server, shows_output = await self._forkserver(), self._configuration.stream_output
        return await server.fork(
            module, *arguments, environment=environment, folder=self._folder, shows_output=shows_output
        )


class WarmWorker(ProcessWorker):
    """The stock process worker, with a forkserver; a run that is not of this checkout starts as it does there."""

    type = WORKER_TYPE
    job_configuration = WarmJobConfiguration
    _display_name = "BHIV, warm"
    _description = "Runs each flow run in a process of its own that starts with Prefect and BHIV already imported."
    _documentation_url = ""
    _logo_url = ""

    _choosing: anyio.Lock
    _forkservers: list[Forkserver]

    async def run(
        self,
        flow_run: FlowRun,
        configuration: ProcessJobConfiguration,
        task_status: anyio.abc.TaskStatus[int] | None = None,
    ) -> ProcessWorkerResult:
        """Run a flow run to its end; `task_status` is told its process's id when it has started."""
        if not isinstance(configuration, WarmJobConfiguration) or not configuration.is_warm:
            return await super().run(flow_run, configuration, task_status)
        working_dir = configuration.working_dir
        with nullcontext(working_dir) if working_dir else tempfile.TemporaryDirectory(prefix="bhiv-run-") as folder:
            starter = _Starter(self._current_forkserver, configuration, Path(folder))
            execution = await _execute(flow_run, starter, task_status or anyio.TASK_STATUS_IGNORED)
        if execution is None or execution.status_code is None:
            raise RuntimeError(f"the process of the flow run {flow_run.name!r} did not start")
        return ProcessWorkerResult(status_code=execution.status_code, identifier=str(execution.handle.pid))

    async def _current_forkserver(self) -> Forkserver:
        """Return the forkserver that has the code as it is now; one with older code ends with its last run."""
        async with self._choosing:
            self._forkservers = [server for server in self._forkservers if not server.has_ended]
            if not self._forkservers or not self._forkservers[-1].is_current:
                for server in self._forkservers:
                    server.retire()
                self._forkservers.append(await Forkserver.start())
            return self._forkservers[-1]

    async def __aenter__(self) -> "WarmWorker":
        self._choosing = anyio.Lock()
        self._forkservers = [await Forkserver.start()]
        try:
            await super().__aenter__()
        except BaseException:  # not handled: cleaned up after, then passed on
            await self._close_forkservers()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        try:
            await super().__aexit__(*exc_info)
        finally:
            await self._close_forkservers()

    async def _close_forkservers(self) -> None:
        with anyio.CancelScope(shield=True):  # it is most often a cancelled worker that gets here
            async with anyio.create_task_group() as group:
                for server in self._forkservers:
                    group.start_soon(server.close)


async def _execute(
    flow_run: FlowRun, starter: _Starter, task_status: anyio.abc.TaskStatus[int]
) -> FlowRunExecutionResult | None:
    result: FlowRunExecutionResult | None = None
    async with FlowRunExecutorContext() as context:
        starter.control = context.control_channel
        executor = context.create_executor(flow_run, starter, propose_submitting=False, hook_runner=starter)

        async def submit(*, task_status: anyio.abc.TaskStatus[ProcessHandle]) -> None:
            nonlocal result
            result = await executor.submit(task_status=task_status)

        async with anyio.create_task_group() as group:
            handle = await group.start(submit)
            task_status.started(handle.pid)
    return result


def ensure_pool(name: str, *, worker_type: str = WORKER_TYPE) -> WorkPool:
    """Return the work pool of that name, whatever its type; one that is not there is created.

    A stock process worker can serve it as well, with `prefect worker start --pool NAME --type process`.
    """
    with get_client(sync_client=True) as client:
        try:
            return client.read_work_pool(name)
        except ObjectNotFound:
            template = WarmWorker.get_default_base_job_template()
        try:
            return client.create_work_pool(WorkPoolCreate(name=name, type=worker_type, base_job_template=template))
        except ObjectAlreadyExists:  # by another worker, in between
            return client.read_work_pool(name)
