"""The steps of a video, each of which finds again what it made before from the same inputs."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from importlib.metadata import version
from time import monotonic
from typing import TYPE_CHECKING

from pydantic import Field

from bhiv import captions, fonts, pictures, timeline
from bhiv.bucket import Artifact, Bucket
from bhiv.cache import Made, Step, find, find_all, keep_all, recall
from bhiv.captions import Cue
from bhiv.errors import FootageRefused, PictureError
from bhiv.photos import Collection, Credit, Wish, procure
from bhiv.photos.offers import Offer
from bhiv.pictures import Brief
from bhiv.plan import (
    SAMPLE_RATE,
    Camera,
    CaptionPosition,
    Captions,
    Contract,
    Footage,
    Frames,
    Quality,
    RenderPlan,
    Samples,
    Scene,
)
from bhiv.settings import Settings
from bhiv.speech import Spoken, Voice, narrate, read_narration
from bhiv.speech.engine import EMBEDDED
from bhiv.speech.lexicon import NO_WORDS, Lexicon, read_lexicon
from bhiv.speech.narration import Sentence, embedded
from bhiv.speech.utterance import Utterance
from bhiv.storyboard import opening
from bhiv.video import (
    clip,
    filming,
    footage,
    gate,
    gate_pictures,
    gate_sound,
    join,
    layers,
    overlay,
    sound,
)
from bhiv.video.footage import FootageSpec
from bhiv.video.overlay import CaptionLayer
from bhiv.workplace import Workplace

if TYPE_CHECKING:
    from bhiv.speech.chain import Chain, Speaker


class Drawn(Contract):
    """A scene's picture."""

    #: The clip's file where there is footage.
    image: Artifact
    footage: FootageSpec | None = Field(None, description="What is shown of a clip; None for a picture.")
    source: str = Field("offline", description="offline, own, or the service that gave it.")
    credit: Credit | None = Field(None, description="Whom it is owed to; None for nobody.")
    layers: Artifact | None = Field(None, description="Its parts, for a camera that passes them; None: not needed.")


class Layered(Contract):
    """A picture's layers; None when it is flat."""

    layers: Artifact | None


class Narrated(Contract):
    """A scene's narration: its sound and its words."""

    sound: Artifact
    spoken: Spoken


class Frame(Contract):
    """The shape and rate of a video's frames."""

    width: int
    height: int
    fps: int
    quality: Quality

    @classmethod
    def of(cls, plan: RenderPlan) -> "Frame":
        """Return the frames of a plan's video."""
        width, height = plan.pixels
        return cls(width=width, height=height, fps=plan.fps, quality=plan.quality)


class CaptionLook(Contract):
    """How a video's captions look, and in which language they are set."""

    style: Captions
    position: CaptionPosition
    language: str

    @classmethod
    def of(cls, plan: RenderPlan) -> "CaptionLook":
        """Return the look of a plan's captions."""
        return cls(style=plan.captions, position=plan.caption_position, language=plan.language)


class Captioned(Contract):
    """A scene's cues, on its narration's time, what burns them in, and the length that they fit into."""

    cues: tuple[Cue, ...]
    layer: CaptionLayer | None = Field(description="None when nothing is burned in.")
    frames: Frames


PICTURE = Step("picture", 3, "images", Drawn)
LAYERS = Step("layers", layers.VERSION, "images", Layered)
NARRATION = Step("narration", 2, "audio", Narrated)
CAPTIONS = Step("captions", 2, "clips", Captioned)
GATE = Step("gate", 2, "videos", gate.Verdict)

#: How long a scene with nothing to say lasts whose clip can't be shown.
_WITHOUT_CLIP_SECONDS = 5.0

#: Part of the cache key of every narration by the embedded voice.
_ESPEAK = f"espeakng-loader {version('espeakng-loader')}"


def make_picture(workplace: Workplace, run: str, brief: Brief) -> Made[Drawn]:
    """Draw a scene's picture."""
    key = PICTURE.key(brief, fonts.identity(brief.model_dump_json()))

    def make() -> Drawn:
        with workplace.folder(run, "picture") as folder:
            pictures.save(pictures.draw(brief), folder / "picture.jpg")
            return Drawn(image=workplace.bucket.put_file(f"{key}.jpg", folder / "picture.jpg", "image/jpeg"))

    return recall(workplace.bucket, PICTURE, key, make)


