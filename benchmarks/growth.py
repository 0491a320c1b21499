"""Time a scene and peak memory of 5, 20 and 200 scenes, 640x360, and the drift of sound against pictures."""

from pathlib import Path

from benchmarks.measuring import Cost, plan_of, run, workshop, write_plan
from bhiv import ffmpeg

SIZES = (5, 20, 200)


def measure() -> list[str]:
    """Return the rows of the report."""
    costs: dict[int, Cost] = {}
    rows = []
    for scenes in SIZES:
        with workshop() as folder:
            write_plan(folder, plan_of(scenes, size="640x360"), "plan.json")
            costs[scenes] = cost = run(folder, "render", "plan.json", "--json", memory=True)
            late = _drift(Path(cost.summary["video"]), folder)
        rows.append(
            f"{scenes} scenes: {cost.wall_seconds / scenes:.3f} s and {cost.cpu_seconds / scenes:.3f} CPU s a scene,"
            f" {cost.memory / 1e6:.0f} MB at most; the sound ends {late} samples after the pictures"
        )
    some, many = costs[20], costs[200]
    return [
        *rows,
        f"200 against 20: time a scene {many.wall_seconds / some.wall_seconds / 10:.3f},"
        f" CPU a scene {many.cpu_seconds / some.cpu_seconds / 10:.3f}, memory {many.memory / some.memory:.3f}",
    ]


def _drift(video: Path, folder: Path) -> int:
    """Return how many samples the sound is longer than the pictures, by the packets of the finished file."""
    streams = ffmpeg.inspect(folder / video)
    [picture], [sound] = streams.of_kind("Video"), streams.of_kind("Audio")
    return round((sound.duration_seconds - picture.duration_seconds) * 48_000)
