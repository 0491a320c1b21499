"""Access to services outside: where they are, and the secret that opens them."""

from pydantic import Field, SecretStr

from bhiv.plan import Contract


class LanguageModelAccess(Contract):
    """A language model behind an OpenAI-compatible API."""

    base_url: str
    model: str
    api_key: SecretStr | None = Field(None, description="None for a model on one's own machine.")


class CoreAccess(Contract):
    """The Core service, which is told of finished videos and of feedback."""

    url: str
    token: SecretStr | None = None
