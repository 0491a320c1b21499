"""Piper: a voice of one's own, from a file, where the package piper-tts is installed. Nothing is ever downloaded.

A program of its own, because its licence (GPL) is then at arm's length, and because it loads half a gigabyte.
"""

import hashlib
import json
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from bhiv import process
from bhiv.errors import Inarticulate, SpeechError, ToolFailed, VoiceError
from bhiv.speech.engine import base_of
from bhiv.speech.recordings import Recording

_TIMEOUT_SECONDS = 120


class Piper:
    """The voice in a file NAME.onnx with its NAME.onnx.json; it gives no times."""

    name = "piper"

    def __init__(self, model: Path) -> None:
        if find_spec("piper") is None:
            raise VoiceError("piper needs the package piper-tts, which is not installed: pip install piper-tts")
        self._model = model
        try:
            described = json.loads(model.with_name(f"{model.name}.json").read_text(encoding="utf-8"))
            self._language = str(described["espeak"]["voice"])
            size = model.stat().st_size
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise VoiceError(
                f"piper's voice {model} can't be used: {error}; it is a file .onnx with its .onnx.json beside it"
            ) from None
        told = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]
        self.identity = f"piper {_version()} {model.name} {size} {told}"

    def voice_for(self, name: str, language: str) -> str:
        """Return the file's name: it holds one voice."""
        if base_of(self._language) != base_of(language):
            raise Inarticulate(f"piper's voice {self._model.stem} speaks {self._language!r}, not {language!r}")
        if name not in {"", self._model.stem}:
            raise VoiceError(f"piper has no voice {name!r} but {self._model.stem!r}, which BHIV_PIPER_MODEL names")
        return self._model.stem

    def record(self, text: str, voice: str, language: str) -> Recording:  # noqa: ARG002 - it has one
        """Say a text."""
        with tempfile.TemporaryDirectory(prefix="bhiv-piper-") as folder:
            spoken = Path(folder) / "spoken.wav"
            # -P: a folder that happens to hold a piper.py is not the place to take it from.
            argv = [sys.executable, "-P", "-m", "piper", "-m", str(self._model), "-f", str(spoken)]
            try:
                process.run(argv, timeout_seconds=_TIMEOUT_SECONDS, stdin=" ".join(text.split()).encode())
                return Recording(spoken.read_bytes())
            except (ToolFailed, FileNotFoundError) as error:
                raise SpeechError(f"the voice of piper did not speak: {error}") from error


def _version() -> str:
    try:
        return version("piper-tts")
    except PackageNotFoundError:
        return ""
