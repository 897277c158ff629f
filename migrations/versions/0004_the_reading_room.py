"""the reading room: how the viewer was used, keys sent ahead, readers who withdrew

Revision: 0004, after 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("trial", sa.Column("viewer", sa.JSON(), nullable=True))
    op.add_column("trial", sa.Column("keyed_at", sa.String(length=24), nullable=True))
    op.add_column("reader", sa.Column("withdrawn_at", sa.String(length=24), nullable=True))


def downgrade() -> None:
    op.drop_column("reader", "withdrawn_at")
    op.drop_column("trial", "keyed_at")
    op.drop_column("trial", "viewer")
