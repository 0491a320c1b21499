"""Palettes: the colours that a picture is made of, in linear light."""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

#: Red, green and blue in linear light, 0 to 1; light from several sources adds up and may exceed 1.
Colour = tuple[float, float, float]

#: The transfer curve of the finished picture; close to sRGB's, and one power to compute.
GAMMA = 2.2

WHITE: Colour = (1.0, 1.0, 1.0)
BLACK: Colour = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Palette:
    """One look; `palettes.toml` says what each colour is for."""

    deep: Colour
    base: Colour
    mid: Colour
    accent: Colour
    ink: Colour
    muted: Colour
    sky: tuple[Colour, Colour, Colour]
    sun: Colour
    far: Colour
    near: Colour
    leaf: Colour


@lru_cache(maxsize=1)
def palettes() -> dict[str, Palette]:
    """Return every palette by its name."""
    told: dict[str, dict[str, Any]] = tomllib.loads(files("bhiv.pictures").joinpath("palettes.toml").read_text("utf-8"))
    return {name: Palette(**{field: _read(value) for field, value in look.items()}) for name, look in told.items()}


def colour(code: str) -> Colour:
    """Read `#rrggbb`."""
    red, green, blue = (float((int(code[at : at + 2], 16) / 255) ** GAMMA) for at in (1, 3, 5))
    return red, green, blue


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Return `share` of the second colour's light with the rest of the first's."""
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return red, green, blue


def scale(light: Colour, factor: float) -> Colour:
    """Return the same hue, `factor` times as bright."""
    return light[0] * factor, light[1] * factor, light[2] * factor


def luminance(light: Colour) -> float:
    """Return relative luminance (WCAG 2.2), 0 to 1."""
    return 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2]


def contrast(first: float, second: float) -> float:
    """Return the contrast ratio (WCAG 2.2) of two luminances: 1 to 21."""
    return (max(first, second) + 0.05) / (min(first, second) + 0.05)


def _read(value: str | list[str]) -> Any:
    return colour(value) if isinstance(value, str) else tuple(map(colour, value))
