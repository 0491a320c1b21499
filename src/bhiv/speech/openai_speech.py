"""OpenAI's speech protocol, which many servers speak, one's own among them."""

from pydantic import SecretStr

from bhiv.errors import SpeechError
from bhiv.speech.asking import MOST_BYTES, PATIENCE, post
from bhiv.speech.recordings import Recording
from bhiv.vendors import Patience, Vendor

_FIRST_VOICE = "alloy"


class OpenAISpeech:
    """A server with `POST /audio/speech`; it gives no times. Such models read any language that they are given."""

    name = "openai"

    def __init__(self, base_url: str, key: SecretStr | None, model: str, patience: Patience = PATIENCE) -> None:
        headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
        self._vendor = Vendor("the voice of openai", base_url, SpeechError, headers, patience, MOST_BYTES)
        self._model = model
        self.identity = f"openai {base_url} {model}"

    def voice_for(self, name: str, language: str) -> str:  # noqa: ARG002 - any
        """Return the voice that was asked for; the protocol has no list of them."""
        return name or _FIRST_VOICE

    def record(self, text: str, voice: str, language: str) -> Recording:  # noqa: ARG002 - it hears which one it is
        """Say a text."""
        asked = {"model": self._model, "voice": voice, "input": text, "response_format": "wav"}
        return Recording(post(self._vendor, "audio/speech", json=asked))
