"""Progress of a run: counted where steps end, told to whoever watches in this process."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from bhiv.cache import Made
from bhiv.record import Stage, StepName, StoryboardSource

#: Share of a run's work that each step is, as measured; what a percentage is made of.
_WEIGHTS: dict[StepName, float] = {
    "storyboard": 1,
    "images": 8,
    "tts": 5,
    "subtitles": 1,
    "render": 75,
    "stitch": 9,
    "upload": 1,
}


@dataclass(frozen=True)
class Event:
    """Something that a person who waits wants to see."""

    step: StepName
    done: int
    total: int
    percent: float
    #: Where the run can be watched; set in the first event only.
    page: str | None = None


@dataclass
class Progress:
    """How far each step is."""

    stages: dict[StepName, Stage] = field(default_factory=dict)
    expected: dict[StepName, int] = field(default_factory=dict)
    current: StepName = "storyboard"
    #: Who made the storyboard; None before it is made.
    storyboard_source: StoryboardSource | None = None
    #: What a person should know, and how many runs said so.
    noted: Counter[str] = field(default_factory=Counter)

    def expect(self, step: StepName) -> None:
        """Say that a step will have one run more."""
        self.expected[step] = self.expected.get(step, 0) + 1

    def count(self, step: StepName, made: Made[Any]) -> Event:
        """Count one ended run of a step, tell those who watch, and return what they were told."""
        before = self.stages.get(step, Stage(seconds=0, cached=0, total=0))
        self.stages[step] = Stage(
            seconds=round(before.seconds + made.seconds, 3),
            cached=before.cached + made.cached,
            total=before.total + 1,
        )
        self.current = step
        self.noted.update(made.notes)
        event = Event(step, self.stages[step].total, self.expected.get(step, 1), self.percent)
        tell(event)
        return event

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know, each once."""
        return tuple(f"{note} ({count} times)" if count > 1 else note for note, count in self.noted.items())

    @property
    def percent(self) -> float:
        """How much of the whole is done, 0 to 100."""
        done = (
            weight * self.stages[step].total / self.expected.get(step, 1)
            for step, weight in _WEIGHTS.items()
            if step in self.stages
        )
        return min(100.0, sum(done))


_watcher: ContextVar[Callable[[Event], None] | None] = ContextVar("watcher", default=None)


@contextmanager
def watching(watcher: Callable[[Event], None]) -> Iterator[None]:
    """Have `watcher` called with every event of runs inside the block, in this process."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def tell(event: Event) -> None:
    """Tell the watcher, if there is one."""
    if (watcher := _watcher.get()) is not None:
        watcher(event)
