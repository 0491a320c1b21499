"""The main job: a script, a plan or a topic becomes a video in the bucket."""

from functools import partial
from typing import Any, Self

from prefect import Flow
from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import BaseModel

from bhiv.attempt import attempted
from bhiv.photos import credits_of
from bhiv.production import Frame, expected_of, programme_of
from bhiv.progress import Progress
from bhiv.record import Summary
from bhiv.request import RenderRequest
from bhiv.settings import Settings, load_settings
from flows.run_settings import identified, is_deployed, settings_of_run, was_cancelled
from flows.scenes import Scenes
from flows.watch import Watch, later, show_storyboard, whole
from tasks.check_video import check_video
from tasks.join_video import join_video
from tasks.make_storyboard import make_storyboard
from tasks.record_video import record_video
from tasks.step import here, under


class EncoderTaskRunner(ThreadPoolTaskRunner[Any]):
    """Runs one task more at once than the settings allow encoders, read when a run starts.

    The clips' own chunks and the sound keep to the encoders; one more draws and looks up what comes next.
    """

    def __enter__(self) -> Self:
        self._max_workers = load_settings().encoders + 1
        return super().__enter__()


class RequestFlow(Flow[[RenderRequest], Summary]):
    """A flow whose parameters are models."""

    def serialize_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return them as JSON, as Prefect does, but without FastAPI, which takes 0.13 s of CPU to import."""
        if not all(isinstance(value, BaseModel) for value in parameters.values()):
            return super().serialize_parameters(parameters)
        return {name: value.model_dump(mode="json") for name, value in parameters.items()}


def _run_name() -> str:
    request = flow_run.parameters["request"]
    request = identified(request if isinstance(request, RenderRequest) else RenderRequest.model_validate(request))
    return f"{request.shown_title} · {request.job_id[-6:]}"


@partial(
    RequestFlow,
    name="script_to_video",
    flow_run_name=_run_name,
    task_runner=EncoderTaskRunner(),  # type: ignore[arg-type]
    persist_result=False,
)
def script_to_video(request: RenderRequest) -> Summary:
    """Make a narrated, illustrated, captioned video from a script, a plan or a topic, and return what was done."""
    settings = settings_of_run()
    with under(settings):
        return _run(identified(request), settings)


def _run(request: RenderRequest, settings: Settings) -> Summary:
    workplace, progress = here(), Progress()
    with attempted(
        workplace, settings, request, progress, flow_run.id, resumable=is_deployed(), was_cancelled=was_cancelled
    ) as attempt:
        if isinstance(attempt, Summary):
            return attempt
        made = make_storyboard.submit(request)
        watch, run = Watch(progress, attempt), attempt.begun.run
        watch.collect(storyboard=[made])
        board = watch.result(made)
        plan, progress.storyboard_source = board.plan, board.source

        frame = Frame.of(plan)
        scenes = Scenes(plan, frame, run, settings)
        collected = 0
        if scenes.awaits_credits:
            scenes.begin()
            watch.collect(images=scenes.images)
            collected = len(scenes.images)
        sound = scenes.finish()
        show_storyboard(plan)
        watch.collect(
            images=scenes.images[collected:],
            tts=scenes.narrated,
            subtitles=scenes.captioned,
            render=scenes.clips,
            stitch=[sound],
        )
        captioned, clips = ([*map(watch.result, futures)] for futures in (scenes.captioned, scenes.clips))
        programme = programme_of(plan, captioned, clips, watch.result(sound))
        video = join_video.submit(run, whole(programme))
        verdict = check_video.submit(later(video), whole(expected_of(programme, frame, scenes.moves)))
        watch.collect(stitch=[video, verdict])
        begun = attempt.made_by(board.source).begun
        credits_ = credits_of((drawn.source, drawn.credit) for drawn in map(watch.result, scenes.own))
        recorded = record_video.submit(
            whole(begun),
            whole(plan),
            later(video),
            later(verdict),
            progress.stages,
            progress.notes,
            board.lm,
            whole(credits_),
        )
        watch.collect(upload=[recorded])
        summary = watch.result(recorded)
        watch.finish(summary, workplace.bucket)
        return summary
