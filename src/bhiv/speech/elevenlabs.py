"""ElevenLabs: natural voices that come with the time of every letter."""

import base64
import binascii
import json
from itertools import starmap
from typing import Any

from pydantic import SecretStr

from bhiv.errors import Inarticulate, SpeechError, VoiceError
from bhiv.speech.asking import MOST_BYTES, PATIENCE, post
from bhiv.speech.engine import base_of
from bhiv.speech.recordings import Mark, Recording, mark
from bhiv.vendors import Patience, Vendor

_FORMAT = "mp3_44100_128"
_ENGLISH_ONLY = frozenset({"eleven_monolingual_v1", "eleven_turbo_v2", "eleven_flash_v2"})
#: Only these take the language from the request; others refuse to be told.
_TAKE_A_LANGUAGE = "_v2_5"


class ElevenLabs:
    """The service, or another with its protocol; a voice is called by its id."""

    name = "elevenlabs"

    def __init__(self, base_url: str, key: SecretStr, model: str, patience: Patience = PATIENCE) -> None:
        headers = {"xi-api-key": key.get_secret_value()}
        self._vendor = Vendor("the voice of elevenlabs", base_url, SpeechError, headers, patience, MOST_BYTES)
        self._model = model
        self.identity = f"elevenlabs {base_url} {model}"

    def voice_for(self, name: str, language: str) -> str:
        """Return the voice that was asked for; there is none that every account may use."""
        if self._model in _ENGLISH_ONLY and base_of(language) != "en":
            raise Inarticulate(f"the model {self._model!r} of elevenlabs speaks English, not {language!r}")
        # It becomes part of an address.
        if not name.isalnum():
            raise VoiceError("elevenlabs needs the id of a voice, letters and digits: write elevenlabs:ID")
        return name

    def record(self, text: str, voice: str, language: str) -> Recording:
        """Say a text."""
        asked = {"text": text, "model_id": self._model}
        if self._model.endswith(_TAKE_A_LANGUAGE):
            asked["language_code"] = base_of(language)
        path = f"v1/text-to-speech/{voice}/with-timestamps"
        return _recording(post(self._vendor, path, json=asked, params={"output_format": _FORMAT}))


def _recording(body: bytes) -> Recording:
    try:
        answer = json.loads(body)
        sound = base64.b64decode(answer["audio_base64"], validate=True)
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
        raise SpeechError("the voice of elevenlabs answered something else than a sound") from None
    return Recording(sound, _marks(answer.get("alignment")))


def _marks(alignment: Any) -> tuple[Mark, ...]:
    """Return the times of the letters; none where they are missing or make no sense, since the sound is paid for."""
    try:
        columns = ("characters", "character_start_times_seconds", "character_end_times_seconds")
        return tuple(starmap(mark, zip(*(alignment[column] for column in columns), strict=True)))
    except (TypeError, KeyError, ValueError):
        return ()