def make_layers(workplace: Workplace, run: str, brief: Brief) -> Made[Layered]:
    """Draw a scene's picture in the parts that a camera passes at speeds of their own."""
    key = LAYERS.key(PICTURE.version, brief, fonts.identity(brief.model_dump_json()))

    def make() -> Layered:
        parts = layers.layers_of(pictures.draw_depths(brief))
        if not parts:
            return Layered(layers=None)
        with workplace.folder(run, "layers") as folder:
            layers.save(parts, folder / "layers.npz")
            return Layered(layers=workplace.bucket.put_file(f"{key}.npz", folder / "layers.npz", "application/zip"))

    return recall(workplace.bucket, LAYERS, key, make)


def show_picture(
    workplace: Workplace, run: str, wish: Wish, found: Sequence[Offer], collection: Collection, *, layered: bool = False
) -> Made[Drawn]:
    """Return the picture that a scene shows, from the first source that has one; a designed one when none has.

    A designed one comes with its layers where they are asked for and it has some.
    """
    refused: tuple[str, ...] = ()
    if wish.footage is not None:
        try:
            return _film(workplace, run, wish, wish.footage, collection)
        except (FootageRefused, PictureError) as error:
            refused = (f"{error}; a picture takes its place",)
    photo, told = procure(workplace.bucket, wish, found, collection)
    notes = (*refused, *told)
    if photo is None:
        drawn = replace(make_picture(workplace, run, wish.brief), notes=notes)
        return _with_layers(drawn, make_layers(workplace, run, wish.brief)) if layered else drawn
    return Made(Drawn(**dict(photo.result)), photo.seconds, photo.cached, notes)


def _film(workplace: Workplace, run: str, wish: Wish, wanted: Footage, collection: Collection) -> Made[Drawn]:
    with workplace.folder(run, "footage") as folder:
        made = filming.film(workplace.bucket, wanted, wish.scene, collection.allowed_hosts, folder)
    video = made.result.video
    shown = footage.specify(wanted, video.sha256, made.result.clip, f"scene {wish.scene}: the clip")
    return Made(Drawn(image=video, footage=shown, source="own"), made.seconds, made.cached)


def _with_layers(drawn: Made[Drawn], parts: Made[Layered]) -> Made[Drawn]:
    return replace(
        drawn,
        result=drawn.result.model_copy(update={"layers": parts.result.layers}),
        seconds=drawn.seconds + parts.seconds,
        cached=drawn.cached and parts.cached,
    )


def make_narration(
    workplace: Workplace, run: str, scene: Scene, language: str, voices: Sequence[Voice], settings: Settings
) -> Made[Narrated]:
    """Speak a scene's narration, each sentence by the first of the voices that can.

    Raises:
        SpeechError: nobody could say a sentence.
    """
    if voices[0].engine != EMBEDDED:
        from bhiv.speech.chain import open_chain  # most videos need only the embedded voice

        lexicon = read_lexicon(settings.lexicon_file)
        return make_narration_by(
            workplace, run, scene, open_chain(workplace.bucket, voices, language, settings, _ESPEAK), lexicon
        )
    parts, key = _embedded_narration(scene, language, voices[0], settings)

    def make() -> Narrated:
        return _spoken(workplace, run, key, parts, embedded(voices[0], parts))

    return recall(workplace.bucket, NARRATION, key, make)


def are_narrated(
    workplace: Workplace, scenes: Sequence[Scene], language: str, voices: Sequence[Voice], settings: Settings
) -> list[bool]:
    """Return whether each narration is there already; True for voices that are not embedded: asking would take long."""
    if voices[0].engine != EMBEDDED:
        return [True] * len(scenes)
    keys = [_embedded_narration(scene, language, voices[0], settings)[1] for scene in scenes]
    found = find_all(workplace.bucket, NARRATION, keys)
    return [narrated is not None or not scene.narration for narrated, scene in zip(found, scenes, strict=True)]


