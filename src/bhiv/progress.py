"""Progress of a run: counted where steps end, told to whoever watches in this process."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bhiv.cache import Made
from bhiv.record import STEPS, Stage, StepName, StoryboardSource

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


#: The sound, the join and the gate, which are the same for any number of scenes.
_STITCHES = 3


class Count(NamedTuple):
    """How many runs of a step have ended, of how many."""

    step: StepName
    done: int
    total: int


@dataclass(frozen=True)
class Event:
    """Something that a person who waits wants to see: of which step a run has ended, and where the whole is now."""

    ended: Count
    now: Count
    percent: float
    #: Where the run can be watched; set in the first event only.
    page: str | None = None


@dataclass
class Progress:
    """How far each step is."""

    #: Of the steps that have begun, in the order of `STEPS`.
    stages: dict[StepName, Stage] = field(default_factory=dict)
    #: How many runs a step will have, as far as is known.
    expected: dict[StepName, int] = field(default_factory=lambda: {"stitch": _STITCHES})
    #: Of which a run has ended last, or failed.
    current: StepName = "storyboard"
    #: Who made the storyboard; None before it is made.
    storyboard_source: StoryboardSource | None = None
    #: What a person should know, and how many runs said so.
    noted: Counter[str] = field(default_factory=Counter)

    def expect(self, step: StepName, runs: int) -> None:
        """Say that a step will have so many runs, or more, besides those that have ended."""
        ended = self.stages[step].total if step in self.stages else 0
        self.expected[step] = max(self.expected.get(step, 0), ended + runs)

    def count(self, step: StepName, made: Made[Any]) -> Event:
        """Count one ended run of a step, tell those who watch, and return what they were told."""
        before = self.stages.get(step, Stage(seconds=0, cached=0, total=0))
        counted = Stage(
            seconds=round(before.seconds + made.seconds, 3),
            cached=before.cached + made.cached,
            total=before.total + 1,
        )
        stages = {**self.stages, step: counted}
        self.stages = {name: stages[name] for name in STEPS if name in stages}
        self.current = step
        self.noted.update(made.notes)
        event = Event(self._count(step), self.now, self.percent)
        tell(event)
        return event

    @property
    def now(self) -> Count:
        """The first step that is not done; many go on side by side, and this one never goes back."""
        counts = [self._count(step) for step in STEPS]
        return next((count for count in counts if count.done < count.total), counts[-1])

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know, each once."""
        return tuple(f"{note} ({count} times)" if count > 1 else note for note, count in self.noted.items())

    @property
    def percent(self) -> float:
        """How much of the whole is done, 0 to 100."""
        counts = [(weight, self._count(step)) for step, weight in _WEIGHTS.items()]
        return min(100.0, sum(weight * count.done / count.total for weight, count in counts))

    def _count(self, step: StepName) -> Count:
        done = self.stages[step].total if step in self.stages else 0
        return Count(step, done, max(self.expected.get(step, 1), done))


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
