"""Log lines as text or as JSON, each with the job, the run and the request that it is about, where they are known."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from typing import Literal

Format = Literal["text", "json"]

_about: ContextVar[tuple[tuple[str, str], ...]] = ContextVar("about", default=())
_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s%(about)s"


@contextmanager
def about(**names: str | None) -> Iterator[None]:
    """Have what is logged inside the block carry these names, such as `job_id`; those of None are left out."""
    token = tell(**names)
    try:
        yield
    finally:
        _about.reset(token)


def tell(**names: str | None) -> Token[tuple[tuple[str, str], ...]]:
    """Have what is logged from here on, in this thread or task, carry these names; return what undoes it."""
    given = {name: value for name, value in names.items() if value}
    return _about.set(tuple((dict(_about.get()) | given).items()))


class TextLines(logging.Formatter):
    """Lines for a person."""

    def __init__(self) -> None:
        super().__init__(_TEXT)

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a line; a traceback makes it several."""
        record.about = "".join(f" {name}={value}" for name, value in _about.get())
        return super().format(record)


class JsonLines(logging.Formatter):
    """Lines for a machine: one JSON object each. Takes, and ignores, what configurations give to formatters."""

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a line."""
        said = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        } | dict(_about.get())
        # Prefect's loggers know the run that they speak of.
        for name in ("flow_run_id", "task_run_name"):
            if value := getattr(record, name, None):
                said[name] = str(value)
        if record.exc_info:
            said["error"] = self.formatException(record.exc_info)
        return json.dumps(said)


def set_up(format_: Format) -> None:
    """Have this process log to stderr in that format: warnings of others, and from INFO on what BHIV says."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if format_ == "json" else TextLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("bhiv").setLevel(logging.INFO)
