from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bhiv.captions import Cue, line_length, make_cues
from bhiv.plan import SAMPLE_RATE, CaptionPosition, Captions, Samples
from bhiv.speech.words import Word
from bhiv.video.overlay import CaptionLayer, Overlay, make_layer
from bhiv.video.typesetting import Room, letter_size, typeset
from bhiv.video.yuv import YUV
from tests.goldens.burned import rgb

FPS = 30
SIZES = [(144, 144), (640, 360), (360, 640), (480, 480)]
Planes = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


def spoken(text: str, seconds: float = 0.4, start: float = 0) -> list[Word]:
    """Words without a pause between them."""
    step, first = round(SAMPLE_RATE * seconds), round(SAMPLE_RATE * start)
    return [
        Word(text=token, start=Samples(first + number * step), end=Samples(first + (number + 1) * step), sentence=0)
        for number, token in enumerate(text.split())
    ]


def layer_of(
    text: str,
    style: Captions = "karaoke",
    *,
    position: CaptionPosition = "auto",
    offset: int = 0,
    longest: int = 42,
    language: str = "en",
) -> CaptionLayer:
    cues = make_cues(spoken(text), longest)
    layer = make_layer(cues, style, position=position, language=language, offset=Samples(offset))
    assert layer is not None
    return layer


