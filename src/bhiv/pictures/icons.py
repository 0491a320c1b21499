"""Icons: Material Design Icons, read as a font out of the `qtawesome` package, which itself would start Qt."""

import json
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import uharfbuzz as hb  # type: ignore[import-untyped]

from bhiv.errors import FontError
from bhiv.lettering import Mask, raster_glyphs


def has_icon(name: str) -> bool:
    """Return whether there is an icon of exactly this name."""
    return name in _codes()


def icon(name: str, size: float) -> Mask:
    """Draw an icon `size` pixels high and wide, its origin in the lower left corner of that square.

    Raises:
        FontError: there is no icon of this name.
    """
    if not has_icon(name):
        raise FontError(f"there is no icon named {name!r}")
    font = _font()
    return raster_glyphs(font, [(font.get_nominal_glyph(_codes()[name]), 0, 0)], size)


@lru_cache(maxsize=1)
def _codes() -> dict[str, int]:
    listed = json.loads(_packaged("materialdesignicons6-webfont-charmap-*.json").read_text("utf-8"))
    return {name: int(code, 16) for name, code in listed.items()}


@lru_cache(maxsize=1)
def _font() -> hb.Font:
    return hb.Font(hb.Face(hb.Blob(_packaged("materialdesignicons6-webfont-[0-9]*.ttf").read_bytes())))


def _packaged(pattern: str) -> Path:
    # Found, not imported: importing qtawesome imports Qt.
    spec = find_spec("qtawesome")
    if spec is None or spec.origin is None:
        raise FontError("the package qtawesome, which holds the icons, is not installed")
    found = sorted((Path(spec.origin).parent / "fonts").glob(pattern))
    if not found:
        raise FontError(f"the installed qtawesome has no fonts/{pattern}; install version 1.4")
    return found[-1]
