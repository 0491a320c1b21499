"""The main job: a script, a plan or a topic becomes a video in the bucket."""

from functools import partial
from typing import Any, Self

from prefect import Flow
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import BaseModel

from bhiv.attempt import attempted
from bhiv.cache import Made
from bhiv.cards import Card, awaits_credits, end_cards, title_cards
from bhiv.photos import Collection, Wish, credits_of, wish_pictures
from bhiv.pictures import brief_scenes
from bhiv.plan import Camera, RenderPlan, Scene
from bhiv.production import Captioned, CaptionLook, Drawn, Frame, Narrated, expected_of, programme_of
from bhiv.progress import Progress
from bhiv.record import Summary
from bhiv.request import RenderRequest
from bhiv.settings import Settings, load_settings
from bhiv.speech import choose_voices
from bhiv.video import camera, encoder, parallax
from bhiv.video.clip import Clip
from bhiv.video.staging import moves_of, stage_scene
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
    """Runs one task more at once than the settings allow encoders, read when a run starts.

    The clips' own chunks keep to the encoders; without one more, the sound would keep a clip from being begun.
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
        watch, run = Watch(progress, attempt), attempt.begun.run
        made = make_storyboard.submit(request)
        watch.collect(storyboard=[made])
        board = result(made)
        plan, progress.storyboard_source = board.plan, board.source
        show_storyboard(plan)

        frame = Frame.of(plan)
        scenes = _Scenes(plan, frame, run, settings)
        pictures: list[PrefectFuture[Made[Any]]] = [*scenes.found, *scenes.drawn]
        if scenes.awaits_credits:
            watch.collect(images=pictures)
            pictures = []
        scenes.finish()
        watch.collect(
            images=[*pictures, *scenes.cards],
            tts=scenes.narrated,
            subtitles=scenes.captioned,
            render=scenes.clips,
            stitch=[scenes.sound],
        )
        programme = programme_of(
            plan, [*map(result, scenes.captioned)], [*map(result, scenes.clips)], result(scenes.sound)
        )
        video = join_video.submit(run, programme)
        verdict = check_video.submit(later(video), expected_of(programme, frame, scenes.moves))
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
        self._plan, self._frame, self._run = plan, frame, run
        self._voices = choose_voices(plan.voice, plan.language, settings)
        self._encoder = encoder.choose(settings).name
        self._size = camera.picture_size(frame.width, frame.height)
        collection = Collection.of(settings)
        wishes = wish_pictures(plan, brief_scenes(plan, *self._size))
        searched = collection.searched_first and any(wish.queries for wish in wishes)
        self.awaits_credits = awaits_credits(plan, wishes, collection)
        self.found = [find_photos.submit(wishes)] if searched else []
        found = later(self.found[0]) if self.found else None
        labels = [f"{number} of {len(plan.scenes)}" for number in range(1, len(plan.scenes) + 1)]
        # Numbered without cards, so that one more changes no other scene.
        moves = moves_of(plan)
        self.drawn = [
            draw_picture.submit(label, run, wish, found, parallax.suits(frame.quality, move))
            for label, wish, move in zip(labels, wishes, moves, strict=True)
        ]
        # Of all that is shown, in order, cards too; `drawn` are the plan's own scenes only.
        self._labels, self._scenes, self.moves = list[str](), list[Scene](), list[Camera]()
        self._shown, self.cards = list[PrefectFuture[Made[Drawn]]](), list[PrefectFuture[Made[Drawn]]]()
        self._add_cards(title_cards(plan, *self._size))
        self._labels += labels
        self._scenes += plan.scenes
        self._shown += self.drawn
        self.moves += moves
        self.narrated = list[PrefectFuture[Made[Narrated]]]()
        self.captioned = list[PrefectFuture[Made[Captioned]]]()
        self.clips = list[PrefectFuture[Made[Clip]]]()
        if not self.awaits_credits:
            self._add_cards(end_cards(plan, (), *self._size))
        self._speak()
        if self.awaits_credits:
            self._encode()

    def finish(self) -> None:
        """Submit what is left: the end card, where its credits had to be awaited, the sound and the clips."""
        if self.awaits_credits:
            owed = [drawn.credit for drawn in map(result, self.drawn) if drawn.credit]
            self._add_cards(end_cards(self._plan, owed, *self._size))
            self._speak()
        # Before the clips: it is then done while they are encoded, and the join has only to copy.
        self.sound = master_sound.submit(
            self._run,
            [*map(later, self.narrated)],
            [*map(later, self.captioned)],
            [self._clip_of(number) for number in range(len(self._scenes))],
            self._frame,
            self._plan.music,
        )
        self._encode()

    def _add_cards(self, cards: tuple[Card, ...]) -> None:
        for card in cards:
            self.cards.append(draw_picture.submit(card.label, self._run, Wish(scene=1, brief=card.brief), None))
            self._shown.append(self.cards[-1])
            self._labels.append(card.label)
            self._scenes.append(card.scene)
            self.moves.append(card.move)

    def _speak(self) -> None:
        """Submit narration and captions of the scenes that have none yet."""
        plan, new = self._plan, range(len(self.narrated), len(self._scenes))
        self.narrated += [
            speak_narration.submit(self._labels[n], self._run, self._scenes[n], plan.language, self._voices)
            for n in new
        ]
        look = CaptionLook.of(plan)
        self.captioned += [
            set_captions.submit(
                self._labels[n], self._scenes[n], later(self.narrated[n]), look, self._frame, self._clip_of(n)
            )
            for n in new
        ]

    def _clip_of(self, number: int) -> Made[Drawn] | None:
        """Return what shows a scene's footage; None for one without, whose picture nobody else has to wait for."""
        return later(self._shown[number]) if self._scenes[number].footage else None

    def _encode(self) -> None:
        """Submit the clips of the scenes that have none yet."""
        for number in range(len(self.clips), len(self._scenes)):
            staging = stage_scene(self._scenes, self.moves, number, self._plan.transition)
            # Its own and, where it begins over the scene before, that one's.
            seen = [number, number - 1] if staging.before else [number]
            drawn, captioned = [later(self._shown[at]) for at in seen], [later(self.captioned[at]) for at in seen]
            label = self._labels[number]
            clip = encode_clip.submit(label, self._run, staging, drawn, captioned, self._frame, self._encoder)
            self.clips.append(clip)
