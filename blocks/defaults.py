"""The block documents that BHIV itself uses: one of each kind, named `default`."""

from typing import TypeVar, cast

from prefect.blocks.core import Block
from pydantic import ValidationError

from bhiv.errors import InputRefused
from bhiv.settings import Settings
from blocks.core import Core
from blocks.language_model import LanguageModel
from blocks.picture_sources import PictureSources
from blocks.speech import Speech
from blocks.storage import Storage

NAME = "default"
KINDS = (Storage, LanguageModel, Speech, PictureSources, Core)

B = TypeVar("B", bound=Block)


def register(settings: Settings) -> dict[str, bool]:
    """Make every kind known to the server and write the documents that are missing, from the settings.

    Returns:
        For each document's name, `bhiv-storage/default` and so on, whether it was written now. One that is there is
        left as the operator has set it.
    """
    return {f"{kind.get_block_type_slug()}/{NAME}": _written(kind, settings) for kind in KINDS}


def settings_of_operator(settings: Settings) -> Settings:
    """Return the settings with what the operator has set in the UI; those given where nothing was registered."""
    storage, model, speech = _found(Storage), _found(LanguageModel), _found(Speech)
    pictures = _found(PictureSources)
    settings = storage.over(settings) if storage else settings
    settings = model.over(settings) if model else settings
    settings = speech.over(settings) if speech else settings
    return pictures.over(settings) if pictures else settings


def _written(kind: type[Storage | LanguageModel | Speech | PictureSources | Core], settings: Settings) -> bool:
    kind.register_type_and_schema()
    if _found(kind):
        return False
    kind.of(settings).save(NAME)
    return True


def _found(kind: type[B]) -> B | None:
    try:
        return cast(B, kind.load(NAME))
    except ValidationError as error:
        slug = f"{kind.get_block_type_slug()}/{NAME}"
        raise InputRefused(f"the block {slug} can't be used: {error.errors()[0]['msg']}; edit it in the UI") from None
    except ValueError:  # Prefect's word for a document that is not there
        return None