def frame(width: int, height: int, light: int = 100) -> Planes:
    planes = YUV.of(np.full(width * height * 3 // 2, 128, np.uint8), width, height).planes
    planes[0][:] = light
    return planes


def noise(width: int, height: int) -> Planes:
    rng = np.random.default_rng(5)
    planes = frame(width, height)
    planes[0][:] = rng.integers(16, 236, (height, width))
    for plane in planes[1:]:
        plane[:] = rng.integers(60, 196, plane.shape)
    return planes


def burned(layer: CaptionLayer, number: int, width: int = 640, height: int = 360, light: int = 100) -> Planes:
    planes = frame(width, height, light)
    Overlay(layer, width, height, FPS).burn(number, *planes)
    return planes


def golden(planes: Planes) -> NDArray[np.bool_]:
    """Where the chroma of sung letters is, at half of the frame's size."""
    return planes[1] < 100


def extent(mask: NDArray[np.bool_], axis: int = 0) -> tuple[int, int]:
    found = np.flatnonzero(mask.any(axis=axis))
    return int(found[0]), int(found[-1])


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("style", ["karaoke", "phrase", "pop"])
def test_captions_stay_in_the_room_of_every_shape_of_frame(width: int, height: int, style: Captions) -> None:
    text = "Extraordinarily long considerations came slowly, one by one, to everybody."
    layer = layer_of(text, style, longest=line_length(width, height))
    room = Room.of(width, height)

    for number in (3, 40, 80):
        y = burned(layer, number, width, height)[0]
        left, right = extent(y > 180)
        top, bottom = extent(y > 180, axis=1)
        assert room.left - 1 <= left < right <= room.right + 1
        assert room.top - 1 <= top < bottom <= room.bottom + 1


@pytest.mark.parametrize("position", ["top", "middle", "bottom"])
def test_a_caption_is_where_the_plan_wants_it(position: CaptionPosition) -> None:
    top, bottom = extent(burned(layer_of("Here it is.", position=position), 5)[0] > 180, axis=1)

    third = {"top": 0, "middle": 1, "bottom": 2}[position]
    assert 120 * third <= top < bottom < 120 * (third + 1)


def test_upright_captions_keep_above_the_buttons_of_an_app() -> None:
    assert extent(burned(layer_of("Here it is."), 5, 360, 640)[0] > 180, axis=1)[1] <= 640 * 0.8


def test_nothing_outside_the_caption_is_touched() -> None:
    planes, before = noise(640, 360), noise(640, 360)

    Overlay(layer_of("A short one."), 640, 360, FPS).burn(5, *planes)

    for plane, old, by in zip(planes, before, (1, 2, 2), strict=True):
        changed = plane != old
        (top, bottom), (left, right) = extent(changed, axis=1), extent(changed)
        assert top > 280 // by
        assert bottom < 352 // by
        assert left > 200 // by
        assert right < 440 // by


@pytest.mark.parametrize("number", [0, 14, 76, 10_000])
def test_a_frame_before_or_after_the_cue_is_left_as_it_is(number: int) -> None:
    layer = CaptionLayer(
        style="phrase", offset=Samples(SAMPLE_RATE // 2), fonts="",
        cues=(Cue(start=Samples(0), end=Samples(SAMPLE_RATE * 2), lines=(tuple(spoken("Now.")),)),),
    )  # fmt: skip
    planes, before = noise(640, 360), noise(640, 360)

    Overlay(layer, 640, 360, FPS).burn(number, *planes)

    assert all(np.array_equal(plane, old) for plane, old in zip(planes, before, strict=True))


@pytest.mark.parametrize("fps", [24, 29, 30, 60])
def test_a_cue_is_seen_from_the_first_frame_of_its_time_to_the_last(fps: int) -> None:
    start, end = Samples(48_001), Samples(96_000)
    layer = CaptionLayer(
        style="phrase", offset=Samples(0), fonts="", cues=(Cue(start=start, end=end, lines=(tuple(spoken("Now.")),)),)
    )
    overlay = Overlay(layer, 320, 180, fps)

    def seen(number: int) -> bool:
        planes = frame(320, 180)
        overlay.burn(number, *planes)
        return bool((planes[0] != 100).any())

    assert [number for number in range(3 * fps) if seen(number)] == list(range(fps + 1, 2 * fps))


def swept(text: str, language: str) -> Iterator[tuple[int, int]]:
    layer = layer_of(text, language=language)
    overlay = Overlay(layer, 640, 360, FPS)
    for number in range(1, layer.cues[0].end * FPS // SAMPLE_RATE):
        planes = frame(640, 360)
        overlay.burn(number, *planes)
        if golden(planes).any():
            yield extent(golden(planes))


def test_the_sweep_goes_from_left_to_right() -> None:
    edges = list(swept("Seven tall white swans swam past", "en"))

    assert len({left for left, _ in edges}) == 1
    assert [right for _, right in edges] == sorted(right for _, right in edges)
    assert len({right for _, right in edges}) > 40


def test_the_sweep_of_arabic_goes_from_right_to_left() -> None:
    edges = list(swept("نمت زهرة اللوتس في الطين", "ar"))

    assert len({right for _, right in edges}) == 1
    assert [left for left, _ in edges] == sorted((left for left, _ in edges), reverse=True)
    assert len({left for left, _ in edges}) > 40


def test_a_number_in_arabic_is_swept_from_left_to_right() -> None:
    layer = layer_of("عام 2026 ثم", language="ar")  # the number is heard from 0.4 to 0.8 s
    planes = [burned(layer, number) for number in (12, 17, 20)]

    before, soon, late = (golden(one).any(axis=0) for one in planes)
    first, then = (extent(np.asarray(later & ~before)[None]) for later in (soon, late))
    assert first[0] == then[0]
    assert first[1] < then[1]


def test_frames_may_come_in_any_order() -> None:
    layer = layer_of("Seven tall white swans swam past the house, and nobody saw them go.", longest=30)
    overlay = Overlay(layer, 640, 360, FPS)

    for number in (50, 10, 100, 49, 51, 0, 130):
        planes = frame(640, 360)
        overlay.burn(number, *planes)
        for plane, alone in zip(planes, burned(layer, number), strict=True):
            assert np.array_equal(plane, alone)


def test_colour_reaches_as_far_as_light_does() -> None:
    layer = layer_of("Colours agree")
    unsung, half, whole = (rgb(*burned(layer, number, 1920, 1080)).astype(int) for number in (0, 15, 24))
    white, gold = np.array((255, 255, 255)), np.array((255, 209, 82))

    def near(picture: NDArray[np.int_], colour: NDArray[np.int_]) -> NDArray[np.bool_]:
        return np.asarray(np.abs(picture - colour).max(axis=2) < 8)

    letters = cv2.erode(near(unsung, white).astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    assert letters.sum() > 1_000
    assert near(whole, gold)[letters].all()
    assert near(half, gold)[letters].any()
    assert near(half, white)[letters].any()
    assert (near(half, gold) | near(half, white))[letters].all()


def luminance(planes: Planes) -> NDArray[np.float64]:
    channel = rgb(*planes) / 255
    linear = np.where(channel <= 0.04045, channel / 12.92, ((channel + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ (0.2126, 0.7152, 0.0722))


@pytest.mark.parametrize("picture", ["white", "black", "noise"])
@pytest.mark.parametrize("style", ["phrase", "karaoke"])
@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1080, 1920), (640, 360), (320, 320)])
def test_letters_stand_out_on_any_picture(picture: str, style: Captions, width: int, height: int) -> None:
    layer = layer_of("Standing out always", style, longest=42)
    planes = noise(width, height) if picture == "noise" else frame(width, height, {"white": 235, "black": 16}[picture])
    pieces, _ = typeset(layer.cues[0].lines, letter_size(width, height), Room.of(width, height), "auto", "en")
    coverage = np.zeros((height, width), np.uint8)
    for piece in pieces:
        rows, columns = piece.mask.alpha.shape
        part = coverage[piece.y : piece.y + rows, piece.x : piece.x + columns]
        np.maximum(part, piece.mask.alpha, out=part)

    Overlay(layer, width, height, FPS).burn(35, *planes)

    light = luminance(planes)
    # Chroma has half the frame's size: colour bleeds a pixel over an edge, so the letters' inner pixels are looked at.
    inner = cv2.erode(coverage, np.ones((3, 3), np.uint8)) == 255
    inner = inner if inner.sum() > 100 else coverage == 255
    beside = (cv2.dilate(coverage, np.ones((3, 3), np.uint8)) > 128) & (coverage == 0)
    letters, edge = np.quantile(light[inner], 0.01), np.quantile(light[beside], 0.99)
    assert (letters + 0.05) / (edge + 0.05) >= 4.5


def test_words_pop_up_one_by_one() -> None:
    layer = layer_of("Wonderful mountains", "pop")
    widths = [np.ptp(extent(burned(layer, number)[0] > 180)) for number in (0, 1, 2, 3, 8, 11)]

    assert widths[0] < widths[1] < widths[-1]
    assert max(widths) < widths[-1] * 1.08
    assert widths[3] == widths[4] == widths[5]
    assert widths[-1] > np.ptp(extent(burned(layer_of("Wonderful", "phrase"), 5)[0] > 180)) * 1.3
    assert not np.array_equal(burned(layer, 11)[0], burned(layer, 20)[0])


@pytest.mark.parametrize("word", ["Donau" * 60, "प्रार्थना" * 40, "زهرة" * 50])
@pytest.mark.parametrize(("width", "height"), [(144, 144), (640, 360), (360, 640)])
def test_a_word_longer_than_the_frame_is_broken_and_nothing_of_it_lost(word: str, width: int, height: int) -> None:
    lines = (tuple(spoken(word)),)
    room = Room.of(width, height)

    pieces, em = typeset(lines, letter_size(width, height), room, "auto", "en")

    assert em >= 2
    assert len({piece.y + piece.mask.top for piece in pieces}) > 1
    assert min(piece.x for piece in pieces) >= room.left - 2
    assert max(piece.x + piece.mask.alpha.shape[1] for piece in pieces) <= room.right + 2
    assert min(piece.y for piece in pieces) >= 0
    assert [piece.start for piece in pieces[1:]] == [piece.end for piece in pieces[:-1]]
    assert (pieces[0].start, pieces[-1].end) == (lines[0][0].start, lines[0][0].end)


@given(
    st.lists(
        st.sampled_from(["fig", "क्षत्रिय", "عربي", "2026", "(x)", "xعy", "ไทย", "…", "{b}", "ab" * 40, "-"]), min_size=1
    ),
    st.sampled_from(["karaoke", "phrase", "pop"]),
    st.sampled_from([(144, 144), (72, 72), (320, 180), (180, 320)]),
)
@settings(max_examples=25, deadline=None)
def test_any_mixture_of_scripts_is_drawn(tokens: list[str], style: Captions, size: tuple[int, int]) -> None:
    overlay = Overlay(layer_of(" ".join(tokens), style, longest=22), *size, FPS)

    for number in range(0, 12 * len(tokens), 3):
        planes = frame(*size)
        overlay.burn(number, *planes)
        assert number % 12 or (planes[0] != 100).any()


def test_at_most_two_cues_are_kept_in_memory() -> None:
    layer = layer_of("One two three four five six seven eight nine ten eleven twelve thirteen.", longest=12)
    overlay = Overlay(layer, 320, 180, FPS)

    for number in range(150):
        overlay.burn(number, *frame(320, 180))

    assert len(layer.cues) > 2
    assert len(overlay._drawn) == 2


def test_captions_that_are_off_and_scenes_without_words_burn_nothing() -> None:
    cues = make_cues(spoken("Hello."), 42)

    assert make_layer(cues, "off", position="auto", language="en", offset=Samples(0)) is None
    assert make_layer((), "karaoke", position="auto", language="en", offset=Samples(0)) is None


def test_words_of_nothing_that_is_seen_burn_nothing() -> None:
    planes = frame(320, 180)

    Overlay(layer_of("\u200b\u2060"), 320, 180, FPS).burn(2, *planes)

    assert (planes[0] == 100).all()
