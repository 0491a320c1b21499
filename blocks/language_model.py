"""Credentials of a language model."""

from typing import Self

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from bhiv.settings import Settings


class LanguageModel(Block):
    """The language model that writes storyboards and scripts about topics; without one, BHIV's own rules do."""

    _block_type_name = "BHIV language model"
    _block_type_slug = "bhiv-language-model"
    _description = "A language model behind an OpenAI-compatible API."

    base_url: str = Field("", title="Address", description="Ends in /v1 as a rule; empty for none.")
    model: str = Field("", title="Model")
    api_key: SecretStr = Field(SecretStr(""), title="API key", description="Empty for a model of your own.")

    timeout_seconds: float = Field(30, title="Seconds", description="That it may be silent.", gt=0, le=3600)
    price_in: float = Field(0, title="Price of a million tokens read", description="0 for none or unknown.", ge=0)
    price_out: float = Field(0, title="Price of a million tokens written", description="0 for none or unknown.", ge=0)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the block that says what the environment says."""
        return cls(
            base_url=settings.lm_base_url or "",
            model=settings.lm_model or "",
            api_key=settings.lm_api_key or SecretStr(""),
            timeout_seconds=settings.lm_timeout_seconds,
            price_in=settings.lm_price_in or 0,
            price_out=settings.lm_price_out or 0,
        )

    def over(self, settings: Settings) -> Settings:
        """Return the settings with the model that this block names, with none where it names none."""
        changed = {
            "lm_base_url": self.base_url or None,
            "lm_model": self.model or None,
            "lm_api_key": self.api_key if self.api_key.get_secret_value() else None,
            "lm_timeout_seconds": self.timeout_seconds,
            "lm_price_in": self.price_in or None,
            "lm_price_out": self.price_out or None,
        }
        return settings.model_copy(update=changed)
