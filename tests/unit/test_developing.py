import contextlib
import random
import struct
import zlib
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from bhiv.errors import PictureError
from bhiv.photos.developing import develop, ending_of
from tests.servers.photos import BLUE, GREEN, RED, picture


def seen(data: bytes, width: int = 160, height: int = 90, **given: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The pixels that come of a file."""
    with Image.open(BytesIO(develop(data, width, height, "it", **given))) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (width, height))
        return np.asarray(image)


def assert_colour(pixels: NDArray[np.uint8], colour: tuple[int, ...], most: int = 6) -> None:
    assert np.abs(pixels.reshape(-1, 3).mean(axis=0) - colour).max() <= most


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def halves(width: int, height: int) -> Image.Image:
    """Red above, blue below."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (0, height // 2, width, height))
    return image


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def animation() -> bytes:
    return saved(
        Image.new("RGB", (320, 180), GREEN), "GIF", save_all=True, append_images=[Image.new("RGB", (320, 180), RED)]
    )


GREY16 = png(64, 48, 16, 0, (b"\x00" + struct.pack(">H", 40_000) * 64) * 48)
RGB16 = png(64, 48, 16, 2, (b"\x00" + struct.pack(">HHH", 200 << 8, 30 << 8, 30 << 8) * 64) * 48)
BOMB = png(10_000, 10_000, 1, 0, (b"\x00" * 1251) * 10_000)
#: A header that promises more than is ever unpacked.
HUGE = png(60_000, 60_000, 8, 6, b"")
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
CLIP = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41" + bytes(200)

SHOWN: dict[str, tuple[Callable[[], bytes], tuple[int, int, int]]] = {
    "JPEG": (picture, RED),
    "grey JPEG": (lambda: picture((99,), mode="L"), (99, 99, 99)),
    "PNG": (lambda: picture(kind="PNG"), RED),
    "WebP": (lambda: picture(kind="WEBP", lossless=True), RED),
    "GIF, its first frame": (animation, GREEN),
    "16-bit grey PNG": (lambda: GREY16, (156, 156, 156)),
    "16-bit PNG": (lambda: RGB16, RED),
    "PNG of a palette": (lambda: saved(Image.new("RGB", (90, 60), BLUE).quantize(), "PNG"), BLUE),
    "black and white PNG": (lambda: saved(Image.new("1", (90, 60), 1), "PNG"), (255, 255, 255)),
    "CMYK JPEG": (lambda: saved(Image.new("CMYK", (90, 60), (0, 255, 255, 0)), "JPEG"), (255, 0, 0)),
    "progressive JPEG": (lambda: picture(progressive=True), RED),
    "a picture that is enlarged": (lambda: picture(size=(40, 40)), RED),
    "a very wide one": (lambda: picture(size=(4000, 40)), RED),
}


@pytest.mark.parametrize("name", SHOWN)
def test_every_usual_kind_of_picture_is_shown(name: str) -> None:
    make, colour = SHOWN[name]

    assert_colour(seen(make()), colour)


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "it is no picture"),
    "truncated JPEG": (lambda: noisy()[:5000], "it is damaged: image file is truncated"),
    "truncated PNG": (lambda: noisy("PNG")[:5000], "it is damaged"),
    "truncated WebP": (lambda: noisy("WEBP")[:5000], "it is "),
    "JPEG that lacks its end": (lambda: noisy()[:-400], "it is damaged"),
    "PNG with a wrong sum": (lambda: noisy("PNG").replace(b"IDAT", b"IDAT\x00", 1), "it is damaged"),
    "PNG bomb": (lambda: BOMB, "it has more than 50 million pixels"),
    "a header of 3,600 million pixels": (lambda: HUGE, "it has more than 50 million pixels"),
    "SVG": (lambda: SVG, "it is an SVG drawing"),
    "HTML": (lambda: b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "it is a web page"),
    "video clip": (lambda: CLIP, "it is a video clip, which belongs under the scene's footage"),
    "WebM": (lambda: b"\x1a\x45\xdf\xa3" + bytes(99), "it is a video clip"),
    "HEIC": (lambda: b"\x00\x00\x00\x18ftypheic" + bytes(99), "it is a HEIC or AVIF picture"),
    "TIFF": (lambda: saved(Image.new("RGB", (90, 60), RED), "TIFF"), "it is no picture"),
    "EPS": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "it is no picture"),
    "a pixel": (lambda: picture(size=(1, 1), kind="PNG"), "it has 1x1 pixels"),
}


