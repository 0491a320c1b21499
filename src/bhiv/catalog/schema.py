"""The tables' versions: one query says whether they are current, alembic is only loaded when they are not."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from bhiv.errors import RunFailed

#: The revision of the newest file in `migrations/versions`.
HEAD = "r0002"

_VERSION = text("SELECT version_num FROM alembic_version")
_MIGRATIONS = Path(__file__).parent / "migrations"


def is_current(connection: Connection) -> bool:
    """Whether the tables are those of this version; where there are none, the transaction is of no more use."""
    try:
        return bool(connection.scalar(_VERSION) == HEAD)
    except DBAPIError as error:
        if "alembic_version" in str(error.orig):  # no such table
            return False
        raise


def revision(connection: Connection) -> str | None:
    """Return the tables' version, None where there are none."""
    return connection.scalar(_VERSION) if inspect(connection).has_table("alembic_version") else None


def migrate(connection: Connection, to: str = "head") -> None:
    """Bring the tables to a version, `base` for none, within the caller's transaction; current ones stay untouched.

    Raises:
        RunFailed: a newer version has made them.
    """
    found = revision(connection)
    if to == "head" and found == HEAD:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        ScriptDirectory.from_config(config).get_revision(found or "base")
    except CommandError:
        raise RunFailed(f"the catalog was made by a newer BHIV (its version is {found!r}): update BHIV") from None
    if to == "head":
        command.upgrade(config, to)
    else:
        command.downgrade(config, to)
