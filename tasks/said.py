"""What a task says of its result in the run's log: one line, in units that a person reads."""

from collections.abc import Iterable
from functools import singledispatch

from prefect import State
from pydantic import BaseModel

from bhiv.bucket import Artifact
from bhiv.cache import Made
from bhiv.photos import Found
from bhiv.plan import RenderPlan
from bhiv.planning import Storyboard
from bhiv.production import Captioned, Drawn, Frame, Narrated
from bhiv.record import Summary
from bhiv.video.clip import Clip
from bhiv.video.gate import Verdict
from bhiv.video.join import Video
from bhiv.video.sound import Mastered


def line(returned: object, given: Iterable[object]) -> str:
    """Return the line for what a task `returned` when it was `given` these values."""
    made = returned.data if isinstance(returned, State) else returned
    if not isinstance(made, Made):
        return _said(made, None)
    frame = next((value for value in given if isinstance(value, Frame)), None)
    how = "found, made before" if made.cached else f"made in {made.seconds:.1f} s"
    return ", ".join(filter(None, [_said(made.result, frame), how]))


@singledispatch
def _said(result: object, _frame: Frame | None) -> str:
    """Lists are counted, words are said as they are, of other results their figures."""
    if isinstance(result, list):
        return f"{len(result)} found"
    if isinstance(result, str):
        return result
    pairs = result if isinstance(result, BaseModel) else getattr(result, "__dict__", {}).items()
    figures = [f"{name.replace('_', ' ')} {value}" for name, value in pairs if isinstance(value, int | float)]
    return ", ".join(figures) or "done"


@_said.register
def _(board: Storyboard, frame: Frame | None) -> str:
    asked = f", {_count(board.lm.answers, 'answer')} of {board.lm.model}" if board.lm else ""
    return f"{_said(board.plan, frame)}, by {board.source}{asked}"


@_said.register
def _(plan: RenderPlan, _frame: Frame | None) -> str:
    width, height = plan.pixels
    return f"{_count(len(plan.scenes), 'scene')}, {plan.language}, {width}x{height} at {plan.fps} frames a second"


@_said.register
def _(drawn: Drawn, _frame: Frame | None) -> str:
    return _size(drawn.image) if drawn.source == "offline" else f"from {drawn.source}, {_size(drawn.image)}"


@_said.register
def _(found: Found, _frame: Frame | None) -> str:
    return f"found for {sum(map(bool, found.offers))} of {_count(len(found.offers), 'scene')}"


@_said.register
def _(narrated: Narrated, _frame: Frame | None) -> str:
    return f"{_count(len(narrated.spoken.words), 'word')}, {_size(narrated.sound)}"


@_said.register
def _(captioned: Captioned, frame: Frame | None) -> str:
    return f"{_count(len(captioned.cues), 'cue')}, {_length(captioned.frames, frame)}"


@_said.register
def _(clip: Clip, frame: Frame | None) -> str:
    shape = f"{frame.width}x{frame.height}, " if frame else ""
    return f"{_length(clip.frames, frame)}, {shape}{_size(*(chunk.video for chunk in clip.chunks))}"


@_said.register
def _(mastered: Mastered, _frame: Frame | None) -> str:
    return _size(mastered.sound)


@_said.register
def _(video: Video, frame: Frame | None) -> str:
    return f"{_length(video.frames, frame)}, {_size(video.video)}"


@_said.register
def _(verdict: Verdict, _frame: Frame | None) -> str:
    loudness = "silent" if verdict.loudness_lufs is None else f"{verdict.loudness_lufs:.1f} LUFS"
    return f"passed: {verdict.duration_seconds:.1f} s, {loudness}"


@_said.register
def _(summary: Summary, _frame: Frame | None) -> str:
    return f"{summary.video}, {summary.duration_seconds:.1f} s"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _length(frames: int, frame: Frame | None) -> str:
    return f"{frames / frame.fps:.1f} s" if frame else f"{frames} frames"


def _size(*artifacts: Artifact) -> str:
    kilobytes = sum(artifact.size for artifact in artifacts) / 1000
    return f"{kilobytes:.0f} kB" if kilobytes < 1000 else f"{kilobytes / 1000:.1f} MB"
