"""Chunks: a clip in parts is the clip, and a change of the scene before re-makes the first alone."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bhiv import captions, ffmpeg, process
from bhiv.encoding import clip_specs, make_clip
from bhiv.plan import SAMPLE_RATE, Camera, Footage, Frames
from bhiv.production import Captioned, Drawn, Frame
from bhiv.video import camera, clip, footage, transitions
from bhiv.video.camera import Still
from bhiv.video.clip import ClipSpec, Entry, chunk_lengths
from bhiv.video.footage import FootageSpec
from bhiv.video.overlay import Overlay
from bhiv.video.probe import probe
from bhiv.video.staging import Movement, Staging
from bhiv.video.transitions import Mixed
from bhiv.video.yuv import Buffer
from bhiv.workplace import Workplace
from tests.integration import media

FPS, RUN = media.FPS, "run"
FRAME = Frame(width=media.WIDTH, height=media.HEIGHT, fps=FPS, quality="standard")
GROUP = 2 * FPS


@pytest.fixture
def place(workplace: Workplace) -> Workplace:
    (workplace.runs / RUN).mkdir(parents=True)
    return workplace


def drawn(place: Workplace, tmp_path: Path, shade: int) -> Drawn:
    picture = media.write_picture(tmp_path / f"{shade}.png", shade=shade)
    return Drawn(image=place.bucket.put_file(f"images/{shade}.png", picture, "image/png"))


def captioned(frames: int) -> Captioned:
    cues = captions.make_cues(media.words("Seven tall white swans swam slowly past the mill.", SAMPLE_RATE * 6), 42)
    return Captioned(cues=cues, layer=media.layer_of(cues, "karaoke"), frames=Frames(frames))


def staged(move: Camera) -> Staging:
    return Staging(movement=Movement(move=move), transition="crossfade", before=Movement(move="pan_left"))


def raw(spec: ClipSpec, pictures: list[Path], folder: Path) -> NDArray[np.uint8]:
    folder.mkdir()
    shape = ("-c:v", "rawvideo", "-pix_fmt", "yuv420p", "-f", "rawvideo", str(folder / "raw.yuv"))
    clip.encode(spec, pictures[: 2 if spec.entry else 1], folder, 60, output=shape)
    return np.fromfile(folder / "raw.yuv", np.uint8)


@pytest.mark.parametrize(
    ("frames", "entry", "lengths"),
    [
        (1, 0, [1]),
        (2 * GROUP + 9, 10, [2 * GROUP + 9]),
        (2 * GROUP + 10, 10, [10, 2 * GROUP]),
        (4 * GROUP + 3, 0, [4 * GROUP + 3]),
        (4 * GROUP + 3, 10, [10, 4 * GROUP - 7]),
        (5 * GROUP + 10, 10, [10, 2 * GROUP, 3 * GROUP]),
        (30 * GROUP + 17, 10, [10, *[3 * GROUP] * 9, 3 * GROUP + 7]),
        (6 * GROUP, 0, [3 * GROUP, 3 * GROUP]),
    ],
)
def test_chunks_begin_where_a_group_does(frames: int, entry: int, lengths: list[int]) -> None:
    assert [*chunk_lengths(Frames(frames), FPS, Frames(entry))] == lengths


@pytest.mark.parametrize("size", [(640, 360), (1280, 720)])
@pytest.mark.parametrize("move", ["zoom_out", "pan_right", "pan_up", "still"])
@pytest.mark.parametrize("transition", ["crossfade", "dip", "slide", None])
def test_the_encoder_is_given_what_the_camera_sees_with_its_caption(
    tmp_path: Path, move: Camera, transition: Mixed | None, size: tuple[int, int]
) -> None:
    """Whether a frame is copied or lent, filled or kept: here each is made in memory of its own."""
    cv2.ipp.setUseIPP_NotExact(True)  # as `clip.encode` does
    cues = captions.make_cues(media.words("Seven tall white swans swam slowly past the mill.", SAMPLE_RATE), 42)
    layer, length = media.layer_of(cues, "karaoke"), Frames(12)
    pictures = [media.write_picture(tmp_path / f"{shade}.png", *size, shade) for shade in (60, 120)]
    stills = [Still(picture_sha256=what, move=what, frames=Frames(36)) for what in (move, "pan_left")]
    spec = ClipSpec(
        frames=Frames(36), still=stills[0], width=size[0], height=size[1], fps=FPS, quality="draft", captions=layer,
        encoder="", entry=Entry(transition=transition, frames=length, still=stills[1]) if transition else None,
    )  # fmt: skip
    shots = [
        camera.open_shot(camera.prepare(np.asarray(Image.open(path))), still, *size, FPS)
        for path, still in zip(pictures, stills, strict=True)
    ]
    assert layer is not None
    overlay, wanted = Overlay(layer, *size, FPS), b""
    for number in range(36):
        scene, under, frame = (Buffer.empty(*size) for _ in range(3))
        for target, plane in zip(frame.frame.planes, shots[0].expose(number, scene).planes, strict=True):
            target[:] = plane
        if transition and number < length:
            before = shots[1].expose(36 + number, under)
            transitions.mix(transition, (number + 1) / (length + 1), before, frame.frame, frame.frame)
        overlay.burn(number, *frame.frame.planes)
        wanted += frame.frame.tobytes()

    assert np.array_equal(raw(spec, pictures, tmp_path / "raw"), np.frombuffer(wanted, np.uint8))


@pytest.mark.parametrize("move", ["zoom_in", "pan_right", "still"])
def test_the_chunks_frames_are_the_whole_scenes(place: Workplace, tmp_path: Path, move: Camera) -> None:
    scenes = [drawn(place, tmp_path, shade) for shade in (60, 120)]
    pictures = [place.bucket.fetch(scene.image) for scene in scenes]
    specs = clip_specs(staged(move), scenes, [captioned(4 * GROUP + 3), captioned(30)], FRAME)
    whole = specs[0].model_copy(update={"frames": Frames(4 * GROUP + 3)})

    chunks = [raw(spec, pictures, tmp_path / f"chunk-{number}") for number, spec in enumerate(specs)]

    assert len(chunks) == 2
    assert np.array_equal(np.concatenate(chunks), raw(whole, pictures, tmp_path / "whole"))


def test_footage_goes_on_where_the_chunk_before_ended(place: Workplace, tmp_path: Path) -> None:
    file = media.write_clip(tmp_path, "own.mp4", 5 * GROUP, move="pan_right")
    artifact = place.bucket.put_file("clips/own.mp4", file, "video/mp4")
    shown: FootageSpec = footage.specify(Footage(object=artifact.key), artifact.sha256, probe(file, "it"), "it")
    scene = Drawn(image=artifact, footage=shown)
    specs = clip_specs(Staging(movement=Movement(move="still")), [scene], [captioned(5 * GROUP)], FRAME)

    chunks = [raw(spec, [file], tmp_path / f"chunk-{number}") for number, spec in enumerate(specs)]
    whole = raw(specs[0].model_copy(update={"frames": Frames(5 * GROUP)}), [file], tmp_path / "whole")

    assert len(chunks) == 2
    assert np.array_equal(np.concatenate(chunks), whole)


def test_a_change_of_the_scene_before_makes_the_first_chunk_alone(place: Workplace, tmp_path: Path) -> None:
    before, other, own = (drawn(place, tmp_path, shade) for shade in (60, 90, 120))
    lengths = [captioned(4 * GROUP), captioned(30)]

    first = make_clip(place, RUN, staged("zoom_in"), [own, before], lengths, FRAME)
    second = make_clip(place, RUN, staged("zoom_in"), [own, other], lengths, FRAME)

    heads, bodies = zip(first.result.chunks, second.result.chunks, strict=True)
    assert heads[0].video.sha256 != heads[1].video.sha256
    assert bodies[0] == bodies[1]
    assert not second.cached
    assert make_clip(place, RUN, staged("zoom_in"), [own, before], lengths, FRAME).cached


def test_each_chunk_can_be_decoded_by_itself_and_is_of_its_length(place: Workplace, tmp_path: Path) -> None:
    scenes = [drawn(place, tmp_path, shade) for shade in (60, 120)]
    made = make_clip(place, RUN, staged("pan_right"), scenes, [captioned(7 * GROUP + 5), captioned(30)], FRAME).result

    entry = round(FPS / 2)
    assert [chunk.frames for chunk in made.chunks] == [entry, 3 * GROUP, 4 * GROUP + 5 - entry]
    for chunk in made.chunks:
        seen = ffmpeg.command("-i", str(place.bucket.fetch(chunk.video)), "-f", "framemd5", "-")
        told = process.run(seen, timeout_seconds=60).stdout.decode()
        assert sum(not line.startswith("#") for line in told.splitlines()) == chunk.frames
