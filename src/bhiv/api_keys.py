"""Keys to the service: made, shown once, kept as a hash, checked, revoked.

A key is `bhiv_<id>_<secret>`. The secret is 32 random bytes, so one SHA-256 keeps it: a slow hash is for what people
choose, and would cost 58 ms a request.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from hmac import compare_digest
from typing import Literal, get_args

from sqlalchemy import Connection, select, update

from bhiv.catalog import Catalog
from bhiv.catalog.database import now
from bhiv.catalog.models import ApiKey
from bhiv.catalog.rows import insert
from bhiv.errors import InputRefused
from bhiv.plan import Contract

Scope = Literal["render:write", "render:read", "ingest", "feedback", "bucket:read", "bucket:admin", "metrics", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

_KEY = re.compile(r"bhiv_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_MOST_NAME = 200


class KeyView(Contract):
    """A key as its owner sees it; the secret is not among what is kept."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    #: To the minute; None for one that was never used.
    last_used_at: datetime | None
    revoked_at: datetime | None

    def allows(self, scope: Scope) -> bool:
        """Whether the key opens what `scope` names; `admin` opens everything."""
        return scope in self.scopes or "admin" in self.scopes


def create(connection: Connection, name: str, scopes: Sequence[str]) -> str:
    """Make a key and return it; nobody can read it again.

    Raises:
        InputRefused: an empty or very long name, no scopes, or one that there is not.
    """
    if not 0 < len(name.strip()) <= _MOST_NAME:
        raise InputRefused(f"a key needs a name of 1 to {_MOST_NAME} letters")
    if unknown := set(scopes) - set(SCOPES):
        raise InputRefused(f"there is no scope {min(unknown)!r}; there are {', '.join(SCOPES)}")
    if not scopes:
        raise InputRefused(f"a key needs a scope: {', '.join(SCOPES)}")
    id_, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    values = {"id": id_, "name": name.strip(), "sha256": _hash(secret), "scopes": [*scopes]}
    insert(connection, ApiKey, values | {"created_at": now(connection)})
    return f"bhiv_{id_}_{secret}"


def check(catalog: Catalog, given: str) -> KeyView | None:
    """Return the living key that `given` is, None for anything else."""
    match = _KEY.fullmatch(given)
    if match is None:
        return None
    with catalog.reading() as connection:
        row = (
            connection.execute(select(*ApiKey.__table__.columns).where(ApiKey.id == match[1])).mappings().one_or_none()
        )
    # Compared in constant time, also when there is no such key.
    same = compare_digest(_hash(match[2]), row["sha256"] if row else _hash(""))
    return _view(dict(row)) if row and same and row["revoked_at"] is None else None


def listed(catalog: Catalog) -> list[KeyView]:
    """Return all keys, the newest first, revoked ones included."""
    with catalog.reading() as connection:
        rows = connection.execute(select(*ApiKey.__table__.columns).order_by(ApiKey.created_at.desc())).mappings().all()
    return [_view(dict(row)) for row in rows]


def revoke(connection: Connection, id_: str) -> None:
    """Have a key open nothing any more; one that is revoked already stays so.

    Raises:
        InputRefused: there is no such key.
    """
    found = connection.execute(update(ApiKey).where(ApiKey.id == id_).values(revoked_at=now(connection)))
    if found.rowcount != 1:
        raise InputRefused(f"there is no key {id_!r}; `bhiv keys list` shows them")


def note_use(connection: Connection, id_: str) -> None:
    """Note that a key is used now; once a minute is enough."""
    connection.execute(update(ApiKey).where(ApiKey.id == id_).values(last_used_at=now(connection)))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _view(row: dict[str, object]) -> KeyView:
    return KeyView.model_validate({name: value for name, value in row.items() if name in KeyView.model_fields})