def noisy(kind: str = "JPEG") -> bytes:
    pixels = np.random.default_rng(7).integers(0, 255, (120, 200, 3), dtype=np.uint8)
    return saved(Image.fromarray(pixels), kind)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_whole_picture_is_refused_in_a_sentence(name: str) -> None:
    make, said = REFUSED[name]

    with pytest.raises(PictureError) as refused:
        develop(make(), 160, 90, "it")

    assert str(refused.value).startswith(said)
    with pytest.raises(PictureError):
        ending_of(make(), "it")


def test_a_bomb_is_refused_also_where_warnings_are_none(recwarn: pytest.WarningsRecorder) -> None:
    with pytest.raises(PictureError, match="50 million pixels"):
        develop(BOMB, 160, 90, "it")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_turned_as_its_camera_was_held(orientation: int, kind: str) -> None:
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    upright = halves(1280, 720)
    held = upright.transpose(turns[orientation]) if orientation in turns else upright
    exif = Image.Exif()
    exif[0x0112] = orientation

    pixels = seen(saved(held, kind, exif=exif))

    assert_colour(pixels[:40], RED)
    assert_colour(pixels[50:], BLUE)


def test_a_transparent_picture_stands_over_the_backdrop() -> None:
    clear = saved(Image.new("RGBA", (320, 180), (255, 0, 0, 0)), "PNG")
    half = saved(Image.new("RGBA", (320, 180), (255, 255, 255, 128)), "WEBP", lossless=True)

    assert_colour(seen(clear, backdrop=GREEN), GREEN)
    assert_colour(seen(half, backdrop=(0, 0, 0)), (128, 128, 128))


def test_the_colours_of_a_profile_are_those_that_are_shown() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # The red and the blue primary change places.
    swapped = srgb.replace(b"rXYZ", b"?XYZ").replace(b"bXYZ", b"rXYZ").replace(b"?XYZ", b"bXYZ")
    data = saved(Image.new("RGB", (90, 60), RED), "PNG", icc_profile=swapped)
    wrong_kind = saved(Image.new("L", (90, 60), 99), "PNG", icc_profile=srgb)
    broken = saved(Image.new("RGB", (90, 60), GREEN), "JPEG", icc_profile=b"no profile at all" * 20)

    assert_colour(seen(data), RED[::-1])
    assert_colour(seen(wrong_kind), (99, 99, 99))
    assert_colour(seen(broken), GREEN)


def test_lab_colours_are_converted() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()

    assert seen(saved(Image.new("RGB", (90, 60), GREEN), "PNG", icc_profile=lab)).shape == (90, 160, 3)


def test_a_tall_picture_loses_more_below_than_above() -> None:
    tall = Image.new("RGB", (320, 960), GREEN)
    tall.paste(RED, (0, 0, 320, 300))
    wide = Image.new("RGB", (1920, 180), GREEN)
    wide.paste(RED, (0, 0, 830, 180))

    assert_colour(seen(saved(tall, "PNG"))[:1], RED)
    # It is cut from 260 to 440 of 960.
    assert_colour(seen(saved(tall, "PNG"))[-1:], GREEN)
    assert_colour(seen(saved(wide, "PNG"))[:, :1], RED, most=12)


def test_the_same_file_gives_the_same_bytes() -> None:
    data = noisy()

    assert develop(data, 160, 90, "it") == develop(data, 160, 90, "it")


def test_nothing_of_the_file_but_the_picture_goes_on() -> None:
    exif = Image.Exif()
    exif[0x010E] = "at home, Lotus Road 7"
    data = saved(Image.new("RGB", (90, 60), RED), "JPEG", exif=exif, comment=b"a secret")

    made = develop(data, 160, 90, "it")

    assert b"Lotus" not in made
    assert b"secret" not in made


def test_the_ending_is_that_of_the_content() -> None:
    kinds = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF"}

    assert {ending: ending_of(picture(kind=kind), "it") for ending, kind in kinds.items()} == {
        ending: ending for ending in kinds
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_changed_bytes_are_a_picture_or_refused(kind: str) -> None:
    rng, whole = random.Random(7), noisy(kind)

    for _ in range(150):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(len(data) if rng.random() < 0.5 else 64)] = rng.randrange(256)
        with contextlib.suppress(PictureError):
            develop(bytes(data[: rng.randint(1, len(data)) if rng.random() < 0.3 else None]), 64, 36, "it")
