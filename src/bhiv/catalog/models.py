"""The tables.

Identifiers are 24 hex digits that sort by time. All moments are UTC. Deleting is left to those who erase contents: no
foreign key cascades.
"""

from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import CheckConstraint, Double, ForeignKey, Index, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bhiv.catalog.columns import SafeJson, SafeText, UtcTime

State = Literal["queued", "running", "completed", "failed", "cancelled"]
STATES: tuple[State, ...] = get_args(State)


class Base(DeclarativeBase):
    """What all tables share: names of constraints that a migration can rely on, and column types."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {str: SafeText, float: Double, datetime: UtcTime, dict[str, Any]: SafeJson}  # noqa: RUF012


class User(Base):
    """Who uploads contents and rates them; known from the first time that the id is named."""

    __tablename__ = "user"

    id: Mapped[str] = mapped_column(SafeText(200), primary_key=True)
    created_at: Mapped[datetime]


class Content(Base):
    """Something that a video is made of; its jobs are the tries to make it."""

    __tablename__ = "content"

    id: Mapped[str] = mapped_column(SafeText(24), primary_key=True)
    uploader_id: Mapped[str] = mapped_column(ForeignKey("user.id"), index=True)
    title: Mapped[str]
    #: Of its script, such as `en`; None for contents of before it was kept.
    language: Mapped[str | None]
    created_at: Mapped[datetime]


class Script(Base):
    """The script that a content was given as; one that was given as a plan has none."""

    __tablename__ = "script"

    content_id: Mapped[str] = mapped_column(ForeignKey("content.id"), primary_key=True)
    text: Mapped[str]
    #: Of the text in UTF-8.
    sha256: Mapped[str] = mapped_column(SafeText(64))
    size_bytes: Mapped[int]
    created_at: Mapped[datetime]


class Job(Base):
    """One video to make, who makes it just now, and how far that is."""

    __tablename__ = "job"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES!r}", name="state"),
        # No such check on the step: more of them will come.
        CheckConstraint("progress BETWEEN 0 AND 100", name="progress"),
    )

    id: Mapped[str] = mapped_column(SafeText(24), primary_key=True)
    content_id: Mapped[str] = mapped_column(ForeignKey("content.id"), index=True)
    state: Mapped[str] = mapped_column(index=True)
    #: A `record.StepName`, or `completed`.
    step: Mapped[str]
    #: In percent.
    progress: Mapped[int]
    #: By step: a `record.Stage`.
    stages: Mapped[dict[str, Any]]
    title: Mapped[str]
    #: A `record.Failure`.
    error: Mapped[dict[str, Any] | None]
    #: How often it was claimed.
    attempts: Mapped[int]
    flow_run_id: Mapped[str | None]
    #: Host and process of who makes it; None when nobody does.
    lease_owner: Mapped[str | None]
    #: Raised by every claim; what carries an older one may not write.
    lease_token: Mapped[int]
    lease_expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime] = mapped_column(index=True)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None] = mapped_column(index=True)
    #: The `RenderRequest` without its script, which is the content's.
    request: Mapped[dict[str, Any]]
    #: The key by which it was submitted to the service; None for the command's jobs and the Prefect UI's.
    api_key_id: Mapped[str | None] = mapped_column(ForeignKey("api_key.id"), index=True)


class JobEvent(Base):
    """A change of a job's state or step."""

    __tablename__ = "job_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"), index=True)
    at: Mapped[datetime]
    state: Mapped[str]
    step: Mapped[str]
    #: In percent.
    progress: Mapped[int]
    #: Of the error that the job has failed with; None for every other change.
    category: Mapped[str | None] = mapped_column(index=True)


class VideoMetadata(Base):
    """What is kept of a job's last attempt: the columns are `record.Metadata`'s."""

    __tablename__ = "video_metadata"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"), primary_key=True)
    content_id: Mapped[str] = mapped_column(ForeignKey("content.id"), index=True)
    uploader_id: Mapped[str] = mapped_column(index=True)
    title: Mapped[str]
    timestamp: Mapped[float]
    created_at: Mapped[datetime]
    paths: Mapped[dict[str, Any]]
    storyboard_stats: Mapped[dict[str, Any]]
    storyboard_source: Mapped[str]
    processing_status: Mapped[str] = mapped_column(index=True)
    error: Mapped[dict[str, Any] | None]


