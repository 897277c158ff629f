"""researchers work together: an admin, members of a study, and when it was unblinded

Revision: 0002, after 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Plain ADD COLUMN: rebuilding a table would trigger the ON DELETE of tables that refer to it.
    op.add_column("researcher", sa.Column("is_admin", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("study", sa.Column("unblinded_at", sa.String(length=24), nullable=True))
    op.create_table(
        "member",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("researcher_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=12), nullable=False),
        sa.CheckConstraint("role IN ('collaborator', 'viewer')", name=op.f("ck_member_role")),
        sa.ForeignKeyConstraint(
            ["researcher_id"], ["researcher.id"], name=op.f("fk_member_researcher_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_member_study_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member")),
        sa.UniqueConstraint("study_id", "researcher_id", name=op.f("uq_member_study_id_researcher_id")),
    )


def downgrade() -> None:
    op.drop_table("member")
    op.drop_column("study", "unblinded_at")
    op.drop_column("researcher", "is_admin")
