"""Runs the migrations on the application's own engine: in one transaction, by one process at a time.

On SQLite, every transaction begins as the only writer, which serves as the lock; on PostgreSQL, there is an advisory
lock. A second process waits, and then finds nothing to do.
"""

from alembic import context
from flask import current_app

database = current_app.extensions["migrate"].db
LOCK = 7_507_092_270  # any number that does not change


def belongs(thing, name, kind, reflected, compare_to):
    """Leave out the views, which are not tables of the models."""
    return not (kind == "table" and name in ("responses", "marks", "faults"))


def run(connection):
    """Run all pending migrations."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
    context.configure(
        connection=connection,
        target_metadata=database.metadata,
        include_object=belongs,
        **current_app.extensions["migrate"].configure_args,
    )
    context.run_migrations()


def run_on_sqlite(connection):
    """Run the migrations without enforcing references and checking views. SQLite changes a table by creating a new one
    and dropping the old one: if references were enforced, that would delete the rows that refer to it, and if views
    were checked, `responses` would prevent it. (The pragmas do nothing within a transaction:
    https://www.sqlite.org/lang_altertable.html#otheralter)"""
    driver = connection.connection.driver_connection
    driver.executescript("PRAGMA foreign_keys=OFF; PRAGMA legacy_alter_table=ON;")
    try:
        with connection.begin():
            run(connection)
            if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all():
                raise RuntimeError(f"the migration left references that lead nowhere: {broken[:5]}")
    finally:
        driver.executescript("PRAGMA foreign_keys=ON; PRAGMA legacy_alter_table=OFF;")


with database.engine.connect() as connection:
    if connection.dialect.name == "sqlite":
        run_on_sqlite(connection)
    else:
        with connection.begin():
            run(connection)
