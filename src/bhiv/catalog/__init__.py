"""The catalog: contents, jobs and what became of them, in SQLite or PostgreSQL.

Prefect owns the state of its runs; the catalog owns what was asked for, who makes it just now, and what a person sees.
Nothing below it knows it.
"""

from bhiv.catalog.database import Catalog, open_catalog

__all__ = ["Catalog", "open_catalog"]
