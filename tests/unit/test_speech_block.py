from pathlib import Path

from pydantic import SecretStr

from bhiv.settings import Settings
from blocks.speech import Speech


def test_what_the_environment_says_comes_back_out_of_the_block() -> None:
    settings = Settings(
        voices=("elevenlabs:Rachel1", "espeak"),
        elevenlabs_api_key=SecretStr("xi"),
        tts_base_url="http://127.0.0.1:1/v1",
        piper_model=Path("/voices/a.onnx"),
    )

    assert Speech.of(settings).over(settings) == settings
    assert Speech.of(Settings()).over(Settings()) == Settings()


def test_a_block_goes_before_the_environment() -> None:
    block = Speech(voices=" openai:nova , espeak,", base_url="http://127.0.0.1:1/v1", model="")

    settings = block.over(Settings(elevenlabs_api_key=SecretStr("xi")))

    assert settings.voices == ("openai:nova", "espeak")
    assert (settings.tts_base_url, settings.tts_model) == ("http://127.0.0.1:1/v1", "tts-1")
    assert settings.elevenlabs_api_key is None
