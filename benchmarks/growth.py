"""Peak memory and time a scene of 10 and of 100 scenes, 640x360."""

from benchmarks.measuring import Cost, plan_of, run, workshop, write_plan

SIZES = (10, 100)


def measure() -> list[str]:
    """Return the rows of the report."""
    costs: dict[int, Cost] = {}
    with workshop() as folder:
        for scenes in SIZES:
            write_plan(folder, plan_of(scenes, size="640x360"), f"{scenes}.json")
            costs[scenes] = run(folder, "render", f"{scenes}.json", "--json")
    small, large = (costs[scenes] for scenes in SIZES)
    return [
        *(
            f"{scenes} scenes: {cost.memory / 1e6:.0f} MB at most, {cost.wall_seconds / scenes:.2f} s a scene"
            for scenes, cost in costs.items()
        ),
        f"ratio of the peaks: {large.memory / small.memory:.2f}",
    ]
