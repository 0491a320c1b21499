"""Runs the real command in a fresh folder and says what it cost."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bhiv.plan import RenderPlan, Scene

BHIV = str(Path(sys.executable).with_name("bhiv"))

_SENTENCES = (
    "Behind an old stone temple lay a pond that nobody looked at, and its water was brown.",
    "In that mud slept a lotus seed, and all it could hear was the temple bell, very far above.",
    "Every morning the bell rang again, and something small and green leaned towards the sound.",
    "It pushed one thin stem through the dark, and the mud held on to it, and it did not complain.",
    "Then, one dawn, the bud broke the surface, and a hundred petals opened without a sound.",
)


@dataclass(frozen=True)
class Cost:
    """What a command took; `memory` is the highest sum of its processes' own and shared pages in bytes, 0 unasked."""

    wall_seconds: float
    cpu_seconds: float
    memory: int
    summary: dict[str, Any]


def plan_of(scenes: int, **fields: Any) -> RenderPlan:
    """Return a plan of that many scenes of about 8 s each, with camera moves and karaoke captions."""
    made = tuple(
        Scene(narration=f"Part {number + 1}. {_SENTENCES[number % len(_SENTENCES)]}") for number in range(scenes)
    )
    return RenderPlan(title=f"{scenes} scenes", scenes=made, **fields)


@contextmanager
def workshop() -> Iterator[Path]:
    """A fresh folder with a home whose server already runs; both are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bhiv-bench-") as name:
        folder = Path(name)
        write_plan(folder, plan_of(1, size="144x144"), "warm.json")
        run(folder, "render", "warm.json", "--json")
        try:
            yield folder
        finally:
            subprocess.run([BHIV, "down"], cwd=folder, env=_environment(folder), check=True, capture_output=True)


def write_plan(folder: Path, plan: RenderPlan, name: str) -> Path:
    """Write a plan into the folder."""
    path = folder / name
    path.write_text(plan.model_dump_json(), encoding="utf-8")
    return path


def run(folder: Path, *arguments: str, memory: bool = False) -> Cost:
    """Run `bhiv` to its good end; CPU is that of the command and of all that it started and waited for.

    Its `memory` is looked at ten times a second, which takes CPU of its own and some of the command's.
    """
    before, started = _children_cpu(), time.monotonic()
    with subprocess.Popen(
        [BHIV, *arguments], cwd=folder, env=_environment(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as command:
        peak = _watch_memory(command) if memory else [0]
        out, err = command.communicate()
    wall = time.monotonic() - started
    if command.returncode:
        raise SystemExit(f"bhiv {' '.join(arguments)} failed: {err.decode()}")
    return Cost(wall, _children_cpu() - before, peak[0], json.loads(out) if out.startswith(b"{") else {})


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BHIV_", "PREFECT_"))}
    return kept | {"BHIV_HOME": str(folder / "home"), "BHIV_BUCKET_DIR": str(folder / "bucket")}


def _watch_memory(command: "subprocess.Popen[bytes]") -> list[int]:
    peak = [0]

    def watch() -> None:
        while command.poll() is None:
            peak[0] = max(peak[0], _memory(command.pid))
            time.sleep(0.1)

    threading.Thread(target=watch, daemon=True).start()
    return peak


def _memory(pid: int) -> int:
    """Return the proportional set size of a process and its children: pages that they share count once."""
    try:
        root = psutil.Process(pid)
        return _own_memory(root) + sum(_own_memory(child, root.cmdline()) for child in root.children(recursive=True))
    except psutil.NoSuchProcess:
        return 0


def _own_memory(process: psutil.Process, forked: Sequence[str] | None = None) -> int:
    try:
        if process.cmdline() == forked:  # between vfork and exec, when the parent's pages are all that it has
            return 0
        return int(process.memory_full_info().pss)
    except psutil.Error:  # it ended in between
        return 0
