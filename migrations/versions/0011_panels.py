"""external_id: a reader's ID at a panel

Revision: 0011, after 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("reader") as table:
        table.add_column(sa.Column("external_id", sa.String(80), nullable=True))
        table.create_unique_constraint("uq_reader_study_id_external_id", ["study_id", "external_id"])


def downgrade() -> None:
    with op.batch_alter_table("reader") as table:
        table.drop_constraint("uq_reader_study_id_external_id", type_="unique")
        table.drop_column("external_id")
