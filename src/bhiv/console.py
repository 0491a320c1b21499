"""What a person sees on the terminal while a video is made."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from bhiv.progress import Count, Event
from bhiv.record import Summary

#: What each step is called in a sentence.
_DOING = {
    "storyboard": "reading the script",
    "images": "drawing pictures",
    "tts": "speaking",
    "subtitles": "setting captions",
    "render": "encoding scenes",
    "stitch": "joining",
    "upload": "delivering",
}
_PER_SCENE = ("images", "tts", "subtitles", "render")
#: The steps whose results are kept and found again.
_KEPT = ("images", "tts", "subtitles", "render", "stitch")


@contextmanager
def progress_shown() -> Iterator[Callable[[Event], None]]:
    """Yield what is to be told of each event: a moving bar on a terminal, a line a step elsewhere; all on stderr."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield _line_for_each_step(console)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting the Prefect server", total=100)

        def show(event: Event) -> None:
            if event.page:
                console.print(f"watch it at {event.page}", soft_wrap=True)
            bar.update(task, completed=event.percent, description=_describe(event.now))

        yield show


def summary_line(summary: Summary, target: str, seconds: float) -> str:
    """Return the one line that a finished video is announced with."""
    kept = [stage for step, stage in summary.stages.items() if step in _KEPT]
    made, cached = sum(stage.total for stage in kept), sum(stage.cached for stage in kept)
    if cached == made:
        return f"{target}  {_clock(summary.duration_seconds)} long; nothing had to be made again ({seconds:.1f} s)"
    before = f"; {cached} of {made} steps were made before" if cached else ""
    return f"{target}  {_clock(summary.duration_seconds)} long, made in {seconds:.1f} s{before}"


def _line_for_each_step(console: Console) -> Callable[[Event], None]:
    def show(event: Event) -> None:
        if event.page:
            console.print(f"watch it at {event.page}", soft_wrap=True)
        elif event.ended.done == event.ended.total:
            step, done, total = event.ended
            console.print(f"{event.percent:3.0f} %  {step} {done}/{total}", soft_wrap=True)

    return show


def _describe(now: Count) -> str:
    of = f", scene {min(now.done + 1, now.total)} of {now.total}" if now.step in _PER_SCENE else ""
    return f"{_DOING[now.step]}{of}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def complain(message: str) -> None:
    """Print one line on stderr."""
    sys.stderr.write(f"bhiv: {' '.join(message.split())}\n")


def status_line(part: str, state: str) -> None:
    """Print how a part of the running system is."""
    Console(highlight=False).print(f"{part:<12}{state}", soft_wrap=True, markup=False)
