"""Alembic's entry: migrates over the connection that `hoplon.storage.database` hands in, inside its transaction."""

from alembic import context

from hoplon.storage.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
