"""Pictures that a model makes, behind OpenAI's API or one that is compatible with it."""

import base64
import binascii
from dataclasses import dataclass, field
from typing import ClassVar

from pydantic import BaseModel, Field, ValidationError

from bhiv.errors import PictureError
from bhiv.photos.offers import orientation
from bhiv.vendors import Patience, Vendor, VendorClient

BASE_URL = "https://api.openai.com/v1"
#: A picture takes a minute.
PATIENCE = Patience(attempts=3, silence=150, total=300)
#: Wide, tall and square sizes that a model takes, by the beginning of its name; others take those of the last row.
_SIZES = (
    ("dall-e-3", ("1792x1024", "1024x1792", "1024x1024")),
    ("dall-e-2", ("1024x1024", "1024x1024", "1024x1024")),
    ("", ("1536x1024", "1024x1536", "1024x1024")),
)


class _Image(BaseModel):
    """A picture, or where it is."""

    b64_json: str | None = None
    url: str | None = None


class _Images(BaseModel):
    data: list[_Image] = Field(min_length=1)


@dataclass(frozen=True)
class OpenAIImages:
    """A model that makes pictures."""

    model: str
    api_key: str = field(default="", repr=False)
    base_url: str = BASE_URL
    patience: Patience = PATIENCE

    name: ClassVar[str] = "openai"

    @property
    def vendor(self) -> Vendor:
        """How it is reached."""
        headers = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        return Vendor("the image model", self.base_url, PictureError, headers, self.patience, max_bytes=48 << 20)

    async def paint(self, client: VendorClient, prompt: str, width: int, height: int) -> bytes | str:
        """Return a picture's bytes, or the address where the server has put it; of a like shape, not of this size.

        Raises:
            PictureError: it refuses, does not answer, or answers something else.
        """
        sizes = next(sizes for name, sizes in _SIZES if self.model.startswith(name))
        # No `response_format`: the newer models refuse it.
        asked = {"model": self.model, "prompt": prompt, "n": 1, "size": orientation(width, height, *sizes)}
        answer = await client.ask("POST", "images/generations", json=asked)
        try:
            image = _Images.model_validate_json(answer.body).data[0]
            if image.b64_json:
                return base64.b64decode(image.b64_json.partition("base64,")[2] or image.b64_json, validate=True)
        except (ValidationError, binascii.Error, ValueError) as error:
            raise PictureError("the image model answers something that holds no picture") from error
        if not image.url:
            raise PictureError("the image model answers without a picture")
        return image.url
