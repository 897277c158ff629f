"""registration: the preregistration of a study, uploaded before its first answer

Revision: 0008, after 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("study", sa.Column("registration", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("study", "registration")
