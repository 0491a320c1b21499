"""The artifact that a maintenance run leaves."""

from collections.abc import Iterable, Sequence

from prefect.artifacts import create_table_artifact
from pydantic import BaseModel


def show_report(key: str, report: Iterable[tuple[str, object]], details: Sequence[BaseModel] = ()) -> None:
    """Show what was done: the report's own figures in the description, the details, or else the figures, as a table."""
    figures = {name.replace("_", " "): value for name, value in report if isinstance(value, int | float)}
    rows = [row.model_dump() for row in details] or [figures]
    said = ", ".join(f"{name} {value}" for name, value in figures.items())
    create_table_artifact(key=key, table=rows, description=said)
