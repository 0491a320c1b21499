"""Collection: the sources of pictures that an installation has, in the order in which they are asked."""

from dataclasses import dataclass
from typing import Self

from bhiv.photos import openverse
from bhiv.photos.offers import Library
from bhiv.photos.openai_images import BASE_URL, OpenAIImages
from bhiv.photos.openverse import Openverse
from bhiv.photos.pexels import Pexels
from bhiv.photos.pixabay import Pixabay
from bhiv.settings import PictureSource, Settings

#: Without designed pictures, which are always there and last.
Source = Library | OpenAIImages


@dataclass(frozen=True)
class Collection:
    """What is asked for pictures."""

    sources: tuple[Source, ...] = ()
    #: Hosts of the own network from which pictures may be fetched.
    allowed_hosts: tuple[str, ...] = ()
    #: What a person should know: sources that were chosen and can't be asked.
    lacking: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the sources that the settings name and have the keys for."""
        built = [(name, _built(name, settings)) for name in settings.pictures if name != "offline"]
        lacking = tuple(f"{name} was not asked for pictures: set {_NEEDED[name]}" for name, one in built if not one)
        return cls(tuple(one for _, one in built if one), settings.allowed_hosts, lacking)

    @property
    def libraries(self) -> tuple[Library, ...]:
        """The sources whose pictures are owed to somebody."""
        return tuple(source for source in self.sources if not isinstance(source, OpenAIImages))

    @property
    def searched_first(self) -> tuple[Library, ...]:
        """The libraries that are asked before any picture is made."""
        names = [isinstance(source, OpenAIImages) for source in self.sources]
        until = names.index(True) if True in names else len(names)
        return tuple(source for source in self.sources[:until] if not isinstance(source, OpenAIImages))


_NEEDED: dict[PictureSource, str] = {
    "openai": "BHIV_IMAGES_MODEL, and BHIV_IMAGES_API_KEY or BHIV_IMAGES_BASE_URL",
    "pexels": "BHIV_PEXELS_API_KEY",
    "pixabay": "BHIV_PIXABAY_API_KEY",
}


def _built(name: PictureSource, settings: Settings) -> Source | None:
    match name:
        case "pexels" if settings.pexels_api_key:
            return Pexels(settings.pexels_api_key.get_secret_value())
        case "pixabay" if settings.pixabay_api_key:
            return Pixabay(settings.pixabay_api_key.get_secret_value())
        case "openverse":
            return Openverse(settings.openverse_base_url or openverse.BASE_URL)
        case "openai" if settings.images_model and (settings.images_api_key or settings.images_base_url):
            key = settings.images_api_key.get_secret_value() if settings.images_api_key else ""
            return OpenAIImages(settings.images_model, key, settings.images_base_url or BASE_URL)
    return None
