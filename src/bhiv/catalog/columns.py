"""Columns that hold the same in SQLite and in PostgreSQL, whatever is written into them."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, String
from sqlalchemy.types import TypeDecorator

from bhiv.errors import InputRefused


class SafeText(TypeDecorator[str]):
    """Text without NUL and without halves of surrogate pairs: SQLite takes them, PostgreSQL does not."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Pass the text on; raises InputRefused for what PostgreSQL would refuse."""
        _check(value)
        return value


class SafeJson(TypeDecorator[Any]):
    """JSON whose strings, keys included, are safe in the same sense; None is SQL's NULL."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        """Pass the value on; raises InputRefused for what PostgreSQL would refuse."""
        _check(value)
        return value


class UtcTime(TypeDecorator[datetime]):
    """A moment, given and returned with a time zone; SQLite keeps none, so UTC is written into it."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn the moment into UTC."""
        if value is None:
            return None
        assert value.tzinfo is not None, "a moment needs a time zone"
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the moment in UTC."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def cleaned(text: str) -> str:
    """Return `text` with what `SafeText` refuses replaced: for messages of others, which must never be lost."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def _check(value: object) -> None:
    match value:
        case str():
            if "\0" in value or (not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value)):
                raise InputRefused(f"{value[:60]!r} holds a character that can't be stored; remove it")
        case dict():
            for key, inner in value.items():
                _check(key)
                _check(inner)
        case list() | tuple():
            for inner in value:
                _check(inner)
