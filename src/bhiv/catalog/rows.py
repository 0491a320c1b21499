"""Inserting rows fast: statements with their values inside cost ten times what these do, and a submit needs seven."""

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

import sqlalchemy
from sqlalchemy import Connection, Insert, Table

from bhiv.catalog.models import Base


def insert(connection: Connection, table: type[Base], values: Mapping[str, Any]) -> None:
    """Insert a row."""
    connection.execute(_insert(table), values)


def add(connection: Connection, table: type[Base], values: Mapping[str, Any]) -> bool:
    """Insert a row unless one of its key is there; return whether it was inserted."""
    return connection.execute(_insert_new(connection.dialect.name, table), values).rowcount == 1


@cache
def _insert(table: type[Base]) -> Insert:
    return sqlalchemy.insert(cast(Table, table.__table__))


@cache
def _insert_new(dialect: str, table: type[Base]) -> Insert:
    if dialect == "sqlite":
        from sqlalchemy.dialects import sqlite

        return _counted(sqlite.insert(cast(Table, table.__table__)).on_conflict_do_nothing())
    from sqlalchemy.dialects import postgresql  # 40 ms that SQLite's users need not wait for

    return _counted(postgresql.insert(cast(Table, table.__table__)).on_conflict_do_nothing())


def _counted(statement: Insert) -> Insert:
    # Without it, PostgreSQL's driver leaves the count of an insert at -1.
    return statement.execution_options(preserve_rowcount=True)
