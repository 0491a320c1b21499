"""Landscapes: a place that the words name, drawn from far to near."""

from collections.abc import Callable

import numpy as np

from bhiv.pictures.canvas import Canvas, quantile
from bhiv.pictures.cosmos import space
from bhiv.pictures.dunes import desert
from bhiv.pictures.palette import Palette, mix, scale
from bhiv.pictures.rainfall import rain
from bhiv.pictures.ridges import Profile, conifers, profile, range_of, ridge
from bhiv.pictures.sanctuary import shrine
from bhiv.pictures.sky import clouds, disc, sky, stars
from bhiv.pictures.skyline import city, temple
from bhiv.pictures.water import glints, mirror

_Draw = Callable[[Canvas, Palette, np.random.Generator, bool], None]


def landscape(canvas: Canvas, palette: Palette, motif: str, details: tuple[str, ...], seed: int, low: bool) -> None:
    """Cover the canvas with a place; `low` leaves the upper half to text."""
    random = np.random.default_rng(seed)
    MOTIFS[motif](canvas, palette, random, low)
    if "temple" in details and motif in _WITH_SHORE:
        canvas.deepen(0.35)
        temple(
            canvas, 0.24 * canvas.width, 0.562 * canvas.height, canvas.unit * 20, mix(palette.far, palette.near, 0.55)
        )


def _side(random: np.random.Generator) -> float:
    return float(random.choice([0.28, 0.72]) + random.uniform(-0.06, 0.06))


def _sunlit(
    canvas: Canvas,
    palette: Palette,
    horizon: float,
    sun: tuple[float, float],
    radius: float,
    random: np.random.Generator,
    low: bool,
) -> None:
    """Cover the canvas with a sky and its sun; no sun when the radius is 0."""
    field = sky(canvas, palette, horizon, sun, low=low)
    clouds(canvas, field, palette, horizon, random, 0.06 if low else 0.38)
    canvas.cover(field)
    if radius:
        disc(canvas, palette, sun, radius)


def _woods(canvas: Canvas, palette: Palette, line: Profile, random: np.random.Generator) -> None:
    conifers(canvas, line, palette.near, random, tall=canvas.height * 0.085, crowd=0.55)


def _mountains(canvas: Canvas, palette: Palette, random: np.random.Generator, low: bool) -> None:
    x = _side(random)
    _sunlit(canvas, palette, 0.62, (x, 0.44 if low else 0.25), 5.5, random, low)
    canvas.deepen(0.2)
    _peaks(canvas, palette, random, 0.56 if low else 0.50, 1 - x)
    line = range_of(canvas, palette, random, start=0.57, end=0.74, layers=4, rise=0.06, distances=(0.5, 1.0))
    _woods(canvas, palette, line, random)


def _peaks(canvas: Canvas, palette: Palette, random: np.random.Generator, base: float, x: float) -> None:
    """Draw a range of sharp peaks, the highest at x, with snow on the side of the light."""
    at = np.linspace(0, 1, canvas.width)
    line = np.full(canvas.width, 0.0)
    for place, tall, wide in (
        (x, 1.0, 0.30),
        (x - 0.26, 0.62, 0.22),
        (x + 0.24, 0.70, 0.24),
        (x - 0.5, 0.5, 0.3),
        (x + 0.5, 0.5, 0.3),
    ):
        line = np.maximum(line, tall * (1 - np.abs(at - place) / wide))
    rough = profile(random, canvas.width, 7, 0.55)
    heights = canvas.height * (0.24 * (line + 0.10 * rough * np.sqrt(np.clip(line, 0.02, 1))))
    crest = base * canvas.height + canvas.height * 0.09 - heights
    rock, haze = mix(palette.far, palette.sky[1], 0.25), mix(palette.far, palette.sky[2], 0.6)
    ridge(canvas, crest, rock, haze, canvas.height * 0.30)
    _snow(canvas, palette, crest, random)


def _snow(canvas: Canvas, palette: Palette, crest: Profile, random: np.random.Generator) -> None:
    limit = quantile(crest, 0.38)
    jag = profile(random, canvas.width, 16, 0.62) * canvas.height * 0.016
    depth = np.clip((limit - crest) * 0.62 + jag, 0, None)
    x = np.arange(canvas.width)
    white = mix(palette.sky[2], palette.sun, 0.65)
    # Slopes towards the light are bright, the others hold its blue shadow.
    slope = np.gradient(np.convolve(crest, np.ones(15) / 15, "same"))
    for bright in (False, True):
        lit = depth * ((slope > 0) == bright)
        outline = np.concatenate([np.stack([x, crest - 0.5], 1), np.stack([x, crest + lit], 1)[::-1]])
        canvas.polygon(outline, white if bright else mix(white, palette.far, 0.55), 0.92)


