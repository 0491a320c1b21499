"""Access to services outside: where they are, and the secret that opens them."""

from pydantic import Field, SecretStr

from bhiv.plan import Contract
from bhiv.settings import Settings


class LanguageModelAccess(Contract):
    """A language model behind an OpenAI-compatible API."""

    base_url: str
    model: str
    api_key: SecretStr | None = Field(None, description="None for a model on one's own machine.")
    timeout_seconds: float = Field(30, description="That it may be silent.")
    price_in: float | None = Field(None, description="Of a million tokens read. None: unknown.")
    price_out: float | None = Field(None, description="Of a million tokens written. None: unknown.")


class CoreAccess(Contract):
    """The Core service, which is told of finished videos and of feedback."""

    url: str
    token: SecretStr | None = None


def language_model_access(settings: Settings) -> LanguageModelAccess | None:
    """Return how to reach the language model; None when there is none, which takes an address and a name."""
    if not (settings.lm_base_url and settings.lm_model):
        return None
    return LanguageModelAccess(
        base_url=settings.lm_base_url,
        model=settings.lm_model,
        api_key=settings.lm_api_key,
        timeout_seconds=settings.lm_timeout_seconds,
        price_in=settings.lm_price_in,
        price_out=settings.lm_price_out,
    )
