"""Encoding: a scene's clip in chunks, each of which is found again, side by side where there is room."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from bhiv import ffmpeg
from bhiv.cache import Made, recall
from bhiv.errors import ToolFailed
from bhiv.plan import Frames
from bhiv.production import Captioned, Drawn, Frame
from bhiv.video import clip, encoder, transitions
from bhiv.video.camera import Still
from bhiv.video.clip import Chunk, Clip, ClipSpec, Entry
from bhiv.video.staging import Movement, Staging
from bhiv.workplace import Workplace


def make_clip(
    workplace: Workplace,
    run: str,
    staging: Staging,
    drawn: Sequence[Drawn],
    captioned: Sequence[Captioned],
    frame: Frame,
    encoder_name: str = encoder.X264,
) -> Made[Clip]:
    """Encode a scene's pictures, captions burned in, by an encoder that `encoder.choose` gave.

    `drawn` and `captioned` are the scene's and then, where it begins with a transition, those of the scene before. All
    clips of this process together have as many encoders at work as the settings allow.
    """
    specs = clip_specs(staging, drawn, captioned, frame, encoder_name)

    def make(spec: ClipSpec) -> Made[Chunk]:
        return _make_chunk(workplace, run, spec, drawn, encoder_name)

    # The longest first: what begins last should end soon.
    order = sorted(specs, key=lambda spec: -spec.frames)
    with ThreadPoolExecutor(min(len(specs), workplace.encoders)) as pool:
        made = dict(zip([spec.first for spec in order], pool.map(make, order), strict=True))
    chunks = tuple(made[spec.first].result for spec in specs)
    seconds, cached = sum(one.seconds for one in made.values()), all(one.cached for one in made.values())
    return Made(Clip(chunks=chunks), seconds, cached)


def _make_chunk(
    workplace: Workplace, run: str, spec: ClipSpec, drawn: Sequence[Drawn], encoder_name: str
) -> Made[Chunk]:
    key = clip.STEP.key(spec)

    def make() -> Chunk:
        seen = [workplace.bucket.fetch(one.layers or one.image) for one in drawn[: 2 if spec.entry else 1]]
        with workplace.encoder(), workplace.folder(run, "clip") as folder:
            try:
                file = clip.encode(spec, seen, folder, workplace.stall_seconds, encoder=encoder.named(encoder_name))
            except ToolFailed as error:
                encoder.distrust(workplace.runs.parent, encoder_name, str(error))
                raise
            return Chunk(video=workplace.bucket.put_file(f"{key}.mp4", file, "video/mp4"), frames=spec.frames)

    return recall(workplace.bucket, clip.STEP, key, make)


def clip_specs(
    staging: Staging,
    drawn: Sequence[Drawn],
    captioned: Sequence[Captioned],
    frame: Frame,
    encoder_name: str = encoder.X264,
) -> list[ClipSpec]:
    """Return what decides the chunks of the clip that `make_clip` makes of the same, in order."""
    arguments = encoder.named(encoder_name).arguments(frame.quality, frame.fps)
    own = captioned[0]
    entry = _entry(staging, drawn, captioned, frame)
    specs, first = list[ClipSpec](), 0
    for frames in clip.chunk_lengths(own.frames, frame.fps, entry.frames if entry else Frames(0)):
        specs.append(
            ClipSpec(
                first=Frames(first),
                frames=frames,
                still=_still(staging.movement, drawn[0], own),
                footage=drawn[0].footage,
                entry=entry if entry and first < entry.frames else None,
                captions=own.layer,
                encoder=" ".join([ffmpeg.VERSION, *arguments]),
                **frame.model_dump(),
            )
        )
        first += frames
    return specs


def _still(movement: Movement, drawn: Drawn, captioned: Captioned) -> Still:
    parts = drawn.layers.sha256 if drawn.layers else None
    return Still(
        picture_sha256=drawn.image.sha256, layers_sha256=parts, frames=captioned.frames, **movement.model_dump()
    )


def _entry(staging: Staging, drawn: Sequence[Drawn], captioned: Sequence[Captioned], frame: Frame) -> Entry | None:
    if staging.transition is None or staging.before is None:
        return None
    return Entry(
        transition=staging.transition,
        frames=Frames(transitions.frames_of(staging.transition, frame.fps, captioned[0].frames)),
        still=_still(staging.before, drawn[1], captioned[1]),
        footage=drawn[1].footage,
    )
