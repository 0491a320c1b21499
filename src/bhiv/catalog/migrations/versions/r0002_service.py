"""What the service needs: users, keys, idempotency, outbox, callbacks, events, feedback."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"

_TABLES = (
    "ingest_event", "delivery", "outbox", "callback", "idempotency_key", "feedback", "job_event",
)  # fmt: skip


def upgrade() -> None:
    """Make the tables; who uploaded something before is a user."""
    op.create_table("user", _id(200), _moment("created_at"), sa.PrimaryKeyConstraint("id", name="pk_user"))
    op.execute(
        'INSERT INTO "user" (id, created_at) SELECT uploader_id, min(created_at) FROM content GROUP BY uploader_id'
    )
    op.create_table(
        "api_key",
        _id(12),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        _moment("created_at"),
        _moment("last_used_at", nullable=True),
        _moment("revoked_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_key"),
    )
    with op.batch_alter_table("content") as content:
        content.add_column(sa.Column("language", sa.String(), nullable=True))
        content.create_foreign_key("fk_content_uploader_id_user", "user", ["uploader_id"], ["id"])
    with op.batch_alter_table("job") as job:
        job.add_column(sa.Column("api_key_id", sa.String(), nullable=True))
        job.create_foreign_key("fk_job_api_key_id_api_key", "api_key", ["api_key_id"], ["id"])
        job.create_index("ix_job_api_key_id", ["api_key_id"])
        job.create_index("ix_job_finished_at", ["finished_at"])
    _create_of_jobs()
    _create_mail()


def downgrade() -> None:
    """Remove the tables."""
    for table in _TABLES:
        op.drop_table(table)
    with op.batch_alter_table("job") as job:
        job.drop_index("ix_job_finished_at")
        job.drop_index("ix_job_api_key_id")
        job.drop_constraint("fk_job_api_key_id_api_key", type_="foreignkey")
        job.drop_column("api_key_id")
    with op.batch_alter_table("content") as content:
        content.drop_constraint("fk_content_uploader_id_user", type_="foreignkey")
        content.drop_column("language")
    op.drop_table("api_key")
    op.drop_table("user")


def _create_of_jobs() -> None:
    _create(
        "job_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=False),
        _moment("at"),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("progress", sa.Integer(), nullable=False),
        sa.Column("category", sa.String(), nullable=True),
        references={"job_id": "job"},
        indexes=("job_id", "category"),
    )
    _create(
        "feedback",
        _id(24),
        sa.Column("content_id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("rating", sa.Integer(), nullable=False),
        sa.Column("comment", sa.String(), nullable=True),
        sa.Column("reward", sa.Double(), nullable=False),
        _moment("created_at"),
        sa.CheckConstraint("rating BETWEEN 1 AND 5", name=op.f("ck_feedback_rating")),
        references={"content_id": "content", "user_id": "user"},
        indexes=("content_id", "user_id", "created_at"),
    )
    _create(
        "idempotency_key",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("job_id", sa.String(), nullable=False),
        _moment("created_at"),
        key=("scope", "key"),
        references={"job_id": "job"},
        indexes=("created_at",),
    )


def _create_mail() -> None:
    _create(
        "callback",
        _id(24),
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("secret", sa.String(), nullable=True),
        _moment("created_at"),
        _moment("ended_at", nullable=True),
        sa.Column("ended_reason", sa.String(), nullable=True),
        references={"job_id": "job"},
        indexes=("job_id",),
    )
    _create(
        "outbox",
        _id(24),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=True),
        sa.Column("callback_id", sa.String(), nullable=True),
        sa.Column("payload", sa.JSON(), nullable=False),
        _moment("created_at"),
        _moment("due_at", nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        _moment("done_at", nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        references={"job_id": "job", "callback_id": "callback"},
        indexes=("job_id", "callback_id"),
    )
    op.create_index("ix_outbox_kind_due_at", "outbox", ["kind", "due_at"])
    _create(
        "delivery",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("outbox_id", sa.String(), nullable=False),
        sa.Column("callback_id", sa.String(), nullable=False),
        _moment("at"),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=False),
        references={"outbox_id": "outbox", "callback_id": "callback"},
        indexes=("outbox_id", "callback_id"),
    )
    _create(
        "ingest_event",
        _id(24),
        sa.Column("webhook_id", sa.String(), nullable=True),
        sa.Column("content_type", sa.String(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=True),
        sa.Column("job_ids", sa.JSON(), nullable=False),
        _moment("received_at"),
        sa.UniqueConstraint("webhook_id", name="uq_ingest_event_webhook_id"),
        indexes=("received_at",),
    )


def _create(
    table: str,
    *columns: sa.schema.SchemaItem,
    key: Sequence[str] = ("id",),
    references: dict[str, str] | None = None,
    indexes: Sequence[str] = (),
) -> None:
    foreign = [
        sa.ForeignKeyConstraint([column], [f"{other}.id"], name=f"fk_{table}_{column}_{other}")
        for column, other in (references or {}).items()
    ]
    op.create_table(table, *columns, sa.PrimaryKeyConstraint(*key, name=f"pk_{table}"), *foreign)
    for column in indexes:
        op.create_index(f"ix_{table}_{column}", table, [column])


def _id(length: int) -> sa.Column[str]:
    return sa.Column("id", sa.String(length), nullable=False)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)
