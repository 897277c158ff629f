"""removals from the mirror: answers deleted here, to be deleted in Firestore

Revision: 0006, after 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "removal",
        sa.Column("answer_id", sa.String(length=36), nullable=False),
        sa.Column("queued_at", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("answer_id", name=op.f("pk_removal")),
    )


def downgrade() -> None:
    op.drop_table("removal")
