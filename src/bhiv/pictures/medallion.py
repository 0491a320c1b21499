"""A medallion: an icon on a lit disc with rings around it."""

from bhiv.lettering import Mask
from bhiv.pictures.canvas import Canvas
from bhiv.pictures.palette import Palette, mix


def medallion(canvas: Canvas, palette: Palette, x: float, y: float, radius: float, drawn: Mask | None) -> None:
    """Draw a disc of this radius in pixels with an icon in its middle, or without one."""
    canvas.glow(x, y, radius * 1.05, palette.mid, 0.40)
    for ring, opacity in ((1.24, 0.22), (1.50, 0.14), (1.80, 0.08)):
        canvas.ring(x, y, radius * ring, max(canvas.unit * 0.22, 0.6), palette.accent, opacity)
    canvas.disc(x, y, radius * 1.02, mix(palette.mid, palette.accent, 0.45), 0.55)
    canvas.disc(x, y, radius, mix(palette.base, palette.mid, 0.40))
    # Light from above: a second, smaller disc, a little higher and brighter.
    canvas.disc(x, y - radius * 0.06, radius * 0.90, mix(palette.base, palette.mid, 1.0), 0.6)
    canvas.glow(x, y - radius * 0.45, radius * 0.30, palette.accent, 0.10)
    if drawn is not None and drawn.alpha.size:
        height, width = drawn.alpha.shape
        canvas.blend(drawn.alpha, x - width / 2, y - height / 2, palette.accent)
