"""Run the migrations on the connection that the caller gives, inside the caller's transaction."""

from alembic import context

from voxgate.accounts.models import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
