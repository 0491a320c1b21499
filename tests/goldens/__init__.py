"""Pictures as they were when somebody last looked at them; `python -m tests.goldens` draws them anew."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bhiv.pictures import Brief, draw
from bhiv.pictures.brief import DEVOTIONAL, LOTUS_STAGES, Item, PaletteName
from bhiv.pictures.reading import Figure
from tests.goldens.burned import TEXTS

FOLDER = Path(__file__).parent
SIZE = (384, 216)
#: With the colour of every pixel: reds on blue smear otherwise.
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 88, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
_TIMES = (("1957", "Sputnik circled the Earth"), ("1961", "Gagarin followed"), ("1969", "People walked on the Moon"))
_STEPS = (("पहले", "बीज बोओ"), ("फिर", "पानी दो"), ("अंत में", "फसल काटो"))
#: A motif, and the palette that its words would choose.
_MOTIFS: dict[str, PaletteName] = {
    "mountains": "dawn", "sunrise": "dusk", "night": "night", "sea": "ocean", "forest": "forest", "river": "forest",
    "city": "dusk", "hills": "ember", "rain": "ocean", "desert": "ember", "space": "night", "temple": "dusk",
    "lamp": "ember", "flower": "lotus", "seed": "ocean", "sprout": "ocean", "stem": "ocean", "bud": "dawn",
    "half": "dusk", "bloom": "lotus",
}  # fmt: skip


def _items(*texts: tuple[str, str]) -> tuple[Item, ...]:
    return tuple(Item(text=text, icon=icon) for text, icon in texts)


def _dated(rows: tuple[tuple[str, str], ...]) -> tuple[Item, ...]:
    return tuple(Item(label=label, text=text) for label, text in rows)


def briefs() -> dict[str, Brief]:
    """Return every golden's brief by its name: each layout in a language, and each motif."""
    width, height = SIZE

    def brief(layout: str, palette: str, **told: object) -> Brief:
        fields = {"layout": layout, "palette": palette, "seed": 7, "width": width * 2, "height": height * 2}
        return Brief.model_validate({**fields, **told})

    tall = {"width": height * 2, "height": width * 2}
    made = {
        "title": brief("title", "dawn", headline="How Sunlight Reaches You", icon="weather-sunny"),
        "headline": brief("headline", "forest", headline="A small root reached out", kicker="The Lotus", icon="sprout"),
        "number": brief(
            "number", "ember", lead="Light from the Sun takes", follow="to reach us", icon="weather-sunny",
            figures=(Figure(value="8", unit="minutes"), Figure(value="20", unit="seconds")),
        ),
        "quote": brief(
            "quote", "lotus", quote="क्षमा ही सच्चा आभूषण है।", source="एक गुरु", quoted=True, language="hi"
        ),
        "list": brief(
            "list", "forest", headline="A good soil holds three things",
            items=_items(("Sand", "grain"), ("Silt", "water"), ("Clay", "layers")),
        ),
        "list-hindi-portrait": brief(
            "list", "slate", headline="खेत को चार चीज़ें चाहिए", language="hi", **tall,
            items=_items(("बीज", "seed"), ("पानी", "water"), ("धूप", "weather-sunny"), ("मेहनत", "hammer")),
        ),
        "list-arabic": brief(
            "list", "ocean", headline="نحتاج إلى ثلاثة أشياء", language="ar",
            items=_items(("ماء", "water"), ("ضوء", "weather-sunny"), ("هواء", "weather-windy")),
        ),
        "comparison": brief(
            "comparison", "ocean", follow="but",
            items=_items(("The rain is late", "weather-pouring"), ("The farmers wait", "timer-sand")),
        ),
        "comparison-hindi": brief(
            "comparison", "lotus", language="hi", items=_items(("बीज", "seed"), ("वृक्ष", "tree"))
        ),
        "timeline": brief("timeline", "night", headline="The way to the Moon", items=_dated(_TIMES)),
        "timeline-hindi-portrait": brief("timeline", "ember", items=_dated(_STEPS), language="hi", **tall),
        "chapter": brief("chapter", "dusk", headline="A very slow start", kicker="The Seed", motif="temple"),
        "chapter-hindi": brief(
            "chapter", "slate", headline="सीधी रेखा में यात्रा", kicker="सूर्य", icon="weather-sunny", language="hi"
        ),
        "end": brief("end", "dawn", headline="Thank you", items=_items(("Written by Asha", ""), ("Read by Ravi", ""))),
    }  # fmt: skip
    for motif, palette in _MOTIFS.items():
        layout = "lotus" if motif in LOTUS_STAGES else "devotion" if motif in DEVOTIONAL else "landscape"
        made[f"place-{motif}"] = brief(layout, palette, motif=motif)
    return made


def titles() -> dict[str, Brief]:
    """Return the briefs of titles in scripts whose shaping is hard."""
    return {
        f"title-{name}": Brief(
            layout="title", palette="ocean", headline=title, language=language, seed=7, motif="bloom",
            width=SIZE[0] * 2, height=SIZE[1] * 2,
        )
        for name, (language, title, _) in TEXTS.items()
    }  # fmt: skip


def path_of(name: str) -> Path:
    """Return where the golden of this name lies."""
    return FOLDER / f"{name}.jpg"


def drawn(brief: Brief) -> NDArray[np.uint8]:
    """Draw a brief at half of its size, as the goldens are kept."""
    half = (brief.width // 2, brief.height // 2)
    return np.asarray(cv2.resize(draw(brief), half, interpolation=cv2.INTER_AREA), np.uint8)


def keep(name: str, picture: NDArray[np.uint8]) -> None:
    """Make a picture the golden of this name."""
    done = cv2.imwrite(str(path_of(name)), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), _JPEG)
    assert done, path_of(name)


def difference(name: str, picture: NDArray[np.uint8]) -> tuple[float, float]:
    """Return how far a picture is from its golden, of 255: on average, and in its most different eightieth part.

    Both are softened first, so that grain, JPEG and another version's rounding count little; a word that moved or a
    colour that changed counts.
    """
    kept = cv2.imread(str(path_of(name)), cv2.IMREAD_COLOR_RGB)
    assert kept is not None, f"{path_of(name)} is missing; run `python -m tests.goldens` and look at what it wrote"
    assert kept.shape == picture.shape
    soft = [cv2.GaussianBlur(one.astype(np.float32), (0, 0), 1.6) for one in (kept, picture)]
    apart = np.abs(soft[0] - soft[1]).max(axis=2)
    return float(apart.mean()), float(np.quantile(apart, 1 - 1 / 80))
