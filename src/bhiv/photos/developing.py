"""Developing: a stranger's picture file becomes a picture of the size that the camera asks for.

Whatever is in the file, it is read as one of four formats, never unpacked beyond a limit of pixels, and shown whole or
not at all.
"""

import struct
import zlib
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from bhiv.errors import PictureError

#: Raise it when the same file would give other bytes.
VERSION = 1
#: Three bytes each, and as much again while it is worked on: 300 MB.
MAX_PIXELS = 50_000_000
#: Less shows nothing that fills a frame.
_LEAST_SIDE = 32
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
#: File name endings, in the order of `FORMATS`; JPEG's two-picture kind is read as JPEG.
_ENDINGS = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif"}
_MOST_PROFILE_BYTES = 4 << 20
_ORIENTATION = 0x0112
_ROTATED = frozenset({5, 6, 7, 8})
#: What Pillow's decoders raise for files that are cut off or changed.
_DAMAGE = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, AttributeError, OverflowError,
    MemoryError, RuntimeError, struct.error, zlib.error,
)  # fmt: skip

#: 8-bit sRGB.
Shade = tuple[int, int, int]


def develop(data: bytes, width: int, height: int, what: str, backdrop: Shade = (0, 0, 0)) -> bytes:
    """Return the picture in `data` as a JPEG of this size: turned upright, in sRGB, cut to fill.

    It stands over `backdrop` where it is transparent; of an animation it is the first frame. A tall picture in a wide
    frame loses more below than above, where faces are.

    Raises:
        PictureError: it can't be shown; the message begins with `what`.
    """
    image = _opened(data, what, (width, height))
    try:
        if image.mode != "RGB":
            image = _plain(image)
        filled = image.resize((width, height), Image.Resampling.LANCZOS, _window(image, width, height), reducing_gap=3)
        # A transparent picture's own comments and profile must not go on.
        seen = _in_srgb(filled, image.info.get("icc_profile"), backdrop)
        file = BytesIO()
        seen.save(file, "JPEG", quality=95, subsampling=0)
    except _DAMAGE as error:
        raise PictureError(f"{what} is damaged: {error}") from error
    return file.getvalue()


def ending_of(data: bytes, what: str) -> str:
    """Look at the whole picture in `data` and return the ending of its file name: jpg, png, webp or gif.

    Raises:
        PictureError: as `develop`.
    """
    with _opened(data, what) as image:
        return _ENDINGS[image.format or "JPEG"]


def _opened(data: bytes, what: str, size: tuple[int, int] | None = None) -> Image.Image:
    """Return a picture that is decoded and turned upright, JPEG at no more than is needed for `size`."""
    try:
        image = Image.open(BytesIO(data), formats=FORMATS)
        _check_size(image, what)
        kind = image.format
        if size is not None and kind in {"JPEG", "MPO"}:
            # Twice the size: the reduction that the decoder does is a plain mean.
            across, down = 2 * size[0], 2 * size[1]
            image.draft(None, (down, across) if image.getexif().get(_ORIENTATION) in _ROTATED else (across, down))
        image.load()
        upright = ImageOps.exif_transpose(image)
    except PictureError:  # an OSError too
        raise
    except UnidentifiedImageError:
        raise PictureError(f"{what} {_kind(data)}; JPEG, PNG, WebP and GIF can be shown") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(what) from None
    except _DAMAGE as error:
        raise PictureError(f"{what} is damaged: {error}") from error
    upright.format = kind
    return upright


def _check_size(image: Image.Image, what: str) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(what)
    if min(image.size) < _LEAST_SIDE:
        raise PictureError(f"{what} has {image.width}x{image.height} pixels, too few to fill a frame")


def _too_large(what: str) -> PictureError:
    return PictureError(f"{what} has more than {MAX_PIXELS // 1_000_000} million pixels; make it smaller")


def _kind(data: bytes) -> str:
    """Return what a file is that is none of the formats, as the rest of a sentence."""
    start, text = data[:16], data[:1000].lstrip().lower()
    if start[4:8] == b"ftyp" and start[8:12] in {b"heic", b"heix", b"mif1", b"msf1", b"avif"}:
        return "is a HEIC or AVIF picture"
    if start[4:8] == b"ftyp" or start.startswith(b"\x1a\x45\xdf\xa3") or start[8:12] == b"AVI ":
        return "is a video clip, which belongs under the scene's footage"
    if b"<svg" in text:
        return "is an SVG drawing"
    if text.startswith((b"<!doctype html", b"<html")):
        return "is a web page"
    return "is no picture, or its beginning is damaged"


def _plain(image: Image.Image) -> Image.Image:
    """Return the picture in a mode that can be resized: L, RGB, RGBA or CMYK."""
    if image.mode.startswith("I") or image.mode == "F":  # 16 bits of grey, which Pillow would cut off at 255
        high = np.clip(np.asarray(image).astype(np.int64) >> 8, 0, 255).astype(np.uint8)
        return _with_profile(Image.fromarray(high), image)
    if image.has_transparency_data:
        return _with_profile(image.convert("RGBA"), image)
    if image.mode in {"L", "CMYK"}:
        return image
    return _with_profile(image.convert("L" if image.mode == "1" else "RGB"), image)


def _with_profile(image: Image.Image, before: Image.Image) -> Image.Image:
    image.info = {name: value for name, value in before.info.items() if name == "icc_profile"}
    return image


def _window(image: Image.Image, width: int, height: int) -> tuple[float, float, float, float]:
    """Return the largest part of the picture that has the shape of the frame: left, top, right, bottom."""
    scale = min(image.width / width, image.height / height)
    wide, high = width * scale, height * scale
    left = (image.width - wide) / 2
    top = (image.height - high) / (3 if image.height > image.width else 2)
    return left, top, left + wide, top + high


def _in_srgb(image: Image.Image, profile: bytes | None, backdrop: Shade) -> Image.Image:
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    seen = _converted(image.convert("RGB") if alpha else image, profile)
    seen.info = {}
    return Image.composite(seen, Image.new("RGB", seen.size, backdrop), alpha) if alpha else seen


def _converted(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile and len(profile) <= _MOST_PROFILE_BYTES:
        try:
            own = ImageCms.ImageCmsProfile(BytesIO(profile))
            seen = ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):  # a profile of another kind of picture
            seen = None
        if seen is not None:
            return seen
    return image.convert("RGB")
