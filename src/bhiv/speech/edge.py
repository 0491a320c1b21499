"""The voices of Microsoft Edge, through the package edge-tts where that is installed: without a key or a promise.

The service changes what it wants from its clients every few months, so its protocol is left to a package that follows.
"""

import asyncio
import re
import tomllib
from importlib import resources
from importlib.metadata import version
from importlib.util import find_spec

from bhiv.errors import Inarticulate, SpeechError, VoiceError
from bhiv.speech.asking import PATIENCE
from bhiv.speech.engine import base_of
from bhiv.speech.recordings import Mark, Recording, mark
from bhiv.vendors import Patience, Vendor, note_outcome, refuse_what_is_down, wait_for

_ADDRESS = "speech.platform.bing.com"
_NAME = re.compile(r"[a-z]{2,3}-[A-Z]{2,}(-[A-Za-z]+)?-[A-Za-z]+Neural")
#: In units of 100 ns, as the service counts.
_TICKS = 10_000_000
#: Some voices read any language; their names say so.
_ANY = "Multilingual"


class Edge:
    """The service; it gives the time of every word."""

    name = "edge"

    def __init__(self, patience: Patience = PATIENCE, address: str = _ADDRESS) -> None:
        if find_spec("edge_tts") is None:
            raise VoiceError("edge needs the package edge-tts, which is not installed: pip install edge-tts")
        self._vendor = Vendor("the voice of edge", address, SpeechError, patience=patience)
        self.identity = f"edge-tts {version('edge-tts').split('.')[0]}"

    def voice_for(self, name: str, language: str) -> str:
        """Return the voice that was asked for, such as hi-IN-SwaraNeural, or the one that is best known."""
        if name and not _NAME.fullmatch(name):
            raise VoiceError(f"edge has no voice {name!r}; its voices are called like hi-IN-SwaraNeural")
        if name and _ANY not in name and base_of(name) != base_of(language):
            raise Inarticulate(f"the voice {name!r} of edge does not speak {language!r}")
        found = name or _known().get(base_of(language))
        if found is None:
            raise Inarticulate(f"for {language!r} the voice of edge must be named, such as edge:hi-IN-SwaraNeural")
        return found

    def record(self, text: str, voice: str, language: str) -> Recording:  # noqa: ARG002 - the voice has its own
        """Say a text; the service now and then answers nothing, so it is asked again."""
        refuse_what_is_down(self._vendor)
        try:
            recording = wait_for(self._ask(text, voice))
        except SpeechError as error:
            if error.is_down:
                note_outcome(self._vendor, error)
            raise
        note_outcome(self._vendor, None)
        return recording

    async def _ask(self, text: str, voice: str) -> Recording:
        from aiohttp import ClientError
        from edge_tts.exceptions import EdgeTTSException

        patience, refusal = self._vendor.patience, ""
        down = True
        try:
            async with asyncio.timeout(patience.total):
                for attempt in range(patience.attempts):
                    await asyncio.sleep(patience.first_pause * attempt)
                    try:
                        # The package's own time-outs end with the connection's beginning.
                        async with asyncio.timeout(patience.silence):
                            return await self._once(text, voice)
                    except (EdgeTTSException, ClientError, OSError, ValueError, KeyError, TimeoutError) as error:
                        # Times that make no sense concern one text; all else would be so for the next one too.
                        down = not isinstance(error, ValueError | KeyError)
                        refusal = f"{error or type(error).__name__}"
        except TimeoutError:
            refusal = f"nothing within {patience.total:g} s"
        words = " ".join(refusal.split())[:200]
        raise SpeechError(f"the voice of edge does not answer: {words}", can_pass=True, is_down=down)

    async def _once(self, text: str, voice: str) -> Recording:
        from edge_tts import Communicate

        silence = max(round(self._vendor.patience.silence), 1)
        sound, marks = bytearray(), list[Mark]()
        asked = Communicate(text, voice, boundary="WordBoundary", connect_timeout=silence, receive_timeout=silence)
        async for part in asked.stream():
            if part["type"] == "audio":
                sound += part["data"]
            else:
                start = part["offset"] / _TICKS
                marks.append(mark(part["text"], start, start + part["duration"] / _TICKS))
        return Recording(bytes(sound), tuple(marks))


def _known() -> dict[str, str]:
    return {
        base_of(name): name
        for name in tomllib.loads((resources.files("bhiv.speech") / "edge_voices.toml").read_text())["voices"]
    }
