"""Who speaks, and what opens the services that do."""

from pathlib import Path
from typing import Self

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from bhiv.settings import Settings


class Speech(Block):
    """The voices that runs of a deployment speak with; the next run uses what is set here."""

    _block_type_name = "BHIV speech"
    _block_type_slug = "bhiv-speech"
    _description = "The voices of narrations, in order, and the services behind them."

    voices: str = Field(
        "espeak", title="Voices", description="The first choice first, such as elevenlabs:ID,openai:nova,espeak."
    )
    elevenlabs_api_key: SecretStr = Field(SecretStr(""), title="ElevenLabs key")
    elevenlabs_model: str = Field("", title="ElevenLabs model", description="Empty takes the worker's own.")
    base_url: str = Field("", title="Speech server", description="For openai: ends in /v1 as a rule; empty for none.")
    api_key: SecretStr = Field(SecretStr(""), title="Speech server's key", description="Empty for one of your own.")
    model: str = Field("", title="Speech server's model", description="Empty takes the worker's own.")
    piper_model: str = Field("", title="Piper's voice", description="Path of a file .onnx on the workers.")

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the block that says what the environment says."""
        return cls(
            voices=",".join(settings.voices),
            elevenlabs_api_key=settings.elevenlabs_api_key or SecretStr(""),
            elevenlabs_model=settings.elevenlabs_model,
            base_url=settings.tts_base_url or "",
            api_key=settings.tts_api_key or SecretStr(""),
            model=settings.tts_model,
            piper_model=str(settings.piper_model or ""),
        )

    def over(self, settings: Settings) -> Settings:
        """Return the settings with the voices that this block names."""
        changed = {
            "voices": tuple(voice.strip() for voice in self.voices.split(",") if voice.strip()) or ("espeak",),
            "elevenlabs_api_key": self.elevenlabs_api_key if self.elevenlabs_api_key.get_secret_value() else None,
            "elevenlabs_model": self.elevenlabs_model or settings.elevenlabs_model,
            "tts_base_url": self.base_url or None,
            "tts_api_key": self.api_key if self.api_key.get_secret_value() else None,
            "tts_model": self.model or settings.tts_model,
            "piper_model": Path(self.piper_model) if self.piper_model else None,
        }
        return settings.model_copy(update=changed)
