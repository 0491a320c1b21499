from bhiv.cache import Made
from bhiv.progress import Progress
from bhiv.record import Stage


def test_what_many_runs_say_is_told_once() -> None:
    progress, stage = Progress(), Stage(seconds=1, cached=0, total=1)

    for notes in (("the photos are away",), (), ("the photos are away",), ("the voice was slow",)):
        progress.count("images", Made(stage, 0.5, cached=False, notes=notes))

    assert progress.notes == ("the photos are away (2 times)", "the voice was slow")
    assert progress.stages["images"].total == 4