def _embedded_narration(
    scene: Scene, language: str, voice: Voice, settings: Settings
) -> tuple[Sequence[Sentence | Fraction], str]:
    parts = read_narration(scene.narration, language, lexicon=read_lexicon(settings.lexicon_file))
    return parts, NARRATION.key(scene.narration, _said(parts), language, voice, _ESPEAK)


def make_narration_by(
    workplace: Workplace, run: str, scene: Scene, chain: "Chain", lexicon: Lexicon = NO_WORDS
) -> Made[Narrated]:
    """Speak a scene's narration by a chain of engines; its key follows from who says each sentence."""
    from bhiv.speech import chain as speech
    from bhiv.speech import word_times

    started = monotonic()
    parts = read_narration(scene.narration, chain.language, speech.LONGEST, lexicon)
    sentences = [part for part in parts if isinstance(part, Sentence)]

    def key_of(speakers: Sequence["Speaker"]) -> str:
        who = [f"{speaker.identity} {speaker.voice.name}" for speaker in speakers]
        return NARRATION.key(scene.narration, _said(parts), chain.language, word_times.VERSION, *who)

    wished = find(workplace.bucket, NARRATION, key_of([chain.speakers[0]] * len(sentences)))
    if wished is not None:
        return Made(wished, monotonic() - started, cached=True)
    taken = [chain.take(sentence) for sentence in sentences]
    takes = {id(sentence): take for sentence, (take, _) in zip(sentences, taken, strict=True)}
    key = key_of([take.speaker for take, _ in taken])

    def say(sentence: Sentence) -> tuple[Voice, Utterance]:
        take = takes[id(sentence)]
        return take.speaker.voice, chain.utterance(sentence, take)

    made = recall(workplace.bucket, NARRATION, key, lambda: _spoken(workplace, run, key, parts, say))
    notes = tuple(dict.fromkeys(note for _, told in taken for note in told))
    return replace(made, seconds=monotonic() - started, notes=notes)


def _said(parts: Sequence[Sentence | Fraction]) -> str:
    """Return all that is said, which the rules and the user's lexicon make of the text."""
    return "\n".join(part.text for part in parts if isinstance(part, Sentence))


def _spoken(
    workplace: Workplace,
    run: str,
    key: str,
    parts: Sequence[Sentence | Fraction],
    say: Callable[[Sentence], tuple[Voice, Utterance]],
) -> Narrated:
    with workplace.folder(run, "narration") as folder:
        spoken = narrate(parts, say, folder / "narration.wav")
        stored = workplace.bucket.put_file(f"{key}.wav", folder / "narration.wav", "audio/wav")
        return Narrated(sound=stored, spoken=spoken)


def make_captions(
    workplace: Workplace,
    scene: Scene,
    narrated: Narrated,
    look: CaptionLook,
    frame: Frame,
    drawn: Drawn | None = None,
) -> Made[Captioned]:
    """Set a scene's captions and length; one with nothing to say lasts as long as the clip that `drawn` has."""
    spoken = narrated.spoken
    least = _least_seconds(scene, spoken, frame, drawn)
    lettered = fonts.identity("".join(word.text for word in spoken.words))
    versions = (captions.VERSION, overlay.VERSION)
    key = CAPTIONS.key(*versions, spoken, least, look, frame, lettered)

    def make() -> Captioned:
        frames = timeline.scene_frames(spoken.samples, least, frame.fps)
        until = Samples(timeline.sample_at(frames, frame.fps) - timeline.LEAD)
        longest = captions.line_length(frame.width, frame.height)
        cues = captions.make_cues(spoken.words, longest, fps=frame.fps, until=until)
        layer = overlay.make_layer(
            cues, look.style, position=look.position, language=look.language, offset=timeline.LEAD
        )
        return Captioned(cues=cues, layer=layer, frames=frames)

    return recall(workplace.bucket, CAPTIONS, key, make)


