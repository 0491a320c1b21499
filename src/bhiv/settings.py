"""What an installation can set: the one module that reads the environment (or `.env`)."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bhiv.errors import InputRefused


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux: what a container may use, not what the machine has
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 2


class Settings(BaseSettings):
    """One value each, from `BHIV_<NAME>` in the environment, else from `.env`, else the default."""

    model_config = SettingsConfigDict(env_prefix="BHIV_", env_file=".env", extra="ignore", frozen=True)

    home: Path = Field(Path(".bhiv"), description="Folder for the Prefect server's state, fonts, logs and the catalog.")
    storage_backend: Literal["local"] = Field("local", description="Where the bucket lives; a local folder.")
    bucket_dir: Path = Field(Path("data/bucket"), description="Folder of the local bucket.")
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
    encoders: int = Field(
        default_factory=lambda: (
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2
        ),
        ge=1,
        le=256,
        description="How many scenes are encoded at once; the number of cores.",
    )
    stall_seconds: float = Field(
        120,
        gt=0,
        allow_inf_nan=False,
        description="An encoder that takes no frame for so long is ended and tried again.",
    )
    max_scenes: int = Field(200, ge=1, le=10_000, description="The most scenes that one video may have.")
    max_script_bytes: int = Field(1_000_000, ge=1, description="The largest script, in bytes of UTF-8.")
    prefect_api_url: str | None = Field(
        None,
        validation_alias="PREFECT_API_URL",
        description="A Prefect server to use in place of the kept one.",
    )

    @field_validator("home", "bucket_dir")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()


def load_settings() -> Settings:
    """Read the settings now.

    Raises:
        InputRefused: a variable holds a value it can't have; the message names it.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper()
        variable = name if name.startswith("PREFECT_") else f"BHIV_{name}"
        raise InputRefused(f"the setting {variable} is {first['input']!r}: {first['msg'].lower()}") from None


def inherited_environment() -> dict[str, str]:
    """Return a copy of this process's environment, for what it starts."""
    return dict(os.environ)


def adopt_prefect_environment(variables: Mapping[str, str]) -> None:
    """Put `variables` in place of all `PREFECT_*` of this process, before prefect is imported and reads them."""
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        del os.environ[name]
    os.environ.update(variables)


def replace_environment(variables: Mapping[str, str]) -> None:
    """Make `variables` the whole environment of this process, as that of a program started with them."""
    os.environ.clear()
    os.environ.update(variables)
