"""What alembic runs for each of its commands: migrations on the connection that `schema.migrate` gives it."""

from alembic import context

from bhiv.catalog.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