def _sunrise(canvas: Canvas, palette: Palette, random: np.random.Generator, low: bool) -> None:
    x = 0.5 if low else _side(random) * 0.6 + 0.2
    sun = (x, 0.525)
    _sunlit(canvas, palette, 0.58, sun, 0, random, low)
    _rays(canvas, palette, sun)
    disc(canvas, palette, sun, 11)
    line = range_of(canvas, palette, random, start=0.555, end=0.75, layers=5, rise=0.05)
    _woods(canvas, palette, line, random)


def _rays(canvas: Canvas, palette: Palette, sun: tuple[float, float]) -> None:
    x, y = canvas.grid()
    angle = np.arctan2((x - np.float32(sun[0])) * np.float32(canvas.width / canvas.height), y - np.float32(sun[1]))
    away = np.sqrt(
        ((x - np.float32(sun[0])) * np.float32(canvas.width / canvas.height)) ** 2 + (y - np.float32(sun[1])) ** 2
    )
    beams = (
        np.clip(np.sin(angle * 17) * np.sin(angle * 7 + 1), 0, 1) * np.exp(-away / np.float32(0.30)) * np.float32(0.22)
    )
    canvas.add(canvas.enlarge((beams[..., None] * np.asarray(palette.sun, np.float32)).astype(np.float32)), 0, 0)


def _night(canvas: Canvas, palette: Palette, random: np.random.Generator, low: bool) -> None:
    x = _side(random)
    place = (x, 0.46 if low else 0.24)
    canvas.cover(sky(canvas, palette, 0.66, place, 0.55, low=low))
    _milky_way(canvas, palette, random)
    stars(canvas, random, 0.62, 230)
    disc(canvas, palette, place, 6)
    for dx, dy, size in ((-0.3, -0.25, 0.22), (0.25, 0.3, 0.16), (0.15, -0.4, 0.12), (-0.15, 0.35, 0.1)):
        unit = canvas.unit * 6
        canvas.disc(x * canvas.width + dx * unit, place[1] * canvas.height + dy * unit, size * unit, palette.far, 0.16)
    line = range_of(canvas, palette, random, start=0.60, end=0.76, layers=4, rise=0.055)
    _woods(canvas, palette, line, random)


def _milky_way(canvas: Canvas, palette: Palette, random: np.random.Generator) -> None:
    x, y = canvas.grid()
    tilt = np.float32(random.choice([-0.75, 0.75]))
    across = (x - np.float32(0.5)) * tilt + y - np.float32(0.28)
    wave = np.sin(x * 9 + random.uniform(0, 6)) * np.float32(0.03) + np.sin(x * 23 + random.uniform(0, 6)) * np.float32(
        0.012
    )
    band = (
        np.exp(-(((across + wave) / np.float32(0.10)) ** 2))
        * np.clip(1 - y / np.float32(0.62), 0, 1)
        * np.float32(0.16)
    )
    canvas.add(canvas.enlarge((band[..., None] * np.asarray(palette.sky[2], np.float32)).astype(np.float32)), 0, 0)


def _sea(canvas: Canvas, palette: Palette, random: np.random.Generator, low: bool) -> None:
    x = 0.5 if low else _side(random)
    horizon = 0.56
    _sunlit(canvas, palette, horizon, (x, horizon - 0.17), 0, random, low)
    isle = np.clip(profile(random, canvas.width, 2.5, 0.5) + 0.1, 0, None)
    fade = 1 - np.exp(-(((np.linspace(0, 1, canvas.width) - x) / 0.22) ** 2))
    far = mix(palette.far, palette.sky[2], 0.2)
    ridge(
        canvas,
        horizon * canvas.height + 1 - canvas.height * 0.055 * isle * fade,
        far,
        mix(far, palette.sky[2], 0.4),
        canvas.height * 0.05,
    )
    mirror(canvas, palette, horizon, random)
    glints(canvas, mix(palette.sky[2], palette.sun, 0.7), x, horizon, random, 0.085)
    # After the mirror: its image is broken into glints, not a second disc.
    disc(canvas, palette, (x, horizon - (0.105 if low else 0.17)), 7.0)
    # The sea is as far as the sky that it mirrors.
    canvas.deepen(1)
    _sail(
        canvas, palette, (1 - x if not low else 0.27) * canvas.width, (horizon + 0.035) * canvas.height, canvas.unit * 9
    )


def _sail(canvas: Canvas, palette: Palette, x: float, y: float, tall: float) -> None:
    tint = mix(palette.near, palette.far, 0.22)
    place = np.array([x, y])
    hull = np.array([[-0.42, -0.10], [0.46, -0.10], [0.30, 0.0], [-0.28, 0.0]])
    main = np.array([[0.0, -1.0], [0.02, -0.9], [0.20, -0.45], [0.36, -0.15], [0.0, -0.15]])
    jib = np.array([[-0.04, -0.86], [-0.04, -0.15], [-0.34, -0.15], [-0.16, -0.45]])
    canvas.polygons([part * tall + place for part in (hull, main, jib)], tint)
    canvas.polygons([part * (tall, -tall * 0.5) + place for part in (hull, main, jib)], tint, 0.28)


