"""How far each lane has come, as the database knows it."""

from invoicing.store.migrations.script import run_sql_file

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file(__file__)
