"""The secrets of webhooks that an installation has: those it signs callbacks with, those it wants to be told with."""

import contextlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from pydantic import SecretStr

from bhiv.bucket.files import explain
from bhiv.errors import InputRefused
from bhiv.settings import Settings
from bhiv.webhook_signing import new_secret, sign

_STANDARD = "whsec_"


def callback_secrets(settings: Settings) -> tuple[str, ...]:
    """Return what callbacks without a secret of their own are signed with: the settings', else one kept in the home.

    Raises:
        InputRefused: one of them is not a secret of Standard Webhooks.
        DiskFull, StorageError: none is set, and none can be kept.
    """
    if given := _plain(settings.callback_secrets):
        _check(given, "BHIV_CALLBACK_SECRETS")
        return given
    file = settings.home / "callback_secret"
    try:
        kept = (_kept(file),)
    except OSError as error:
        raise explain(error, str(file)) from error
    _check(kept, str(file))
    return kept


def ingest_secrets(settings: Settings) -> tuple[str, ...]:
    """Return what incoming webhooks are signed with, empty when they need not be.

    Raises:
        InputRefused: one begins as a secret of Standard Webhooks and is none.
    """
    given = _plain(settings.ingest_secrets)
    if standard := [secret for secret in given if secret.startswith(_STANDARD)]:
        _check(standard, "BHIV_INGEST_SECRETS")
    return given


def check_secret(secret: str) -> None:
    """Refuse what can't be signed with; raises InputRefused."""
    sign([secret], "check", 0, b"")


def _plain(given: Sequence[SecretStr]) -> tuple[str, ...]:
    return tuple(secret.get_secret_value() for secret in given)


def _check(given: Sequence[str], where: str) -> None:
    try:
        sign(given, "check", 0, b"")
    except InputRefused as error:
        raise InputRefused(f"{where}: {error}") from None


def _kept(file: Path) -> str:
    """Return the secret in the file, which is made when it is not there: by one process, however many try."""
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        pass
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as new:
            new.write(new_secret() + "\n")
            new.flush()
            os.fsync(new.fileno())
        with contextlib.suppress(FileExistsError):  # another process was faster: its secret counts
            file.hardlink_to(unfinished)
    finally:
        unfinished.unlink(missing_ok=True)
    return file.read_text(encoding="ascii", errors="replace").strip()
