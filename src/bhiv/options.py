"""What an installation can set: the name, type, default and effect of each setting, which `bhiv.settings` reads."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bhiv.errors import InputRefused

#: Who gives a scene its picture.
PictureSource = Literal["openai", "pexels", "pixabay", "openverse", "offline"]


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux: what a container may use, not what the machine has
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 2


def _beside_the_bucket(given: dict[str, Any]) -> Path:
    bucket: Path = given.get("bucket_dir", Path("data/bucket"))
    return bucket.parent / "failed_core_sends.log"


class Settings(BaseSettings):
    """One value each, from `BHIV_<NAME>` in the environment, else from `.env`, else the default."""

    model_config = SettingsConfigDict(
        env_prefix="BHIV_", env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    home: Path = Field(Path(".bhiv"), description="Folder for the Prefect server's state, fonts, logs and the catalog.")
    storage_backend: Literal["local", "s3"] = Field(
        "local", description="Where the bucket lives: `local`, a folder, or `s3`, AWS or a server that speaks S3."
    )
    bucket_dir: Path = Field(Path("data/bucket"), description="Folder of the local bucket.")
    s3_bucket: str | None = Field(None, description="Name of the S3 bucket, which must exist.")
    s3_prefix: str = Field(
        "", pattern=r"^([A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*)?$", description="Folder in the S3 bucket; none by default."
    )
    s3_endpoint_url: str | None = Field(
        None,
        pattern="^https?://",
        description="Address of an S3 server other than AWS, such as https://s3.example.org.",
    )
    s3_public_endpoint_url: str | None = Field(
        None, pattern="^https?://", description="Address under which browsers reach the S3 server, where it differs."
    )
    s3_region: str | None = Field(None, description="Region of the S3 bucket; other servers than AWS rarely need it.")
    s3_access_key_id: str | None = Field(None, description="Key of the S3 account; without it, boto3's own sources.")
    s3_secret_access_key: SecretStr | None = Field(None, description="Secret that belongs to the key.")
    s3_ca_bundle: Path | None = Field(
        None, description="Certificates (PEM) to trust in place of the machine's, for a server that signs its own."
    )
    s3_multipart_bytes: int = Field(
        16 << 20, ge=5 << 20, le=5 << 30, description="Objects larger than this go to S3 in parts of this size."
    )
    s3_cache_bytes: int = Field(
        10 << 30, ge=0, description="Space for local copies of S3 objects; those used in the last hour stay anyway."
    )
    database_url: SecretStr | None = Field(
        None,
        description="PostgreSQL for the catalog, postgresql://user:password@host/name; none: a file in the home.",
    )
    lease_seconds: float = Field(
        30,
        ge=1,
        le=3600,
        allow_inf_nan=False,
        description="A run that gives no sign of life for so long has lost its job to the next one.",
    )
    server_port: int = Field(0, ge=0, le=65535, description="Port of the kept Prefect server; 0 takes a free one.")
    server_idle_minutes: float = Field(
        60,
        gt=0,
        allow_inf_nan=False,
        description="The kept Prefect server ends after so long without work or visitors.",
    )
    server_start_seconds: float = Field(
        180, gt=0, allow_inf_nan=False, description="How long the kept Prefect server may take to answer."
    )
    keep_warm: bool = Field(
        True,
        description="Whether a process is kept that has imported what a render needs, so that the next starts at once.",
    )
    encoders: int = Field(
        default_factory=_usable_cores,
        ge=1,
        le=256,
        description="How many chunks of clips are encoded at once; the number of cores.",
    )
    hardware_encoder: Literal["off", "auto"] = Field(
        "off", description="`auto` encodes on graphics hardware where a trial has proved it: faster, in larger files."
    )
    font_dirs: Annotated[tuple[Path, ...] | None, NoDecode] = Field(
        None, description="Folders of fonts for scripts that FiraGO lacks, /a,/b; none: where the system keeps them."
    )
    stall_seconds: float = Field(
        120,
        gt=0,
        allow_inf_nan=False,
        description="An encoder that takes no frame for so long is ended and tried again.",
    )
    job_attempts: int = Field(
        5, ge=1, description="How often a job is begun before it is given up, when its process is killed every time."
    )
    dispatch_window: int = Field(
        50, ge=1, description="So many jobs of the service are with Prefect at most; the others wait in a fair order."
    )
    queue_limit: int = Field(10_000, ge=1, description="The most jobs that may wait; more are refused for the moment.")
    key_queue_limit: int = Field(1_000, ge=1, description="The most jobs of one API key that may wait.")
    rate_limit_per_minute: int = Field(600, ge=1, description="The most changes that one API key may ask for a minute.")
    auth: Literal["keys", "off"] = Field(
        "keys", description="Whether the service wants API keys: `keys`, or `off`, on a loopback address only."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="How the service and the worker log: `text` for a person, `json` for a machine."
    )
    service_host: str = Field("127.0.0.1", description="Address that the service listens on.")
    service_port: int = Field(8400, ge=0, le=65535, description="Port of the service; 0 takes a free one.")
    max_body_bytes: int = Field(
        8 << 20, ge=1_000, description="The largest request that the service reads, uploaded files aside."
    )
    max_scenes: int = Field(200, ge=1, le=10_000, description="The most scenes that one video may have.")
    max_script_bytes: int = Field(1_000_000, ge=1, description="The largest script, in bytes of UTF-8.")
    lexicon_file: Path | None = Field(
        None, description='Pronunciations: a TOML file with a table for each language, lines of `"written" = "said"`.'
    )
    lm_base_url: str | None = Field(None, description="Address of a language model's OpenAI-compatible API.")
    lm_model: str | None = Field(None, description="Name of the language model.")
    lm_api_key: SecretStr | None = Field(None, description="Key of the language model's API.")
    voices: Annotated[tuple[str, ...], NoDecode] = Field(
        ("espeak",),
        description="Who speaks, the first choice first, such as elevenlabs:ID,openai:nova; espeak is the last resort.",
    )
    elevenlabs_api_key: SecretStr | None = Field(None, description="Key of the ElevenLabs account.")
    elevenlabs_base_url: str = Field("https://api.elevenlabs.io", description="Address of ElevenLabs.")
    elevenlabs_model: str = Field("eleven_multilingual_v2", description="Model of ElevenLabs that speaks.")
    tts_base_url: str | None = Field(
        None, description="Address of the engine `openai`: a server with POST /audio/speech; ends in /v1 as a rule."
    )
    tts_api_key: SecretStr | None = Field(None, description="Key of that server; none for one of your own.")
    tts_model: str = Field("tts-1", description="Model of that server that speaks.")
    gtts_base_url: str = Field("https://translate.google.com", description="Address of the engine `gtts`.")
    piper_model: Path | None = Field(
        None, description="Voice of the engine `piper`: a file .onnx beside its .onnx.json."
    )
    lm_timeout_seconds: float = Field(
        30,
        gt=0,
        le=3600,
        allow_inf_nan=False,
        description="How long the language model may say nothing; all of an answer may take ten times that.",
    )
    lm_price_in: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="Price of a million tokens that the language model reads."
    )
    lm_price_out: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="Price of a million tokens that the language model writes."
    )
    pictures: Annotated[tuple[PictureSource, ...], NoDecode] = Field(
        ("offline",),
        description="Where pictures come from, in order: openai, pexels, pixabay, openverse, offline (always last).",
    )
    images_base_url: str | None = Field(None, description="Address of an image model's OpenAI-compatible API.")
    images_model: str | None = Field(None, description="Name of the image model.")
    images_api_key: SecretStr | None = Field(None, description="Key of the image model's API.")
    pexels_api_key: SecretStr | None = Field(None, description="Key of the Pexels API.")
    pixabay_api_key: SecretStr | None = Field(None, description="Key of the Pixabay API.")
    openverse_base_url: str | None = Field(None, description="Address of another server that speaks Openverse's API.")
    core_url: str | None = Field(None, description="Address of the Core service, which is told of finished videos.")
    core_token: SecretStr | None = Field(None, description="Token of the Core service.")
    failed_sends_file: Path = Field(
        default_factory=_beside_the_bucket,
        description="What Core did not take waits in this file; beside the bucket's folder by default.",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Hosts of the own network that callbacks and pictures may reach, as hooks.local:8080,10.1.0.0/16.",
    )
    callback_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        description="What callbacks are signed with, whsec_...; several, while receivers change from one to the next.",
    )
    ingest_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="What incoming webhooks must be signed with, one of them each; none: they need an API key."
    )
    prefect_api_url: str | None = Field(
        None,
        validation_alias="PREFECT_API_URL",
        description="A Prefect server to use in place of the kept one.",
    )

    @field_validator("home", "bucket_dir", "s3_ca_bundle", "failed_sends_file", "piper_model", "lexicon_file")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        try:
            return path and path.expanduser().absolute()
        except RuntimeError:
            raise ValueError(f"there is no user {str(path).split('/')[0][1:]}") from None

    @field_validator("font_dirs", mode="before")
    @classmethod
    def _folders(cls, given: object) -> object:
        return (
            tuple(Path(part.strip()) for part in given.split(",") if part.strip()) if isinstance(given, str) else given
        )

    @field_validator("allowed_hosts", "callback_secrets", "ingest_secrets", "voices", "pictures", mode="before")
    @classmethod
    def _separated(cls, given: object) -> object:
        return tuple(part.strip() for part in given.split(",") if part.strip()) if isinstance(given, str) else given

    @field_validator("pictures")
    @classmethod
    def _offline_last(cls, given: tuple[PictureSource, ...]) -> tuple[PictureSource, ...]:
        return (*dict.fromkeys(source for source in given if source != "offline"), "offline")


def picture_sources(given: str) -> tuple[PictureSource, ...]:
    """Read a list of sources as the setting does; raises InputRefused when one is unknown."""
    known: tuple[PictureSource, ...] = get_args(PictureSource)
    names = [name.strip() for name in given.split(",") if name.strip()]
    if unknown := [name for name in names if name not in known]:
        raise InputRefused(f"there is no source of pictures {unknown[0]!r}; there are {', '.join(known)}")
    return (*(dict.fromkeys(source for name in names for source in known if source == name != "offline")), "offline")


def plain(value: object) -> str:
    """Return a setting's value as it is written in the environment, a secret's too."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return ",".join(map(plain, value)) if isinstance(value, tuple) else str(value)
