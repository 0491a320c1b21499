from bhiv.cache import Made
from bhiv.progress import Progress
from bhiv.record import STEPS, Stage, StepName


def test_what_many_runs_say_is_told_once() -> None:
    progress, stage = Progress(), Stage(seconds=1, cached=0, total=1)

    for notes in (("the photos are away",), (), ("the photos are away",), ("the voice was slow",)):
        progress.count("images", Made(stage, 0.5, cached=False, notes=notes))

    assert progress.notes == ("the photos are away (2 times)", "the voice was slow")
    assert progress.stages["images"].total == 4


def test_steps_that_go_on_side_by_side_are_told_as_the_first_that_is_not_done() -> None:
    progress, stage = Progress(), Stage(seconds=1, cached=0, total=1)
    order: list[StepName] = ["storyboard", "render", "images", "stitch", "images", "tts", "tts", "subtitles", "render"]
    order += ["subtitles", "stitch", "stitch", "upload"]
    for step in ("images", "tts", "subtitles", "render"):
        progress.expect(step, 2)

    events = [progress.count(step, Made(stage, 0.5, cached=False)) for step in order]

    now, percents = [event.now.step for event in events], [event.percent for event in events]
    assert now == sorted(now, key=STEPS.index)
    assert now[:2] == ["images", "images"]
    assert percents == sorted(percents)
    assert (now[-1], percents[-1]) == ("upload", 100)
    assert (events[2].ended, events[2].now) == (("images", 1, 2), ("images", 1, 2))


def test_runs_that_are_known_later_are_expected_besides_those_that_have_ended() -> None:
    progress = Progress()
    progress.expect("images", 2)
    for _ in range(2):
        progress.count("images", Made(Stage(seconds=1, cached=0, total=1), 0.5, cached=False))

    progress.expect("images", 1)

    assert progress.now == ("storyboard", 0, 1)
    assert progress.count("images", Made(Stage(seconds=1, cached=0, total=1), 0.5, cached=False)).ended == (
        "images",
        3,
        3,
    )
