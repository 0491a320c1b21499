"""Scenery: the backdrop that a motif asks for."""

from bhiv.pictures.backdrop import slide
from bhiv.pictures.brief import LOTUS_STAGES, Brief
from bhiv.pictures.canvas import Canvas
from bhiv.pictures.depths import depths
from bhiv.pictures.lamp import lamps
from bhiv.pictures.landscape import landscape
from bhiv.pictures.lotus import pond
from bhiv.pictures.palette import Palette
from bhiv.pictures.rosette import blossom

_UNDER_WATER = frozenset({"seed", "sprout", "stem"})


def scenery(brief: Brief, canvas: Canvas, palette: Palette, *, low: bool) -> None:
    """Cover the canvas with the brief's motif, or a plain slide; `low` leaves the upper half to text."""
    if not brief.motif:
        slide(canvas, palette, brief.seed)
    elif brief.motif in _UNDER_WATER:
        depths(canvas, palette, brief.motif, brief.seed, low)
    elif brief.motif in LOTUS_STAGES:
        pond(canvas, palette, brief.motif, brief.details, brief.seed, low)
    elif brief.motif == "lamp":
        lamps(canvas, palette, brief.seed, low)
    elif brief.motif == "flower":
        blossom(canvas, palette, brief.seed, low)
    else:
        landscape(canvas, palette, brief.motif, brief.details, brief.seed, low)
