import pytest
from pydantic import SecretStr, ValidationError

from bhiv.settings import Settings
from blocks.picture_sources import PictureSources


def test_a_run_takes_its_sources_of_pictures_from_the_block() -> None:
    written = PictureSources.of(Settings(pictures=("openverse",), pexels_api_key=SecretStr("secret")))
    edited = written.model_copy(update={"order": "pexels, openverse", "images_model": "m"})

    settings = edited.over(Settings())

    assert settings.pictures == ("pexels", "openverse", "offline")
    assert settings.pexels_api_key == SecretStr("secret")
    assert (settings.images_model, settings.images_api_key, settings.openverse_base_url) == ("m", None, None)
    assert "secret" not in repr(written)


def test_a_source_that_nobody_knows_is_refused_in_the_form() -> None:
    with pytest.raises(ValidationError, match="there is no source of pictures 'flickr'"):
        PictureSources(order="pexels,flickr")
