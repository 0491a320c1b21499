"""The tasks of all scenes of a video, and the order in which they are submitted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from prefect.futures import PrefectFuture

from bhiv.cache import Made
from bhiv.cards import Card, awaits_credits, end_cards, title_cards
from bhiv.photos import Collection, Wish, wish_pictures
from bhiv.pictures import brief_scenes
from bhiv.plan import Camera, RenderPlan, Scene
from bhiv.production import Captioned, CaptionLook, Drawn, Frame, Narrated, are_narrated
from bhiv.settings import Settings
from bhiv.speech import choose_voices
from bhiv.video import camera, encoder, parallax
from bhiv.video.clip import Clip
from bhiv.video.sound import Mastered
from bhiv.video.staging import moves_of, stage_scene
from flows.watch import later, result, whole
from tasks.draw_picture import draw_picture
from tasks.encode_clip import encode_clip
from tasks.find_photos import find_photos
from tasks.master_sound import master_sound
from tasks.set_captions import set_captions
from tasks.speak_narration import speak_narration
from tasks.step import here

T = TypeVar("T")


@dataclass(frozen=True)
class _Shot:
    """What is known of a scene or a card before anything of it is made."""

    label: str
    scene: Scene
    move: Camera
    wish: Wish
    layered: bool = False
    is_card: bool = False


class Scenes:
    """The tasks of all scenes, each submitted when it is first asked for, right after those that it waits for.

    Where little has to be made again, that is asked for first: it is encoded while all else is looked up.
    """

    def __init__(self, plan: RenderPlan, frame: Frame, run: str, settings: Settings) -> None:
        self._plan, self._frame, self._run, self._settings = plan, frame, run, settings
        self._look = CaptionLook.of(plan)
        self._voices = choose_voices(plan.voice, plan.language, settings)
        self._encoder = encoder.choose(settings).name
        self._size = camera.picture_size(frame.width, frame.height)
        collection = Collection.of(settings)
        wishes = wish_pictures(plan, brief_scenes(plan, *self._size))
        searched = collection.searched_first and any(wish.queries for wish in wishes)
        self.awaits_credits = awaits_credits(plan, wishes, collection)
        self._found = [find_photos.submit(wishes)] if searched else []
        # Numbered without cards, so that one more changes no other scene.
        rows = zip(plan.scenes, moves_of(plan), wishes, strict=True)
        own = [
            _Shot(f"{number} of {len(wishes)}", scene, move, wish, parallax.suits(frame.quality, move))
            for number, (scene, move, wish) in enumerate(rows, 1)
        ]
        #: Of all that is shown, in order.
        self._shots = _cards(title_cards(plan, *self._size)) + own
        self._drawn: dict[int, PrefectFuture[Made[Drawn]]] = {}
        self._narrated: dict[int, PrefectFuture[Made[Narrated]]] = {}
        self._captioned: dict[int, PrefectFuture[Made[Captioned]]] = {}
        self._clips: dict[int, PrefectFuture[Made[Clip]]] = {}

    @property
    def moves(self) -> list[Camera]:
        """What the camera does in each of all that is shown."""
        return [shot.move for shot in self._shots]

    @property
    def images(self) -> list[PrefectFuture[Made[Any]]]:
        """The search for pictures and all pictures, in the order in which they were submitted."""
        return [*self._found, *self._drawn.values()]

    @property
    def own(self) -> list[PrefectFuture[Made[Drawn]]]:
        """The pictures of the plan's own scenes, in order."""
        return [self._picture(number) for number, shot in enumerate(self._shots) if not shot.is_card]

    @property
    def narrated(self) -> list[PrefectFuture[Made[Narrated]]]:
        """The narrations of all that is shown, in order."""
        return self._of_all(self._narration)

    @property
    def captioned(self) -> list[PrefectFuture[Made[Captioned]]]:
        """The captions of all that is shown, in order."""
        return self._of_all(self._captions)

    @property
    def clips(self) -> list[PrefectFuture[Made[Clip]]]:
        """The clips of all that is shown, in order."""
        return self._of_all(self._clip)

    def begin(self) -> None:
        """Submit what can be made before the credits are known, all pictures first: they tell them."""
        self._of_all(self._picture)
        self._of_all(self._clip)

    def finish(self) -> PrefectFuture[Made[Mastered]]:
        """Submit what is left, with the end card, and return the sound."""
        owed = [drawn.credit for drawn in map(result, self.own) if drawn.credit] if self.awaits_credits else []
        self._shots += _cards(end_cards(self._plan, owed, *self._size))
        for number in self._new()[: self._settings.encoders]:
            self._clip(number)
        # Before the other clips: it is then done while they are encoded, and the join has only to copy.
        sound = self._sound()
        self._of_all(self._clip)
        return sound

    def _new(self) -> list[int]:
        """Return the scenes that have not been spoken before."""
        scenes = [shot.scene for shot in self._shots]
        there = are_narrated(here(), scenes, self._plan.language, self._voices, self._settings)
        return [number for number, known in enumerate(there) if not known]

    def _of_all(self, ask: Callable[[int], PrefectFuture[T]]) -> list[PrefectFuture[T]]:
        return [ask(number) for number in range(len(self._shots))]

    def _picture(self, number: int) -> PrefectFuture[Made[Drawn]]:
        if number not in self._drawn:
            shot = self._shots[number]
            found = later(self._found[0]) if self._found and not shot.is_card else None
            self._drawn[number] = draw_picture.submit(shot.label, self._run, whole(shot.wish), found, shot.layered)
        return self._drawn[number]

    def _narration(self, number: int) -> PrefectFuture[Made[Narrated]]:
        if number not in self._narrated:
            shot, language = self._shots[number], self._plan.language
            self._narrated[number] = speak_narration.submit(
                shot.label, self._run, whole(shot.scene), language, self._voices
            )
        return self._narrated[number]

    def _captions(self, number: int) -> PrefectFuture[Made[Captioned]]:
        if number not in self._captioned:
            shot, spoken, footage = self._shots[number], later(self._narration(number)), self._footage(number)
            self._captioned[number] = set_captions.submit(
                shot.label, whole(shot.scene), spoken, whole(self._look), whole(self._frame), footage
            )
        return self._captioned[number]

    def _footage(self, number: int) -> Made[Drawn] | None:
        """Return what shows a scene's footage; None for one without, whose picture words and sound don't wait for."""
        return later(self._picture(number)) if self._shots[number].scene.footage else None

    def _clip(self, number: int) -> PrefectFuture[Made[Clip]]:
        if number not in self._clips:
            scenes = [shot.scene for shot in self._shots]
            staging = stage_scene(scenes, self.moves, number, self._plan.transition)
            # Its own and, where it begins over the scene before, that one's.
            seen = [number, number - 1] if staging.before else [number]
            drawn, captioned = [later(self._picture(at)) for at in seen], [later(self._captions(at)) for at in seen]
            label = self._shots[number].label
            self._clips[number] = encode_clip.submit(
                label, self._run, whole(staging), drawn, captioned, whole(self._frame), self._encoder
            )
        return self._clips[number]

    def _sound(self) -> PrefectFuture[Made[Mastered]]:
        narrated, captioned = [*map(later, self.narrated)], [*map(later, self.captioned)]
        footage = [self._footage(number) for number in range(len(self._shots))]
        return master_sound.submit(self._run, narrated, captioned, footage, self._frame, self._plan.music)


def _cards(cards: Sequence[Card]) -> list[_Shot]:
    return [_Shot(card.label, card.scene, card.move, Wish(scene=1, brief=card.brief), is_card=True) for card in cards]
