"""The tables.

Identifiers are 24 hex digits that sort by time. All moments are UTC. Deleting is left to those who erase contents: no
foreign key cascades.
"""

from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import CheckConstraint, Double, ForeignKey, MetaData
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


class Content(Base):
    """Something that a video is made of; its jobs are the tries to make it."""

    __tablename__ = "content"

    id: Mapped[str] = mapped_column(SafeText(24), primary_key=True)
    uploader_id: Mapped[str] = mapped_column(index=True)
    title: Mapped[str]
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
    finished_at: Mapped[datetime | None]
    #: The `RenderRequest` without its script, which is the content's.
    request: Mapped[dict[str, Any]]


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
