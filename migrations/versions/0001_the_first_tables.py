"""the first tables

Revision: 0001, after , 2026-11-20 09:59:00.513658
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
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
    op.create_table(
        "pool",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("served_bytes", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pool")),
        sa.UniqueConstraint("slug", name=op.f("uq_pool_slug")),
    )
    op.create_table(
        "researcher",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_researcher")),
        sa.UniqueConstraint("name", name=op.f("uq_researcher_name")),
    )
    op.create_table(
        "case",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pool_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("file", sa.String(length=500), nullable=False),
        sa.Column("truth", sa.String(length=9), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("group", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("stored", sa.String(length=64), nullable=False),
        sa.Column("excluded", sa.String(length=500), nullable=True),
        sa.CheckConstraint("truth IN ('real', 'synthetic')", name=op.f("ck_case_truth")),
        sa.ForeignKeyConstraint(["pool_id"], ["pool.id"], name=op.f("fk_case_pool_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case")),
        sa.UniqueConstraint("pool_id", "name", name=op.f("uq_case_pool_id_name")),
        sa.UniqueConstraint("stored", name=op.f("uq_case_stored")),
    )
    op.create_table(
        "study",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(length=80), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("design", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("pool_id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.String(length=24), nullable=False),
        sa.Column("opened_at", sa.String(length=24), nullable=True),
        sa.Column("closed_at", sa.String(length=24), nullable=True),
        sa.CheckConstraint("state IN ('draft', 'open', 'closed')", name=op.f("ck_study_state")),
        sa.ForeignKeyConstraint(["owner_id"], ["researcher.id"], name=op.f("fk_study_owner_id")),
        sa.ForeignKeyConstraint(["pool_id"], ["pool.id"], name=op.f("fk_study_pool_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_study")),
        sa.UniqueConstraint("slug", name=op.f("uq_study_slug")),
    )
    op.create_table(
        "reader",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("pseudonym", sa.String(length=80), nullable=False),
        sa.Column("group", sa.String(length=80), nullable=True),
        sa.Column("years", sa.Integer(), nullable=True),
        sa.Column("profile", sa.JSON(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.String(length=24), nullable=False),
        sa.Column("consented_at", sa.String(length=24), nullable=True),
        sa.Column("revoked_at", sa.String(length=24), nullable=True),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_reader_study_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reader")),
        sa.UniqueConstraint("study_id", "pseudonym", name=op.f("uq_reader_study_id_pseudonym")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_reader_token_hash")),
    )
    op.create_table(
        "sitting",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reader_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.String(length=24), nullable=False),
        sa.Column("instructed_at", sa.String(length=24), nullable=True),
        sa.Column("finished_at", sa.String(length=24), nullable=True),
        sa.Column("lease", sa.String(length=64), nullable=True),
        sa.Column("rested_after", sa.Integer(), nullable=False),
        sa.Column("paused_at", sa.String(length=24), nullable=True),
        sa.Column("device", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["reader_id"], ["reader.id"], name=op.f("fk_sitting_reader_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sitting")),
        sa.UniqueConstraint("reader_id", "number", name=op.f("uq_sitting_reader_id_number")),
    )
    op.create_table(
        "event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(length=24), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=True),
        sa.Column("sitting_id", sa.Integer(), nullable=True),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["sitting_id"], ["sitting.id"], name=op.f("fk_event_sitting_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_event_study_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    op.create_index(op.f("ix_event_study_id"), "event", ["study_id"])

    op.create_table(
        "trial",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sitting_id", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("block", sa.Integer(), nullable=False),
        sa.Column("is_training", sa.Boolean(), nullable=False),
        sa.Column("is_repeat", sa.Boolean(), nullable=False),
        sa.Column("study_version", sa.Integer(), nullable=False),
        sa.Column("released_at", sa.String(length=24), nullable=True),
        sa.Column("releases", sa.Integer(), nullable=False),
        sa.Column("onset_at", sa.String(length=24), nullable=True),
        sa.Column("deadline_at", sa.String(length=24), nullable=True),
        sa.Column("answered_at", sa.String(length=24), nullable=True),
        sa.Column("response_ms", sa.Integer(), nullable=True),
        sa.Column("client_ms", sa.Integer(), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=True),
        sa.Column("zoom_max", sa.Double(), nullable=True),
        sa.Column("windowed", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(["sitting_id"], ["sitting.id"], name=op.f("fk_trial_sitting_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trial")),
        sa.UniqueConstraint(
            "sitting_id", "is_training", "position", name=op.f("uq_trial_sitting_id_is_training_position")
        ),
        sa.UniqueConstraint("token", name=op.f("uq_trial_token")),
    )
    op.create_table(
        "trial_case",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("trial_id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case.id"], name=op.f("fk_trial_case_case_id")),
        sa.ForeignKeyConstraint(["trial_id"], ["trial.id"], name=op.f("fk_trial_case_trial_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trial_case")),
        sa.UniqueConstraint("token", name=op.f("uq_trial_case_token")),
        sa.UniqueConstraint("trial_id", "place", name=op.f("uq_trial_case_trial_id_place")),
    )
    op.create_index(op.f("ix_trial_case_case_id"), "trial_case", ["case_id"])

    op.create_table(
        "answer",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("trial_case_id", sa.Integer(), nullable=False),
        sa.Column("criterion", sa.String(length=80), nullable=False),
        sa.Column("answer", sa.String(length=9), nullable=True),
        sa.Column("certainty", sa.String(length=7), nullable=True),
        sa.Column("level", sa.Integer(), nullable=True),
        sa.Column("chosen", sa.Boolean(), nullable=True),
        sa.Column("realism", sa.Integer(), nullable=True),
        sa.Column("value", sa.String(length=80), nullable=True),
        sa.CheckConstraint("level BETWEEN 1 AND 5", name=op.f("ck_answer_level")),
        sa.ForeignKeyConstraint(
            ["trial_case_id"], ["trial_case.id"], name=op.f("fk_answer_trial_case_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answer")),
        sa.UniqueConstraint("trial_case_id", "criterion", name=op.f("uq_answer_trial_case_id_criterion")),
    )
    op.execute(RESPONSES)


def downgrade() -> None:
    op.execute("DROP VIEW responses")
    op.drop_table("answer")
    op.drop_index(op.f("ix_trial_case_case_id"), "trial_case")

    op.drop_table("trial_case")
    op.drop_table("trial")
    op.drop_index(op.f("ix_event_study_id"), "event")

    op.drop_table("event")
    op.drop_table("sitting")
    op.drop_table("reader")
    op.drop_table("study")
    op.drop_table("case")
    op.drop_table("researcher")
    op.drop_table("pool")
