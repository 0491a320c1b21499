"""The one module that reads the environment (or `.env`), and sets it.

What there is to be set stands in `bhiv.options`. That is imported when it is first asked for: pydantic takes 0.1 s of
CPU, and a command that another process makes needs none of it.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bhiv.errors import InputRefused

if TYPE_CHECKING:
    from bhiv.options import PictureSource as PictureSource
    from bhiv.options import Settings as Settings
    from bhiv.options import picture_sources as picture_sources


def __getattr__(name: str) -> object:
    if name not in {"PictureSource", "Settings", "picture_sources"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from bhiv import options

    return getattr(options, name)


def load_settings() -> "Settings":
    """Read the settings now.

    Raises:
        InputRefused: a variable holds a value it can't have; the message names it.
    """
    from pydantic import ValidationError

    from bhiv.options import Settings

    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper()
        variable = name if name.startswith("PREFECT_") else f"BHIV_{name}"
        raise InputRefused(
            f"the setting {variable} is {first['input']!r}: {first['msg'].lower().removeprefix('value error, ')}"
        ) from None


def warm_home() -> Path | None:
    """Return the home whose warm process may make this command, None when none may (`BHIV_KEEP_WARM`).

    Raises:
        InputRefused: as `load_settings`; a value that matters to others only is left for who needs it.
    """
    given = {name.upper(): value for name, value in os.environ.items() if value}
    if "BHIV_KEEP_WARM" in given or Path(".env").exists():
        settings = load_settings()
        return settings.home if settings.keep_warm else None
    try:
        return Path(given.get("BHIV_HOME", ".bhiv")).expanduser().absolute()
    except RuntimeError:  # it is the folder of a user that there is not, which is a fault that is explained later
        return None


def settings_environment(settings: "Settings") -> dict[str, str]:
    """Return the variables that give another process, in any folder, the same settings."""
    from bhiv.options import plain

    given = {name: getattr(settings, name) for name in settings.model_fields_set | {"home", "bucket_dir"}}
    told = {name: value for name, value in given.items() if value is not None and name != "prefect_api_url"}
    return {f"BHIV_{name.upper()}": plain(value) for name, value in told.items()}


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
