"""Contents, scripts, jobs and the metadata of videos."""

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "content",
        sa.Column("id", sa.String(24), nullable=False),
        sa.Column("uploader_id", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_content"),
    )
    op.create_index("ix_content_uploader_id", "content", ["uploader_id"])
    op.create_table(
        "script",
        sa.Column("content_id", sa.String(24), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("content_id", name="pk_script"),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name="fk_script_content_id_content"),
    )
    _create_job()
    op.create_table(
        "video_metadata",
        sa.Column("job_id", sa.String(24), nullable=False),
        sa.Column("content_id", sa.String(24), nullable=False),
        sa.Column("uploader_id", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("timestamp", sa.Double(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paths", sa.JSON(), nullable=False),
        sa.Column("storyboard_stats", sa.JSON(), nullable=False),
        sa.Column("storyboard_source", sa.String(), nullable=False),
        sa.Column("processing_status", sa.String(), nullable=False),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("job_id", name="pk_video_metadata"),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_video_metadata_job_id_job"),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name="fk_video_metadata_content_id_content"),
    )
    for column in ("content_id", "uploader_id", "processing_status"):
        op.create_index(f"ix_video_metadata_{column}", "video_metadata", [column])


def downgrade() -> None:
    """Remove the tables."""
    for table in ("video_metadata", "job", "script", "content"):
        op.drop_table(table)


def _create_job() -> None:
    op.create_table(
        "job",
        sa.Column("id", sa.String(24), nullable=False),
        sa.Column("content_id", sa.String(24), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("progress", sa.Integer(), nullable=False),
        sa.Column("stages", sa.JSON(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("flow_run_id", sa.String(), nullable=True),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("lease_token", sa.Integer(), nullable=False),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name="fk_job_content_id_content"),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'completed', 'failed', 'cancelled')", name=op.f("ck_job_state")
        ),
        sa.CheckConstraint("progress BETWEEN 0 AND 100", name=op.f("ck_job_progress")),
    )
    for column in ("content_id", "state", "updated_at"):
        op.create_index(f"ix_job_{column}", "job", [column])
