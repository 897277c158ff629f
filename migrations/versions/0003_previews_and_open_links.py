"""previews, a reader's own closing date, one open link per study, archived studies

Revision: 0003, after 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

RESPONSES = """
CREATE VIEW responses AS
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
       "case".name AS "case",
       "case".truth AS truth,
       "case".source AS source,
       answer.answer AS answer,
       answer.certainty AS certainty,
       answer.level AS level,
       CASE WHEN study.design <> 'rating' THEN trial_case.place END AS place,
       CASE WHEN answer.chosen THEN 1 WHEN NOT answer.chosen THEN 0 END AS chosen,
       answer.realism AS realism,
       NULLIF(answer.criterion, '') AS criterion,
       answer.value AS value,
       trial.onset_at AS onset_at,
       trial.answered_at AS answered_at,
       trial.response_ms AS response_ms,
       trial.client_ms AS client_ms,
       CASE WHEN trial.late THEN 1 ELSE 0 END AS late,
       trial.zoom_max AS zoom_max,
       CASE WHEN trial.windowed THEN 1 WHEN NOT trial.windowed THEN 0 END AS windowed,
       trial.study_version AS study_version
FROM answer
JOIN trial_case ON trial_case.id = answer.trial_case_id
JOIN trial ON trial.id = trial_case.trial_id
JOIN sitting ON sitting.id = trial.sitting_id
JOIN reader ON reader.id = sitting.reader_id
JOIN study ON study.id = reader.study_id
JOIN "case" ON "case".id = trial_case.case_id
"""


def upgrade() -> None:
    op.add_column("reader", sa.Column("closes_at", sa.String(length=24), nullable=True))
    op.add_column("reader", sa.Column("is_preview", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("study", sa.Column("archived_at", sa.String(length=24), nullable=True))
    op.add_column("study", sa.Column("open_token_hash", sa.String(length=64), nullable=True))
    op.add_column("study", sa.Column("open_cap", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_study_open_token_hash"), "study", ["open_token_hash"])
    op.execute("DROP VIEW responses")
    op.execute(RESPONSES + "WHERE NOT reader.is_preview")


def downgrade() -> None:
    op.execute("DROP VIEW responses")
    op.drop_index(op.f("ix_study_open_token_hash"), "study")
    for table, column in (
        ("study", "open_cap"),
        ("study", "open_token_hash"),
        ("study", "archived_at"),
        ("reader", "is_preview"),
        ("reader", "closes_at"),
    ):
        op.drop_column(table, column)
    op.execute(RESPONSES)
