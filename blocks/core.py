"""Credentials of the Core service."""

from typing import Self

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from bhiv.access import CoreAccess
from bhiv.settings import Settings


class Core(Block):
    """The Core service that is told of finished videos; without an address nobody is told."""

    _block_type_name = "BHIV Core"
    _block_type_slug = "bhiv-core"
    _description = "The service that is told of finished videos and of feedback."

    url: str = Field("", title="Address", description="Empty for none.")
    token: SecretStr = Field(SecretStr(""), title="Token")

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the block that says what the environment says."""
        return cls(url=settings.core_url or "", token=settings.core_token or SecretStr(""))

    def access(self) -> CoreAccess | None:
        """Return how to reach the service, None when there is none."""
        token = self.token if self.token.get_secret_value() else None
        return CoreAccess(url=self.url, token=token) if self.url else None
