"""Wall time and encodes of a run after one sentence of one of 20 scenes was changed, and after nothing was.

An edit is short beside the machine's other work, so five are made, each of another scene.
"""

from pathlib import Path
from statistics import median

from benchmarks.measuring import Cost, plan_of, run, workshop, write_plan
from bhiv.plan import RenderPlan

SCENES = 20
_EDITED = (3, 7, 10, 14, 18)
_OTHER = "Nobody had ever seen anything like it, and the whole village came to look at it in the morning."


def measure() -> list[str]:
    """Return the rows of the report."""
    plan = plan_of(SCENES)
    with workshop() as folder:
        full = _render(folder, plan)
        again = _render(folder, plan)
        edits = []
        for number in _EDITED:
            plan = _with_another_sentence(plan, number)
            edits.append(_render(folder, plan))
    wall, cpu = (median(costs) for costs in zip(*((one.wall_seconds, one.cpu_seconds) for one in edits), strict=True))
    return [
        f"all {SCENES} scenes, {full.summary['duration_seconds']:.0f} s of video: {_told(full)}",
        f"the same again: {_told(again)}",
        *(
            f"one sentence changed in scene {number + 1}: {_told(edited)}"
            for number, edited in zip(_EDITED, edits, strict=True)
        ),
        f"median of the edits: {wall:.1f} s wall, 1/{full.wall_seconds / wall:.1f} of all;"
        f" {cpu:.1f} CPU s, 1/{full.cpu_seconds / cpu:.1f} of all",
    ]


def _with_another_sentence(plan: RenderPlan, number: int) -> RenderPlan:
    scenes = list(plan.scenes)
    first, _, _ = scenes[number].narration.partition(". ")
    scenes[number] = scenes[number].model_copy(update={"narration": f"{first}. {_OTHER}"})
    return plan.model_copy(update={"scenes": tuple(scenes)})


def _render(folder: Path, plan: RenderPlan) -> Cost:
    write_plan(folder, plan, "plan.json")
    return run(folder, "render", "plan.json", "--json")


def _told(cost: Cost) -> str:
    render = cost.summary["stages"]["render"]
    made = render["total"] - render["cached"]
    return f"{cost.wall_seconds:.1f} s wall, {cost.cpu_seconds:.1f} CPU s, {made} clips encoded"
