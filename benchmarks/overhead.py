"""Wall time of everything that is not scene work, with the server running: where the seconds go."""

from benchmarks.measuring import plan_of, run, workshop, write_plan

SCENES = 8


def measure() -> list[str]:
    """Return the rows of the report."""
    with workshop() as folder:
        write_plan(folder, plan_of(SCENES), "plan.json")
        first = run(folder, "render", "plan.json", "--json")
        again = run(folder, "render", "plan.json", "--json")
        for kept in [*(folder / "bucket/clips").glob("join-*"), *(folder / "bucket/videos").glob("gate-*")]:
            kept.unlink()
        joined = run(folder, "render", "plan.json", "--json")
        started = run(folder, "plan", "plan.json")
    return [
        f"`bhiv plan`, imports and checks: {started.wall_seconds:.1f} s",
        f"a run that makes nothing, imports and Prefect of {SCENES} scenes included: {again.wall_seconds:.1f} s",
        f"a run that joins and checks only, which is all that is not scene work: {joined.wall_seconds:.1f} s",
        f"whole run: {first.wall_seconds:.1f} s for {first.summary['duration_seconds']:.0f} s of video",
    ]
