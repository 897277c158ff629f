"""conditions: the condition and sequence of a sitting, and the hints of cases

Revision: 0009, after 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# One row per trial and case, for answered trials as in `responses`; only for studies with conditions or hints.
CONDITIONS = """
CREATE VIEW conditions AS
SELECT study.slug AS study,
       reader.pseudonym AS reader,
       sitting.number AS sitting,
       trial.token AS trial,
       "case".name AS "case",
       sitting."condition" AS "condition",
       sitting.period AS period,
       sitting."sequence" AS "sequence",
       trial_case.hint AS hint
FROM trial_case
JOIN trial ON trial.id = trial_case.trial_id
JOIN sitting ON sitting.id = trial.sitting_id
JOIN reader ON reader.id = sitting.reader_id
JOIN study ON study.id = reader.study_id
JOIN "case" ON "case".id = trial_case.case_id
WHERE NOT reader.is_preview
  AND trial.answered_at IS NOT NULL
  AND (sitting."condition" IS NOT NULL OR trial_case.hint IS NOT NULL)
"""


def upgrade() -> None:
    op.add_column("sitting", sa.Column("period", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("sitting", sa.Column("condition", sa.String(length=40), nullable=True))
    op.add_column("sitting", sa.Column("sequence", sa.String(length=200), nullable=True))
    op.add_column("sitting", sa.Column("share", sa.Integer(), nullable=True))
    op.add_column("trial_case", sa.Column("hint", sa.String(length=80), nullable=True))
    op.add_column("trial_case", sa.Column("hint_text", sa.String(length=500), nullable=True))
    op.create_table(
        "hint",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("hint", sa.String(length=80), nullable=False),
        sa.Column("text", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_hint_study_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["case_id"], ["case.id"], name=op.f("fk_hint_case_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hint")),
        sa.UniqueConstraint("study_id", "case_id", name=op.f("uq_hint_study_id_case_id")),
    )
    op.create_index(op.f("ix_hint_case_id"), "hint", ["case_id"])
    op.execute(CONDITIONS)


def downgrade() -> None:
    op.execute("DROP VIEW conditions")
    op.drop_index(op.f("ix_hint_case_id"), "hint")
    op.drop_table("hint")
    for table, column in (
        ("trial_case", "hint_text"),
        ("trial_case", "hint"),
        ("sitting", "share"),
        ("sitting", "sequence"),
        ("sitting", "condition"),
        ("sitting", "period"),
    ):
        op.drop_column(table, column)