class Feedback(Base):
    """What somebody thinks of a content."""

    __tablename__ = "feedback"
    __table_args__ = (CheckConstraint("rating BETWEEN 1 AND 5", name="rating"),)

    id: Mapped[str] = mapped_column(SafeText(24), primary_key=True)
    content_id: Mapped[str] = mapped_column(ForeignKey("content.id"), index=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("user.id"), index=True)
    rating: Mapped[int]
    comment: Mapped[str | None]
    #: By `bhiv.feedback`.
    reward: Mapped[float]
    created_at: Mapped[datetime] = mapped_column(index=True)


class ApiKey(Base):
    """A key to the service; the secret itself is kept nowhere."""

    __tablename__ = "api_key"

    id: Mapped[str] = mapped_column(SafeText(12), primary_key=True)
    name: Mapped[str]
    #: Of the secret, which is 32 random bytes: a slow hash would add nothing.
    sha256: Mapped[str] = mapped_column(SafeText(64))
    scopes: Mapped[list[str]] = mapped_column(SafeJson)
    created_at: Mapped[datetime]
    #: To the minute.
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class IdempotencyKey(Base):
    """A request that must be done once, whoever sends it again."""

    __tablename__ = "idempotency_key"

    #: The API key's id, `-` without one: two clients may choose the same key.
    scope: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    #: SHA-256 of what was asked for.
    fingerprint: Mapped[str] = mapped_column(SafeText(64))
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"))
    created_at: Mapped[datetime] = mapped_column(index=True)


class Outbox(Base):
    """Something that another service must be told; written in the transaction that makes it true."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_kind_due_at", "kind", "due_at"),)

    #: What the receiver knows it by: every try carries the same.
    id: Mapped[str] = mapped_column(SafeText(24), primary_key=True)
    #: An `outbox.Kind`.
    kind: Mapped[str]
    job_id: Mapped[str | None] = mapped_column(ForeignKey("job.id"), index=True)
    callback_id: Mapped[str | None] = mapped_column(ForeignKey("callback.id"), index=True)
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    #: When it is to be tried next; None once it is done or given up.
    due_at: Mapped[datetime | None]
    attempts: Mapped[int]
    done_at: Mapped[datetime | None]
    #: Of the last try; with neither `due_at` nor `done_at` it was given up.
    error: Mapped[str | None]


class Callback(Base):
    """An address that is told of a job's end."""

    __tablename__ = "callback"

    id: Mapped[str] = mapped_column(SafeText(24), primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"), index=True)
    url: Mapped[str]
    #: Of Standard Webhooks, `whsec_...`; None takes the service's own.
    secret: Mapped[str | None]
    created_at: Mapped[datetime]
    #: When no more will be sent there, and why.
    ended_at: Mapped[datetime | None]
    ended_reason: Mapped[str | None]


class Delivery(Base):
    """One try to deliver what is in the outbox to a callback."""

    __tablename__ = "delivery"

    id: Mapped[int] = mapped_column(primary_key=True)
    outbox_id: Mapped[str] = mapped_column(ForeignKey("outbox.id"), index=True)
    callback_id: Mapped[str] = mapped_column(ForeignKey("callback.id"), index=True)
    at: Mapped[datetime]
    #: None when there was no answer.
    status: Mapped[int | None]
    error: Mapped[str | None]
    seconds: Mapped[float]


class IngestEvent(Base):
    """A webhook that came in: remembered so that the same one does nothing twice."""

    __tablename__ = "ingest_event"

    id: Mapped[str] = mapped_column(SafeText(24), primary_key=True)
    #: By its sender's name for it; None for a sender that gives none.
    webhook_id: Mapped[str | None] = mapped_column(unique=True)
    content_type: Mapped[str]
    payload: Mapped[Any] = mapped_column(SafeJson, nullable=True)
    job_ids: Mapped[list[str]] = mapped_column(SafeJson)
    received_at: Mapped[datetime] = mapped_column(index=True)
