"""Kills processes of a running system at random moments: every job that was accepted must end, once, in a whole video.

`make chaos` kills 200 times; the test suite 20 times. What is counted at the end is what must be 0.
"""

import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bhiv.bucket.artifact import describe
from bhiv.request import new_id
from tests.servers.system import System

#: Jobs that wait or run at any time.
_IN_FLIGHT = 3
_END_SECONDS = 240.0
_RECONCILE_SECONDS = 6.0
_TELL_KILLS = 10
#: What is killed, all kinds equally often: one that only waits at the moment gets time to begin.
_ROLES = ("server", "up", "worker", "forkserver", "service", "run", "ffmpeg", "espeak")
_ROLE_SECONDS = 20.0
#: A dead run counts as dead sooner than an operator would have it, so that one need not wait.
_SOON = {"pending_minutes": 0.25, "silent_minutes": 0.25}


@dataclass
class Report:
    """What was killed, and what must be 0 afterwards."""

    kills: Counter[str] = field(default_factory=Counter)
    jobs: int = 0
    completed: int = 0
    lost: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    encoded_twice: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost, torn or made twice."""
        return not (self.lost or self.failed or self.torn or self.encoded_twice)


def chaos(kills: int, seed: int, pause: float = 1.5, size: str = "1280x720") -> Report:
    """Kill that many processes, each after up to twice `pause` seconds, and return what came of the jobs.

    The larger their `size`, the more kills meet the jobs in their work and not in their start.
    """
    chance, report = random.Random(seed), Report()
    with _system() as system:
        jobs: list[str] = []
        films: list[int] = []
        seen: dict[str, tuple[int, int]] = {}
        killed, reconciled = 0, time.monotonic()
        while killed < kills:
            open_jobs = [job for job in jobs if not _has_video(system, job)]
            if len(open_jobs) < _IN_FLIGHT:
                films.append(_choose_film(len(jobs), films, [job in open_jobs for job in jobs]))
                jobs.append(_submit(system, len(jobs), films[-1], size))
            role = chance.choice(_ROLES)
            _wait_for(system, role)
            # What lives for a moment only is killed at once.
            time.sleep(0 if role in {"ffmpeg", "espeak"} else chance.uniform(0, 2 * pause))
            killed += _kill_one(system, role, chance, report)
            system.start()
            _note_clips(system, seen, report)
            reconciled = _reconcile(system, reconciled)
            if killed % _TELL_KILLS == 0:
                done = len(jobs) - len(open_jobs)
                print(f"{killed} kills, {done} of {len(jobs)} jobs done", file=sys.stderr, flush=True)
        report.jobs = len(jobs)
        _wait_for_all(system, jobs, report, seen)
        _wait_until_told(system, jobs)
        _look_for_torn(system, jobs, report)
    return report


@contextmanager
def _system() -> Iterator[System]:
    with tempfile.TemporaryDirectory(prefix="bhiv-chaos-", ignore_cleanup_errors=True) as name:
        system = System(Path(name))
        try:
            system.start()
            system.wait_until_ready()
            yield system
        except BaseException:  # not handled: its last words would go with the folder
            for log in (system.folder / "up.log", *(system.home / "server").glob("*.log")):
                print(f"{log.name}: ...{log.read_text(errors='replace')[-3000:]}", file=sys.stderr)
            raise
        finally:
            system.stop()


def _choose_film(number: int, films: list[int], are_open: list[bool]) -> int:
    """Return the film that a job makes: every second job one that is finished, so that found work is killed too.

    Never one that is being made: two runs that find a clip missing both encode it, which is no fault.
    """
    finished = {film for film, is_open in zip(films, are_open, strict=True) if not is_open}
    finished -= {film for film, is_open in zip(films, are_open, strict=True) if is_open}
    return max(finished) if number % 2 and finished else number


def _submit(system: System, number: int, film: int, size: str) -> str:
    job = new_id()
    scenes = "\n\n".join(f"Film {film}, part {part}. The river runs on to the sea." for part in range(8))
    request = {"script": scenes, "title": f"Film {number}", "size": size, "job_id": job}
    system.run("script_to_video", job, {"request": request | {"content_id": job}})
    return job


def _has_video(system: System, job: str) -> bool:
    return (system.bucket / "videos" / f"{job}.mp4").exists()


def _wait_for(system: System, role: str) -> None:
    deadline = time.monotonic() + _ROLE_SECONDS
    while role not in system.processes() and time.monotonic() < deadline:
        time.sleep(0.05)


def _kill_one(system: System, role: str, chance: random.Random, report: Report) -> int:
    """Kill a process of that kind; when the moment has passed, one of any other kind."""
    by_role = system.processes()
    if not by_role:
        return 0
    if role not in by_role:
        role = chance.choice(sorted(by_role))
    try:
        chance.choice(by_role[role]).kill()
    except psutil.NoSuchProcess:
        return 0
    report.kills[role] += 1
    return 1


def _note_clips(system: System, seen: dict[str, tuple[int, int]], report: Report) -> None:
    """A finished clip has its record beside it; a second encode would write another file in its place."""
    for record in (system.bucket / "clips").glob("clip-*.json"):
        with suppress(FileNotFoundError):
            stat = record.stat()
            now = (stat.st_ino, stat.st_ctime_ns)
            if seen.setdefault(record.name, now)[0] != now[0]:
                report.encoded_twice.append(record.name)
                seen[record.name] = now


def _reconcile(system: System, before: float) -> float:
    now = time.monotonic()
    if now - before < _RECONCILE_SECONDS:
        return before
    system.run("reconcile_jobs", new_id(), {"rules": _SOON})
    return now


def _wait_for_all(system: System, jobs: list[str], report: Report, seen: dict[str, tuple[int, int]]) -> None:
    deadline, reconciled = time.monotonic() + _END_SECONDS, 0.0
    left = list(jobs)
    while left and time.monotonic() < deadline:
        system.start()
        reconciled = _reconcile(system, reconciled)
        time.sleep(1)
        _note_clips(system, seen, report)
        for job in list(left):
            state = (system.job(job) or {}).get("state")
            if state in {"completed", "failed", "cancelled"}:
                left.remove(job)
                report.completed += state == "completed"
                if state != "completed":
                    report.failed.append(job)
    report.lost = [f"{job}: {_standing(system, job)}" for job in left]


def _wait_until_told(system: System, jobs: list[str]) -> None:
    """A process may die between a job's end in the catalog and its end in the bucket: the reconciler writes that."""
    deadline, reconciled = time.monotonic() + _END_SECONDS, 0.0
    while not all(_is_told(system, job) for job in jobs) and time.monotonic() < deadline:
        reconciled = _reconcile(system, reconciled)
        time.sleep(1)