def _forest(canvas: Canvas, palette: Palette, random: np.random.Generator, low: bool) -> None:
    x = _side(random)
    _sunlit(canvas, palette, 0.60, (x, 0.42 if low else 0.27), 5.5, random, low)
    start = 0.56 if low else 0.50
    for layer in range(5):
        near = layer / 4
        canvas.deepen((0.3, 0.3, 0.65, 0.65, 1.0)[layer])
        line = canvas.height * (start + (0.76 - start) * near - 0.045 * profile(random, canvas.width, 1.6, 0.45))
        tint = mix(palette.far, palette.near, 0.06 + 0.94 * near**0.9)
        tall = canvas.height * (0.06 + 0.075 * near)
        conifers(canvas, line, tint, random, tall=tall, crowd=0.92 - 0.30 * near)
        ridge(canvas, line, tint, mix(tint, palette.sky[2], 0.40 * (1 - near)), canvas.height * 0.13)


def _river(canvas: Canvas, palette: Palette, random: np.random.Generator, low: bool) -> None:
    x = _side(random)
    _sunlit(canvas, palette, 0.58, (x, 0.42 if low else 0.28), 5.5, random, low)
    range_of(canvas, palette, random, start=0.49, end=0.56, layers=4, rise=0.06, distances=(0.35, 0.35))
    canvas.deepen(0.6)
    edge = canvas.height * (0.575 - 0.008 * profile(random, canvas.width, 2, 0.5))
    near = mix(palette.near, palette.leaf, 0.30)
    meadow = mix(mix(palette.leaf, palette.far, 0.35), palette.sky[2], 0.10)
    ridge(canvas, edge, meadow, near, canvas.height * 0.42)
    _stream(canvas, palette, 1 - x)
    for share in (0.1, 0.5, 1.0):
        canvas.deepen(1.0 if share == 1 else 0.6)
        line = _bank(canvas, 1 - x, 0.585 + 0.15 * share, 0.03 + 0.20 * share)
        line += canvas.height * 0.012 * profile(random, canvas.width, 5, 0.5)
        tint = mix(mix(meadow, palette.near, 0.45), palette.near, share)
        conifers(canvas, line, tint, random, tall=canvas.height * (0.035 + 0.085 * share), crowd=0.5)


def _bank(canvas: Canvas, x: float, share: float, free: float) -> Profile:
    """Return a line at a share of the height that leaves the picture where the river is, and half of it free there."""
    at = np.linspace(0, 1, canvas.width)
    beside = np.abs(at - (x * 0.5 + 0.25)) > free + 0.10
    return np.where(beside, share * canvas.height, 2.0 * canvas.height)


def _stream(canvas: Canvas, palette: Palette, x: float) -> None:
    """Wind a river from the hills to the viewer; it takes the sky's light."""
    down = np.linspace(0, 1, 80)
    y = canvas.height * (0.588 + 0.42 * down**1.5)
    middle = canvas.width * (x * 0.5 + 0.25 + 0.13 * np.sin(down * 8.5) * (0.25 + down))
    half = canvas.unit * (0.35 + 26 * down**1.9)
    bright, dark = mix(palette.sky[2], palette.sun, 0.3), scale(mix(palette.sky[1], palette.deep, 0.3), 0.75)
    for start in range(79):
        outline = np.array(
            [
                [middle[start] - half[start], y[start] - 0.5],
                [middle[start] + half[start], y[start] - 0.5],
                [middle[start + 1] + half[start + 1], y[start + 1] + 0.5],
                [middle[start + 1] - half[start + 1], y[start + 1] + 0.5],
            ]
        )
        canvas.polygon(outline, mix(bright, dark, min(down[start] * 1.6, 1.0)))


def _town(canvas: Canvas, palette: Palette, random: np.random.Generator, low: bool) -> None:
    x = _side(random)
    shore = 0.635
    _sunlit(canvas, palette, 0.62, (x, 0.45 if low else 0.30), 7, random, low)
    canvas.deepen(0.6)
    city(canvas, palette, shore * canvas.height, random, 0.62 if low else 1.0)
    mirror(canvas, palette, shore, random)
    canvas.deepen(0)
    glints(canvas, mix(palette.accent, palette.sky[2], 0.5), x, shore, random, 0.2)


def _plain(canvas: Canvas, palette: Palette, random: np.random.Generator, low: bool) -> None:
    x = _side(random)
    _sunlit(canvas, palette, 0.60, (x, 0.44 if low else 0.27), 6, random, low)
    range_of(canvas, palette, random, start=0.55, end=0.78, layers=6, rise=0.045)


MOTIFS: dict[str, _Draw] = {
    "mountains": _mountains,
    "sunrise": _sunrise,
    "night": _night,
    "sea": _sea,
    "forest": _forest,
    "river": _river,
    "city": _town,
    "hills": _plain,
    "rain": rain,
    "desert": desert,
    "space": space,
    "temple": shrine,
}
_WITH_SHORE = frozenset({"river", "hills", "sunrise"})