def _least_seconds(scene: Scene, spoken: Spoken, frame: Frame, drawn: Drawn | None) -> float | None:
    if scene.duration_seconds is not None or spoken.samples or scene.footage is None:
        return scene.duration_seconds
    if drawn is None or drawn.footage is None:
        return _WITHOUT_CLIP_SECONDS
    frames = min(footage.own_frames(drawn.footage, frame.fps), footage.MOST_SECONDS * frame.fps)
    # Down to whole samples: one more would begin another frame.
    return timeline.seconds(Samples(frames * SAMPLE_RATE // frame.fps))


def make_video(workplace: Workplace, run: str, programme: join.Programme) -> Made[join.Video]:
    """Join the clips and the sound, and write the caption files."""
    bucket, key = workplace.bucket, join.STEP.key(programme)

    def make() -> join.Video:
        with workplace.folder(run, "join") as folder:
            chunks = [bucket.fetch(chunk.video) for part in programme.parts for chunk in part.clip.chunks]
            video = bucket.put_file(
                f"{key}.mp4", join.join(programme, chunks, bucket.fetch(programme.sound), folder), "video/mp4"
            )
        cues = programme.cues
        return join.Video(
            video=video,
            srt=bucket.put_bytes(f"{key}.srt", captions.to_srt(cues).encode(), "application/x-subrip"),
            vtt=bucket.put_bytes(f"{key}.vtt", captions.to_vtt(cues).encode(), "text/vtt"),
            frames=programme.frames,
        )

    return recall(bucket, join.STEP, key, make)


def check_video(workplace: Workplace, video: join.Video, expected: gate.Expected) -> Made[gate.Verdict]:
    """Measure the finished video; raises GateRejected when it is not what was asked for."""
    bucket, key = workplace.bucket, GATE.key(video.video.sha256, expected)
    return recall(bucket, GATE, key, lambda: gate.check(bucket.fetch(video.video), expected, _memory(bucket)))


def _memory(bucket: Bucket) -> gate.Memory:
    """Return what gates before found, as records in the bucket."""

    def heard(packets: str) -> gate_sound.Heard | None:
        return find(bucket, gate_sound.STEP, gate_sound.key(packets))

    def seen(names: Sequence[str]) -> list[bool]:
        return [found is not None for found in find_all(bucket, gate_pictures.STEP, names)]

    return gate.Memory(heard, seen, partial(keep_all, bucket))


def programme_of(
    plan: RenderPlan, captioned: Sequence[Captioned], clips: Sequence[clip.Clip], mastered: sound.Mastered
) -> join.Programme:
    """Return what the join makes of a plan's scenes, given in order, with the cards around them."""
    shots = timeline.lay_out(made.frames for made in captioned)
    rows = zip(clips, captioned, shots, _chapters(plan, len(clips)), strict=True)
    parts = tuple(join.Part(clip=made, cues=shown.cues, shot=shot, title=title) for made, shown, shot, title in rows)
    return join.Programme(parts=parts, sound=mastered.sound, fps=plan.fps, language=plan.language, title=plan.title)


def expected_of(programme: join.Programme, frame: Frame, moves: Sequence[Camera] = ()) -> gate.Expected:
    """Return what the finished file must be; `moves` are the scenes' camera moves, of which none may stand still."""
    cues = programme.cues
    moving = [move != "still" for move in moves] or [False] * len(programme.parts)
    # A cue's words are on the scene's time; its own start is on the programme's.
    words = (
        (Samples(word.start + cue.start - first), Samples(word.end + cue.start - first))
        for cue in cues
        for first in [cue.lines[0][0].start]
        for line in cue.lines
        for word in line
    )
    return gate.Expected(
        width=frame.width,
        height=frame.height,
        fps=frame.fps,
        frames=programme.frames,
        spoken=bool(cues),
        scenes=tuple(
            gate.Shown(start=part.shot.start, moves=moves) for part, moves in zip(programme.parts, moving, strict=True)
        ),
        speech=gate.stretches(words),
        captions=len(cues),
        chapters=tuple(part.shot.start for part in programme.parts if part.title),
    )


def _chapters(plan: RenderPlan, count: int) -> list[str]:
    """Return the name of the chapter that begins with each of `count` scenes and cards, empty for none.

    Headings make chapters; where there are none, every scene is one, named by its first words. A title card begins the
    first scene's chapter, and an end card ends the last.
    """
    if any(scene.title for scene in plan.scenes):
        names = [scene.title or ("" if number else plan.title) for number, scene in enumerate(plan.scenes)]
    else:
        names = [opening(scene.narration) or plan.title for scene in plan.scenes]
    if plan.title_card:
        names[1:1] = [""]
    return [*names, *[""] * (count - len(names))]
