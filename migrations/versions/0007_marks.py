"""marks: where readers saw it, and where the faults of a pool's cases are

Revision: 0007, after 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# One row per mark; a step without marks has one row with the mark 0, with its image if there was only one.
MARKS = """
CREATE VIEW marks AS
SELECT study.slug AS study,
       study.design AS design,
       reader.pseudonym AS reader,
       reader."group" AS reader_group,
       sitting.number AS sitting,
       trial.token AS trial,
       trial.position AS position,
       trial.block AS block,
       CASE WHEN trial.is_training THEN 1 ELSE 0 END AS is_training,
       CASE WHEN trial.is_repeat THEN 1 ELSE 0 END AS is_repeat,
       CASE WHEN study.design <> 'rating' THEN told.place END AS place,
       "case".name AS "case",
       "case".truth AS truth,
       "case".source AS source,
       answer.answer AS answer,
       answer.certainty AS certainty,
       answer.level AS level,
       told.mark AS mark,
       told.x AS x,
       told.y AS y,
       told.reason AS reason,
       told.rating AS rating,
       trial.marks_outcome AS outcome,
       trial.marked_at AS marked_at,
       CASE WHEN trial.late THEN 1 ELSE 0 END AS late,
       trial.study_version AS study_version
FROM (SELECT trial_case.trial_id AS trial_id, trial_case.id AS trial_case_id, trial_case.case_id AS case_id,
             trial_case.place AS place, mark.number AS mark, mark.x AS x, mark.y AS y, mark.reason AS reason,
             mark.rating AS rating
      FROM mark
      JOIN trial_case ON trial_case.id = mark.trial_case_id
      UNION ALL
      SELECT trial.id, trial_case.id, trial_case.case_id, trial_case.place, 0, NULL, NULL, NULL, NULL
      FROM trial
      LEFT JOIN trial_case ON trial_case.trial_id = trial.id AND NOT EXISTS (
          SELECT 1 FROM trial_case AS other WHERE other.trial_id = trial.id AND other.id <> trial_case.id)
      WHERE trial.marks_outcome IN ('nothing', 'skipped')) AS told
JOIN trial ON trial.id = told.trial_id
JOIN sitting ON sitting.id = trial.sitting_id
JOIN reader ON reader.id = sitting.reader_id
JOIN study ON study.id = reader.study_id
LEFT JOIN "case" ON "case".id = told.case_id
LEFT JOIN answer ON answer.trial_case_id = told.trial_case_id AND study.design <> 'comparison'
WHERE NOT reader.is_preview
"""
FAULTS = """
CREATE VIEW faults AS
SELECT study.slug AS study,
       "case".name AS "case",
       fault.kind AS kind,
       fault.x AS x,
       fault.y AS y,
       fault.rx AS rx,
       fault.ry AS ry,
       fault.angle AS angle
FROM fault
JOIN "case" ON "case".id = fault.case_id
JOIN study ON study.pool_id = "case".pool_id
"""


def upgrade() -> None:
    op.add_column("trial", sa.Column("marks_outcome", sa.String(length=7), nullable=True))
    op.add_column("trial", sa.Column("marks_id", sa.String(length=36), nullable=True))
    op.add_column("trial", sa.Column("marked_at", sa.String(length=24), nullable=True))
    op.create_index(op.f("ix_trial_marks_id"), "trial", ["marks_id"], unique=True)
    op.create_table(
        "mark",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("trial_case_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("x", sa.Double(), nullable=False),
        sa.Column("y", sa.Double(), nullable=False),
        sa.Column("reason", sa.String(length=80), nullable=False),
        sa.Column("rating", sa.Integer(), nullable=True),
        sa.CheckConstraint("x BETWEEN 0 AND 1 AND y BETWEEN 0 AND 1", name=op.f("ck_mark_place")),
        sa.CheckConstraint("rating BETWEEN 1 AND 5", name=op.f("ck_mark_rating")),
        sa.ForeignKeyConstraint(
            ["trial_case_id"], ["trial_case.id"], name=op.f("fk_mark_trial_case_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mark")),
        sa.UniqueConstraint("trial_case_id", "number", name=op.f("uq_mark_trial_case_id_number")),
    )
    op.create_table(
        "fault",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Double(), nullable=False) for name in ("x", "y", "rx", "ry", "angle")),
        sa.ForeignKeyConstraint(["case_id"], ["case.id"], name=op.f("fk_fault_case_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fault")),
    )
    op.create_index(op.f("ix_fault_case_id"), "fault", ["case_id"])
    op.execute(MARKS)
    op.execute(FAULTS)


def downgrade() -> None:
    op.execute("DROP VIEW faults")
    op.execute("DROP VIEW marks")
    op.drop_index(op.f("ix_fault_case_id"), "fault")
    op.drop_table("fault")
    op.drop_table("mark")
    op.drop_index(op.f("ix_trial_marks_id"), "trial")
    for column in ("marked_at", "marks_id", "marks_outcome"):
        op.drop_column("trial", column)
