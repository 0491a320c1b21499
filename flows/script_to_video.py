"""The main job: a script, a plan or a topic becomes a video in the bucket."""

from typing import Any, Self

from prefect import flow
from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner

from bhiv.attempt import attempted
from bhiv.photos import Collection, credits_of, wish_pictures
from bhiv.pictures import brief_scenes
from bhiv.plan import RenderPlan
from bhiv.production import Frame, expected_of, programme_of
from bhiv.progress import Progress
from bhiv.record import Summary
from bhiv.request import RenderRequest
from bhiv.settings import Settings, load_settings
from bhiv.speech import choose_voices
from bhiv.video import camera
from flows.run_settings import identified, is_deployed, settings_of_run, was_cancelled
from flows.watch import Watch, later, result, show_storyboard
from tasks.check_video import check_video
from tasks.draw_picture import draw_picture
from tasks.encode_clip import encode_clip
from tasks.find_photos import find_photos
from tasks.join_video import join_video
from tasks.make_storyboard import make_storyboard
from tasks.master_sound import master_sound
from tasks.record_video import record_video
from tasks.set_captions import set_captions
from tasks.speak_narration import speak_narration
from tasks.step import here, under


class EncoderTaskRunner(ThreadPoolTaskRunner[Any]):
    """Runs as many tasks at once as the settings allow encoders, read when a run starts."""

    def __enter__(self) -> Self:
        self._max_workers = load_settings().encoders
        return super().__enter__()


def _run_name() -> str:
    request = flow_run.parameters["request"]
    request = identified(request if isinstance(request, RenderRequest) else RenderRequest.model_validate(request))
    return f"{request.shown_title} · {request.job_id[-6:]}"


@flow(name="script_to_video", flow_run_name=_run_name, task_runner=EncoderTaskRunner(), persist_result=False)  # type: ignore[arg-type]
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
        watch, run = Watch(progress, attempt), attempt.begun.run
        made = make_storyboard.submit(request)
        watch.collect(storyboard=[made])
        board = result(made)
        plan, progress.storyboard_source = board.plan, board.source
        show_storyboard(plan)

        frame = Frame.of(plan)
        scenes = _Scenes(plan, frame, run, settings)
        watch.collect(
            images=[*scenes.found, *scenes.drawn],
            tts=scenes.narrated,
            subtitles=scenes.captioned,
            render=scenes.clips,
            stitch=[scenes.sound],
        )
        programme = programme_of(
            plan, [*map(result, scenes.captioned)], [*map(result, scenes.clips)], result(scenes.sound)
        )
        video = join_video.submit(run, programme)
        verdict = check_video.submit(later(video), expected_of(programme, frame))
        watch.collect(stitch=[video, verdict])
        begun = attempt.made_by(board.source).begun
        credits_ = credits_of((drawn.source, drawn.credit) for drawn in map(result, scenes.drawn))
        recorded = record_video.submit(
            begun, plan, later(video), later(verdict), progress.stages, progress.notes, board.lm, credits_
        )
        watch.collect(upload=[recorded])
        watch.finish(result(recorded), workplace.bucket)
        return result(recorded)


class _Scenes:
    """The tasks of all scenes, submitted step by step: what a task waits for has then been started before it."""

    def __init__(self, plan: RenderPlan, frame: Frame, run: str, settings: Settings) -> None:
        voices = choose_voices(plan.voice, plan.language, settings)
        briefs = brief_scenes(plan, *camera.picture_size(frame.width, frame.height))
        labels = [f"{number} of {len(plan.scenes)}" for number in range(1, len(plan.scenes) + 1)]
        moves = [camera.choose(scene.camera, number) for number, scene in enumerate(plan.scenes)]
        wishes = wish_pictures(plan, briefs)
        searched = Collection.of(settings).searched_first and any(wish.queries for wish in wishes)
        self.found = [find_photos.submit(wishes)] if searched else []
        found = later(self.found[0]) if self.found else None
        self.drawn = [draw_picture.submit(label, run, wish, found) for label, wish in zip(labels, wishes, strict=True)]
        self.narrated = [
            speak_narration.submit(label, run, scene, plan.language, voices)
            for label, scene in zip(labels, plan.scenes, strict=True)
        ]
        self.captioned = [
            set_captions.submit(
                label, scene, later(narrated), plan.captions, frame, later(drawn) if scene.footage else None
            )
            for label, scene, narrated, drawn in zip(labels, plan.scenes, self.narrated, self.drawn, strict=True)
        ]
        # Before the clips: it is then done while they are encoded, and the join has only to copy.
        self.sound = master_sound.submit(run, [*map(later, self.narrated)], [*map(later, self.captioned)], frame)
        self.clips = [
            encode_clip.submit(label, run, move, later(drawn), later(captioned), frame)
            for label, move, drawn, captioned in zip(labels, moves, self.drawn, self.captioned, strict=True)
        ]
