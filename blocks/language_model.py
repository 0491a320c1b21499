"""Credentials of a language model."""

from typing import Self

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from bhiv.access import LanguageModelAccess
from bhiv.settings import Settings


class LanguageModel(Block):
    """The language model that may write storyboards; without one, BHIV's own rules do."""

    _block_type_name = "BHIV language model"
    _block_type_slug = "bhiv-language-model"
    _description = "A language model behind an OpenAI-compatible API."

    base_url: str = Field("", title="Address", description="Ends in /v1 as a rule; empty for none.")
    model: str = Field("", title="Model")
    api_key: SecretStr = Field(SecretStr(""), title="API key", description="Empty for a model of your own.")

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the block that says what the environment says."""
        return cls(
            base_url=settings.lm_base_url or "",
            model=settings.lm_model or "",
            api_key=settings.lm_api_key or SecretStr(""),
        )

    def access(self) -> LanguageModelAccess | None:
        """Return how to reach the model, None when there is none."""
        if not (self.base_url and self.model):
            return None
        key = self.api_key if self.api_key.get_secret_value() else None
        return LanguageModelAccess(base_url=self.base_url, model=self.model, api_key=key)
