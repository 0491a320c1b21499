"""Blocks build what the library takes, whatever an operator has set in them."""

from pydantic import SecretStr

from bhiv.access import language_model_access
from bhiv.settings import Settings
from blocks.language_model import LanguageModel


def test_a_language_model_in_the_environment_is_the_same_in_its_block(settings: Settings) -> None:
    given = {
        "lm_base_url": "http://127.0.0.1:11434/v1", "lm_model": "tiny", "lm_api_key": SecretStr("sk-secret"),
        "lm_timeout_seconds": 90.0, "lm_price_in": 0.5, "lm_price_out": 1.5,
    }  # fmt: skip
    of_environment = settings.model_copy(update=given)

    assert LanguageModel.of(of_environment).over(settings) == of_environment


def test_a_block_without_a_model_turns_it_off(settings: Settings) -> None:
    of_environment = settings.model_copy(update={"lm_base_url": "http://127.0.0.1:11434/v1", "lm_model": "tiny"})

    assert language_model_access(LanguageModel.of(settings).over(of_environment)) is None
