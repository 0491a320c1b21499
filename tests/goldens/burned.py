"""Captions in scripts whose shaping is hard, burned into a frame."""

import numpy as np
from numpy.typing import NDArray

from bhiv import captions
from bhiv.plan import Samples
from bhiv.speech.words import Word
from bhiv.video.overlay import Overlay, make_layer
from bhiv.video.yuv import YUV

SIZE = (768, 432)
#: A title and a caption in each; conjuncts, vowel signs on both sides, joined letters and both directions in one line.
TEXTS = {
    "hindi": ("hi", "कीचड़ और कमल", "क्षत्रिय ने शक्ति और श्रद्धा से 2026 में प्रार्थना की"),
    "arabic": ("ar", "زهرة اللوتس", "نمت زهرة اللوتس في الطين عام 2026 ثم تفتحت"),
    "tamil": ("ta", "தாமரையும் சேறும்", "கொக்கு க்ஷேத்திரத்தில் ஸ்ரீ கௌரி 2026 பூவைக் கண்டாள்"),
}


def burned(text: str, language: str) -> NDArray[np.uint8]:
    """Return the lower third of a grey frame with this caption: RGB."""
    width, height = SIZE
    spoken = [Word(text=word, start=Samples(0), end=Samples(48_000), sentence=0) for word in text.split(" ")]
    layer = make_layer(captions.make_cues(spoken, 60), "phrase", position="auto", language=language, offset=Samples(0))
    assert layer is not None
    planes = YUV.of(np.full(width * height * 3 // 2, 128, np.uint8), width, height).planes
    planes[0][:] = 76
    Overlay(layer, width, height, 25).burn(0, *planes)
    return rgb(*planes)[height * 2 // 3 :]


def rgb(y: NDArray[np.uint8], u: NDArray[np.uint8], v: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return BT.709 limited-range planes as RGB, without a decoder's opinion of them."""
    luma = (y - 16.0) / 219
    blue, red = ((plane.repeat(2, 0).repeat(2, 1) - 128.0) / 224 for plane in (u, v))
    channels = (luma + 1.5748 * red, luma - 0.1873 * blue - 0.4681 * red, luma + 1.8556 * blue)
    return np.asarray((np.stack(channels, axis=2) * 255).round().clip(0, 255), np.uint8)
