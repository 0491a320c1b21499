"""Offline pictures: designed slides and drawn places, chosen from a script's words, without network or model."""

from bhiv.pictures.brief import Brief, brief_scenes
from bhiv.pictures.contact_sheet import contact_sheet
from bhiv.pictures.drawing import draw, save

__all__ = ["Brief", "brief_scenes", "contact_sheet", "draw", "save"]
