"""What all tasks share: how often they are tried, what they log, and how Prefect shows what was made before."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from prefect import State, Task, get_run_logger
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun
from prefect.runtime import task_run
from prefect.states import Completed
from prefect.tasks import exponential_backoff
from pydantic import BaseModel

from bhiv.cache import Made
from bhiv.errors import BhivError
from bhiv.settings import Settings, load_settings
from bhiv.workplace import Workplace, open_workplace
from tasks.said import line

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T", bound=BaseModel)


def can_help(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether trying again may help: the error says so itself; one that nobody foresaw gets another chance."""
    error = state.result(raise_on_failure=False)
    return error.retryable if isinstance(error, BhivError) else isinstance(error, OSError)


def step(name: str, run_name: str) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Make a function a task that is tried three times and named for what it makes.

    Prefect's own cache stays off: it does not check that what it finds is still there.
    """

    def decorate(function: Callable[P, R]) -> Task[P, R]:
        return Task(
            fn=_logged(function),
            name=name,
            task_run_name=run_name,
            retries=2,
            retry_delay_seconds=exponential_backoff(backoff_factor=2),
            retry_jitter_factor=0.5,
            retry_condition_fn=can_help,
            cache_policy=NO_CACHE,
            persist_result=False,
        )

    return decorate


def _logged(function: Callable[P, R]) -> Callable[P, R]:
    """Have one line in the run's log tell what came of a call."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        returned = function(*args, **kwargs)
        get_run_logger().info("%s: %s", task_run.name, line(returned, (*args, *kwargs.values())))
        return returned

    return call


_settings: ContextVar[Settings | None] = ContextVar("settings", default=None)


@contextmanager
def under(settings: Settings) -> Iterator[None]:
    """Have the tasks that are submitted inside the block work under these settings."""
    token = _settings.set(settings)
    try:
        yield
    finally:
        _settings.reset(token)


def run_settings() -> Settings:
    """Return the settings of the run that this task belongs to; outside of one, those of the process."""
    return _settings.get() or load_settings()


def here() -> Workplace:
    """Return the workplace of the run that this task belongs to."""
    return open_workplace(run_settings())


def shown(made: Made[T]) -> Made[T]:
    """Return a step's result; one that was made before is shown as Cached."""
    return Completed(name="Cached", message="made before", data=made) if made.cached else made  # type: ignore[return-value]
