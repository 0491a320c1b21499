"""Opinions: what people think of contents, and what that is worth."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from bhiv.catalog import outbox
from bhiv.catalog.database import Catalog, now
from bhiv.catalog.models import Content, Feedback, User
from bhiv.catalog.rows import add, insert
from bhiv.errors import ContentMissing
from bhiv.feedback import reward_of
from bhiv.plan import Contract
from bhiv.request import new_id


class Opinion(Contract):
    """What somebody thinks of a content."""

    id: str
    content_id: str
    user_id: str
    #: From 1 to 5.
    rating: int
    comment: str | None
    #: By `bhiv.feedback`, from -1 to 1.
    reward: float
    created_at: datetime


class Opinions(Contract):
    """Some opinions of a content, the newest first; the sums are of all."""

    content_id: str
    ratings: int
    #: None without ratings.
    average_rating: float | None
    feedback: tuple[Opinion, ...]
    #: For the next page; None when there is none.
    next: str | None


def give(
    connection: Connection, content_id: str, user_id: str, rating: int, comment: str | None, *, core: bool
) -> Opinion:
    """Enter an opinion, and with `core` the reward for the Core service, in the caller's transaction.

    Raises:
        ContentMissing: there is no such content.
        InputRefused: the rating is not 1 to 5, or a text can't be stored.
    """
    if connection.scalar(select(Content.id).where(Content.id == content_id)) is None:
        raise ContentMissing(f"there is no content {content_id!r}")
    moment = now(connection)
    opinion = Opinion(
        id=new_id(), content_id=content_id, user_id=user_id, rating=rating, comment=comment,
        reward=reward_of(rating), created_at=moment,
    )  # fmt: skip
    add(connection, User, {"id": user_id, "created_at": moment})
    insert(connection, Feedback, dict(opinion))
    if core:
        outbox.put(connection, "core", reward_letter(opinion), moment)
    return opinion


def reward_letter(opinion: Opinion) -> dict[str, Any]:
    """Return what Core is told of an opinion."""
    data = opinion.model_dump(mode="json", exclude={"id", "created_at"}) | {"feedback_id": opinion.id}
    return {"type": "reward", "timestamp": opinion.created_at.isoformat(), "data": data}


def of_content(catalog: Catalog, content_id: str, after: str | None = None, limit: int = 50) -> Opinions:
    """Return opinions of a content that come after one, which is named by its id.

    Raises:
        ContentMissing: there is no such content.
    """
    query = select(*Feedback.__table__.columns).where(Feedback.content_id == content_id)
    if after is not None:
        query = query.where(Feedback.id < after)
    sums = select(func.count(), func.sum(Feedback.rating)).where(Feedback.content_id == content_id)
    with catalog.reading() as connection:
        if connection.scalar(select(Content.id).where(Content.id == content_id)) is None:
            raise ContentMissing(f"there is no content {content_id!r}")
        count, stars = connection.execute(sums).one()
        rows = connection.execute(query.order_by(Feedback.id.desc()).limit(limit + 1)).mappings().all()
    found = tuple(Opinion.model_validate(dict(row)) for row in rows[:limit])
    return Opinions(
        content_id=content_id,
        ratings=count,
        average_rating=round(int(stars) / count, 3) if count else None,
        feedback=found,
        next=found[-1].id if len(rows) > limit else None,
    )
