"""Captions in scripts whose shaping is hard, burned into a frame."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bhiv import captions, ffmpeg, fonts, process
from bhiv.plan import Frames, Samples
from bhiv.speech.words import Word
from bhiv.video.camera import Still, picture_size
from bhiv.video.clip import ClipSpec, encode

SIZE = (768, 432)
#: A title and a caption in each; conjuncts, vowel signs on both sides, joined letters and both directions in one line.
TEXTS = {
    "hindi": ("hi", "कीचड़ और कमल", "क्षत्रिय ने शक्ति और श्रद्धा से 2026 में प्रार्थना की"),
    "arabic": ("ar", "زهرة اللوتس", "نمت زهرة اللوتس في الطين عام 2026 ثم تفتحت"),
    "tamil": ("ta", "தாமரையும் சேறும்", "கொக்கு க்ஷேத்திரத்தில் ஸ்ரீ கௌரி 2026 பூவைக் கண்டாள்"),
}


def burned(text: str, folder: Path) -> NDArray[np.uint8]:
    """Return the lower third of a frame with this caption: RGB."""
    width, height = SIZE
    spoken = [Word(text=word, start=Samples(0), end=Samples(48_000), sentence=0) for word in text.split(" ")]
    cues = captions.make_cues(spoken, 60)
    subtitles = captions.to_ass(cues, style="phrase", width=width, height=height, offset=Samples(0))
    lettering = fonts.font_folder(folder)
    fonts.provide(lettering, subtitles)
    across, down = picture_size(width, height)
    cv2.imwrite(str(folder / "picture.png"), np.full((down, across, 3), 70, np.uint8))
    spec = ClipSpec(
        still=Still(picture_sha256="", move="still", frames=Frames(2)), width=width, height=height, fps=25,
        quality="high", subtitles=subtitles, encoder="",
    )  # fmt: skip
    made = encode(spec, [folder / "picture.png"], folder, lettering, 60)
    raw = ffmpeg.command("-i", str(made), "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    frame = np.frombuffer(process.run(raw, timeout_seconds=60).stdout, np.uint8).reshape(height, width, 3)
    return frame[height * 2 // 3 :].copy()
