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

#: How long the home's warm process may take to be ready.
_WARM_SECONDS = 60

_SENTENCES = (
    "Behind an old stone temple lay a pond that nobody looked at, and its water was brown.",
    "In that mud slept a lotus seed, and all it could hear was the temple bell, very far above.",
    "Every morning the bell rang again, and something small and green leaned towards the sound.",
    "It pushed one thin stem through the dark, and the mud held on to it, and it did not complain.",
    "Then, one dawn, the bud broke the surface, and a hundred petals opened without a sound.",
)


@dataclass(frozen=True)
class Cost:
    """What a command took; `memory` is the highest sum of its processes' own and shared pages in bytes, 0 unasked.

    Its processes are also those that the home's warm process has forked for it, and for `memory` that one too.
    """

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
    """A fresh folder with a home whose server and warm process are ready; all are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bhiv-bench-") as name:
        folder = Path(name)
        write_plan(folder, plan_of(1, size="144x144"), "warm.json")
        run(folder, "render", "warm.json", "--json")
        try:
            _await_warm(folder)
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

    What the home's warm process has forked for it counts, to a hundredth of a second. Its `memory` is looked at ten
    times a second, which takes CPU of its own and some of the command's.
    """
    before, started = _cpu(folder), time.monotonic()
    with subprocess.Popen(
        [BHIV, *arguments], cwd=folder, env=_environment(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as command:
        peak = _watch_memory(command, folder) if memory else [0]
        out, err = command.communicate()
    wall = time.monotonic() - started
    if command.returncode:
        raise SystemExit(f"bhiv {' '.join(arguments)} failed: {err.decode()}")
    return Cost(wall, _cpu(folder) - before, peak[0], json.loads(out) if out.startswith(b"{") else {})


def _await_warm(folder: Path) -> None:
    deadline = time.monotonic() + _WARM_SECONDS
    while not (folder / "home" / "server" / "warm.sock").exists():
        if time.monotonic() > deadline:
            raise SystemExit(f"no warm process in {folder} after {_WARM_SECONDS} s")
        time.sleep(0.05)


def _warm_process(folder: Path) -> psutil.Process | None:
    try:
        return psutil.Process(int((folder / "home" / "server" / "warm.lock").read_text()))
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):  # there is none yet
        return None


def _cpu(folder: Path) -> float:
    """Return the CPU seconds of all ended children of this process, and of those that the warm process has forked."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    warm = _warm_process(folder)
    forked = warm.cpu_times() if warm else None
    return usage.ru_utime + usage.ru_stime + (forked.children_user + forked.children_system if forked else 0)


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BHIV_", "PREFECT_"))}
    return kept | {"BHIV_HOME": str(folder / "home"), "BHIV_BUCKET_DIR": str(folder / "bucket")}


def _watch_memory(command: "subprocess.Popen[bytes]", folder: Path) -> list[int]:
    peak = [0]

    def watch() -> None:
        while command.poll() is None:
            peak[0] = max(peak[0], _memory(command.pid, _warm_process(folder)))
            time.sleep(0.1)

    threading.Thread(target=watch, daemon=True).start()
    return peak


def _memory(pid: int, warm: psutil.Process | None) -> int:
    """Return the proportional set size of processes and their children: pages that they share count once."""
    try:
        forked = [fork for fork in warm.children() if fork.cmdline() == warm.cmdline()] if warm else []
        own = _own_memory(warm) if warm else 0
        return own + sum(map(_tree_memory, [psutil.Process(pid), *forked]))
    except psutil.NoSuchProcess:
        return 0


def _tree_memory(root: psutil.Process) -> int:
    return _own_memory(root) + sum(_own_memory(child, root.cmdline()) for child in root.children(recursive=True))


def _own_memory(process: psutil.Process, forked: Sequence[str] | None = None) -> int:
    try:
        if process.cmdline() == forked:  # between vfork and exec, when the parent's pages are all that it has
            return 0
        return int(process.memory_full_info().pss)
    except psutil.Error:  # it ended in between
        return 0
