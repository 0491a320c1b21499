"""The programme's sound as steps: narrations, the sound of clips and music, laid on the frame grid."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bhiv import ffmpeg, music, timeline
from bhiv.bucket import Artifact, Bucket
from bhiv.cache import Made, Step, find_all, keep, recall
from bhiv.errors import MusicError
from bhiv.plan import Contract, Frames, Music, Samples
from bhiv.production import Captioned, Drawn, Frame, Narrated
from bhiv.video import aac, bed, gate_sound, own_sound, sound
from bhiv.workplace import Workplace


class Voice(Contract):
    """A narration, mastered by itself, as packets, and what is heard of them."""

    packets: Artifact
    heard: gate_sound.Part


VOICE = Step("voice", 3, "audio", Voice)

#: Voices that a process encodes and another hears: each takes 12 ms to start. What is done by then is kept.
_AT_ONCE = 16


def make_sound(
    workplace: Workplace,
    run: str,
    narrated: Sequence[Narrated],
    captioned: Sequence[Captioned],
    frame: Frame,
    *,
    wished: Music | None = None,
    ambience: Sequence[sound.Ambience] = (),
    allowed_hosts: Sequence[str] = (),
) -> Made[sound.Mastered]:
    """Lay the narrations on the frame grid, with music and the scenes' own sounds under them, and master the whole.

    Scenes are given in order. Music that can't be had, also from `allowed_hosts` of the own network, is left out, and a
    note says so.
    """
    tune, notes = _find_music(workplace, wished, allowed_hosts)
    shots = timeline.lay_out(made.frames for made in captioned)
    starts = [Samples(timeline.sample_at(shot.start, frame.fps) + timeline.LEAD) for shot in shots]
    soundtrack = sound.Soundtrack(
        voicings=tuple(
            sound.Voicing(narration=made.sound, start=start)
            for made, start in zip(narrated, starts, strict=True)
            if made.spoken.samples
        ),
        length=timeline.sample_at(shots[-1].end, frame.fps),
        spoken=_stretches(narrated, starts) if tune or ambience else (),
        bed=sound.Bed(music=tune, level_db=wished.level_db) if tune and wished else None,
        ambience=tuple(ambience),
    )
    bucket, key = workplace.bucket, sound.STEP.key(soundtrack)

    def make() -> sound.Mastered:
        # One core's work: beside as many clips as there are cores, it and they would last longer.
        with workplace.encoder(), workplace.folder(run, "sound") as folder:
            if tune or ambience:
                file = sound.master(
                    soundtrack,
                    [bucket.fetch(voicing.narration) for voicing in soundtrack.voicings],
                    folder,
                    music=music.decode(bucket.fetch(tune), folder / "music.wav", soundtrack.length) if tune else None,
                    ambience=[bucket.fetch(one.sound) for one in ambience],
                )
                heard = gate_sound.listen(file)
            else:
                file, heard = _voices(bucket, soundtrack, folder)
            # Here and not at the gate, which has nothing else to do by then: it finds the same packets in the video.
            [track] = ffmpeg.inspect(file).all
            keep(bucket, gate_sound.key(track.digest), heard)
            return sound.Mastered(sound=bucket.put_file(f"{key}.m4a", file, "audio/mp4"))

    return replace(recall(bucket, sound.STEP, key, make), notes=notes)


def _voices(bucket: Bucket, soundtrack: sound.Soundtrack, folder: Path) -> tuple[Path, gate_sound.Heard]:
    """Master voices with nothing under them, of which only those are encoded and heard that were not before."""
    narrations = [voicing.narration for voicing in soundtrack.voicings]
    starts = [voicing.start for voicing in soundtrack.voicings]
    dialogue = sound.hear(starts, [*map(bucket.fetch, narrations)], soundtrack.length, folder)
    keys = [VOICE.key(narration, dialogue.gain_db, soundtrack.encoder) for narration in narrations]
    voices, firsts = _make_voices(bucket, dialogue, keys, folder), [*map(sound.packet_at, starts)]
    packets = [(first, bucket.fetch(voice.packets)) for first, voice in zip(firsts, voices, strict=True)]
    # A packet's samples are heard with the one before.
    parts = [((first - 1) * aac.PACKET, voice.heard) for first, voice in zip(firsts, voices, strict=True)]
    return aac.lay(packets, soundtrack.length, folder), gate_sound.together(parts, soundtrack.length)


def _make_voices(bucket: Bucket, dialogue: sound.Dialogue, keys: Sequence[str], folder: Path) -> list[Voice]:
    """Return the voices by these names, in order; those that are not in the bucket are made, some at once."""
    known, made = find_all(bucket, VOICE, keys), dict[int, Voice]()
    new = [number for number, voice in enumerate(known) if voice is None]
    for first in range(0, len(new), _AT_ONCE):
        some = new[first : first + _AT_ONCE]
        files = sound.encode_voices(dialogue, some, folder)
        for number, file, heard in zip(some, files, gate_sound.listen_to_parts(files, folder), strict=True):
            packets = bucket.put_file(f"{keys[number]}.aac", file, "audio/aac")
            made[number] = Voice(packets=packets, heard=heard)
            keep(bucket, keys[number], made[number])
    return [voice or made[number] for number, voice in enumerate(known)]


def _find_music(
    workplace: Workplace, wished: Music | None, allowed_hosts: Sequence[str]
) -> tuple[Artifact | None, tuple[str, ...]]:
    if wished is None:
        return None, ()
    try:
        return music.find_music(workplace.bucket, wished, allowed_hosts), ()
    except MusicError as error:
        return None, (f"{error}; the video has no music",)


def _stretches(narrated: Sequence[Narrated], starts: Sequence[Samples]) -> tuple[bed.Span, ...]:
    """Return when somebody speaks, on the programme's time."""
    return bed.spans(
        (Samples(start + word.start), Samples(start + word.end))
        for made, start in zip(narrated, starts, strict=True)
        for word in made.spoken.words
    )


def make_ambience(
    workplace: Workplace,
    run: str,
    drawn: Sequence[Drawn | None],
    captioned: Sequence[Captioned],
    frame: Frame,
) -> tuple[sound.Ambience, ...]:
    """Take the sounds of the scenes' clips, each as long as its scene, where the plan keeps them and there are some."""
    found = []
    for shot, one in zip(timeline.lay_out(made.frames for made in captioned), drawn, strict=True):
        kept = make_footage_sound(workplace, run, one, shot.frames, frame.fps).result.sound if one else None
        if kept is not None:
            found.append(sound.Ambience(sound=kept, start=timeline.sample_at(shot.start, frame.fps)))
    return tuple(found)


def make_footage_sound(
    workplace: Workplace, run: str, drawn: Drawn, frames: Frames, fps: int
) -> Made[own_sound.OwnSound]:
    """Take the sound of a scene's clip, as long as the scene; none where the plan drops it, or it has none."""
    if drawn.footage is None or drawn.footage.wanted.sound == "drop":
        return Made(own_sound.OwnSound(sound=None), 0.0, cached=True)
    spec = own_sound.SoundSpec(footage=drawn.footage, frames=frames, fps=fps)
    bucket, key = workplace.bucket, own_sound.STEP.key(spec)

    def make() -> own_sound.OwnSound:
        with workplace.folder(run, "sound") as folder:
            file = own_sound.extract(spec, bucket.fetch(drawn.image), folder)
            return own_sound.OwnSound(sound=bucket.put_file(f"{key}.wav", file, "audio/wav") if file else None)

    return recall(bucket, own_sound.STEP, key, make)
