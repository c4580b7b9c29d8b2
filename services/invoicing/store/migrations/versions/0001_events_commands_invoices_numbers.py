"""Events, commands, invoices and number series, with the roles that may touch them."""

from invoicing.store.migrations.script import run_sql_file

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file(__file__)
