"""What lists filter and sort by, and readers that see one seller only."""

from invoicing.store.migrations.script import run_sql_file

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file(__file__)
