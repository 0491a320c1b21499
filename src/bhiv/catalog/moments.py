"""What SQLite and PostgreSQL say each in its own way of moments: the seconds between two, and the day of one in UTC."""

from typing import Any

from sqlalchemy import Float, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class SecondsBetween(FunctionElement[float]):
    """The seconds from the first moment to the second; NULL when either is."""

    type = Float()
    name = "seconds_between"
    inherit_cache = True


class DayOf(FunctionElement[str]):
    """The day of a moment, as `2026-01-31`."""

    type = String()
    name = "day_of"
    inherit_cache = True


def _inner(element: FunctionElement[Any], compiler: SQLCompiler, options: dict[str, Any]) -> list[str]:
    return [compiler.process(clause, **options) for clause in element.clauses]


@compiles(SecondsBetween, "sqlite")
def _(element: SecondsBetween, compiler: SQLCompiler, **options: Any) -> str:
    start, end = _inner(element, compiler, options)
    return f"((julianday({end}) - julianday({start})) * 86400.0)"


@compiles(SecondsBetween, "postgresql")
def _(element: SecondsBetween, compiler: SQLCompiler, **options: Any) -> str:
    start, end = _inner(element, compiler, options)
    return f"CAST(EXTRACT(EPOCH FROM ({end} - {start})) AS DOUBLE PRECISION)"


@compiles(DayOf, "sqlite")
def _(element: DayOf, compiler: SQLCompiler, **options: Any) -> str:
    [moment] = _inner(element, compiler, options)
    return f"date({moment})"


@compiles(DayOf, "postgresql")
def _(element: DayOf, compiler: SQLCompiler, **options: Any) -> str:
    [moment] = _inner(element, compiler, options)
    return f"to_char({moment} AT TIME ZONE 'UTC', 'YYYY-MM-DD')"
