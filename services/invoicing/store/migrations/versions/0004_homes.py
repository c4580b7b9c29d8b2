"""Among how many lanes the invoices are at home, whatever partitions are added later."""

from invoicing.store.migrations.script import run_sql_file

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file(__file__)
