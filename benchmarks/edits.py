"""Wall time and encodes of a run after one sentence of one of 20 scenes was changed, and after nothing was."""

from pathlib import Path

from benchmarks.measuring import Cost, plan_of, run, workshop, write_plan
from bhiv.plan import RenderPlan

SCENES = 20


def measure() -> list[str]:
    """Return the rows of the report."""
    plan = plan_of(SCENES)
    with workshop() as folder:
        full = _render(folder, plan)
        again = _render(folder, plan)
        edited = _render(folder, _with_another_sentence(plan, SCENES // 2))
    return [
        f"all {SCENES} scenes, {full.summary['duration_seconds']:.0f} s of video: {_told(full)}",
        f"the same again: {_told(again)}",
        f"one sentence changed in one scene: {_told(edited)}, 1/{full.wall_seconds / edited.wall_seconds:.1f} of all",
    ]


def _with_another_sentence(plan: RenderPlan, number: int) -> RenderPlan:
    scenes = list(plan.scenes)
    first, _, _ = scenes[number].narration.partition(". ")
    other = "Nobody had ever seen anything like it, and the whole village came to look at it in the morning."
    scenes[number] = scenes[number].model_copy(update={"narration": f"{first}. {other}"})
    return plan.model_copy(update={"scenes": tuple(scenes)})


def _render(folder: Path, plan: RenderPlan) -> Cost:
    write_plan(folder, plan, "plan.json")
    return run(folder, "render", "plan.json", "--json")


def _told(cost: Cost) -> str:
    render = cost.summary["stages"]["render"]
    made = render["total"] - render["cached"]
    return f"{cost.wall_seconds:.1f} s wall, {cost.cpu_seconds:.1f} CPU s, {made} clips encoded"
