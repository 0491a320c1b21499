"""Where pictures come from, and the keys that open those sources."""

from typing import Self

from prefect.blocks.core import Block
from pydantic import Field, SecretStr, field_validator

from bhiv.errors import InputRefused
from bhiv.settings import Settings, picture_sources


class PictureSources(Block):
    """Where runs of a deployment take pictures from; the next run uses what is set here."""

    _block_type_name = "BHIV picture sources"
    _block_type_slug = "bhiv-picture-sources"
    _description = "Libraries of photographs and a model that makes pictures, in the order in which they are asked."

    order: str = Field("offline", description="openai, pexels, pixabay, openverse, offline, separated by commas.")
    images_base_url: str = Field("", title="Image model's address", description="Empty for OpenAI's own.")
    images_model: str = Field("", title="Image model")
    images_api_key: SecretStr = Field(SecretStr(""), title="Image model's key")
    pexels_api_key: SecretStr = Field(SecretStr(""), title="Pexels key")
    pixabay_api_key: SecretStr = Field(SecretStr(""), title="Pixabay key")
    openverse_base_url: str = Field("", title="Openverse's address", description="Empty for its own.")

    @field_validator("order")
    @classmethod
    def _is_known(cls, order: str) -> str:
        try:
            picture_sources(order)
        except InputRefused as error:
            raise ValueError(str(error)) from None
        return order

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the block that says what the environment says."""
        return cls(
            order=",".join(settings.pictures),
            images_base_url=settings.images_base_url or "",
            images_model=settings.images_model or "",
            images_api_key=settings.images_api_key or SecretStr(""),
            pexels_api_key=settings.pexels_api_key or SecretStr(""),
            pixabay_api_key=settings.pixabay_api_key or SecretStr(""),
            openverse_base_url=settings.openverse_base_url or "",
        )

    def over(self, settings: Settings) -> Settings:
        """Return the settings with the sources that this block names."""
        changed = {
            "pictures": picture_sources(self.order),
            "images_base_url": self.images_base_url or None,
            "images_model": self.images_model or None,
            "openverse_base_url": self.openverse_base_url or None,
        } | {
            name: key if (key := getattr(self, name)).get_secret_value() else None
            for name in ("images_api_key", "pexels_api_key", "pixabay_api_key")
        }
        return settings.model_copy(update=changed)