def _is_told(system: System, job: str) -> bool:
    metadata = system.bucket / "logs" / f"{job}.json"
    return metadata.exists() and json.loads(metadata.read_bytes())["processing_status"] == "completed"


def _standing(system: System, job: str) -> str:
    known = system.job(job) or {}
    runs = system.call("/flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 200})
    of_job = [run for run in runs if run["parameters"].get("request", {}).get("job_id") == job]
    stood = [
        f"{run['id']} {run['state_name']} since {run['state']['timestamp']}, begun {run['run_count']} times"
        f" ({run['state'].get('message')})"
        for run in of_job
    ]
    held = f"{known.get('state')}, held by {known.get('lease_owner')}"
    return f"the catalog says {held}; Prefect says {'; '.join(stood) or 'nothing'}"


def _look_for_torn(system: System, jobs: list[str], report: Report) -> None:
    for record in system.bucket.rglob("*.json"):
        try:
            told = json.loads(record.read_bytes())
        except ValueError:
            report.torn.append(record.name)
            continue
        for value in told.values() if isinstance(told, dict) else ():
            if isinstance(value, dict) and {"key", "sha256", "size"} <= set(value):
                report.torn += _is_torn(system.bucket, value)
    report.torn += [f"metadata of {job}" for job in jobs if not _is_told(system, job)]


def _is_torn(bucket: Path, value: dict[str, Any]) -> list[str]:
    try:
        with (bucket / value["key"]).open("rb") as file:
            found = describe(value["key"], file, value["media_type"])
    except FileNotFoundError:
        return [value["key"]]
    return [] if (found.sha256, found.size) == (value["sha256"], value["size"]) else [value["key"]]


def main() -> None:
    """Kill as often as the first argument says (200), with the second as seed."""
    kills, seed = (int(word) for word in (*sys.argv[1:], *("200", "1")[len(sys.argv) - 1 :]))
    report = chaos(kills, seed)
    print(report)
    sys.exit(not report.is_good)


if __name__ == "__main__":
    main()
