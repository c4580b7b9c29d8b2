"""A migration's SQL stands in a file of its own, where people and linters can read it."""

from pathlib import Path

from alembic import op


def run_sql_file(migration: str) -> None:
    """Run the SQL file that stands beside the migration's Python file, inside its transaction."""
    statements = Path(migration).with_suffix(".sql").read_text()
    adapted = op.get_bind().connection.dbapi_connection
    assert adapted is not None
    # Not through SQLAlchemy: it prepares what it runs, and a prepared statement is one statement.
    adapted.run_async(lambda connection: connection.execute(statements))
