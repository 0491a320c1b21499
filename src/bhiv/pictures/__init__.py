"""Offline pictures: designed slides and drawn places, chosen from a script's words, without network or model."""

from bhiv.pictures.brief import Brief, brief_end, brief_scenes, brief_title
from bhiv.pictures.contact_sheet import contact_sheet
from bhiv.pictures.drawing import compose, draw, draw_depths, save

__all__ = [
    "Brief",
    "brief_end",
    "brief_scenes",
    "brief_title",
    "compose",
    "contact_sheet",
    "draw",
    "draw_depths",
    "save",
]
