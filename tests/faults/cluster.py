"""A separate PostgreSQL server, which a test can stop, crash and start again."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import missing


class Cluster:
    """PostgreSQL in a temporary folder, at a socket there; durable, as it comes."""

    def __init__(self) -> None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
        self.programs = found[-1] if found else missing("PostgreSQL")
        self.folder = Path(tempfile.mkdtemp())
        self.user = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
        if self.user:
            shutil.chown(self.folder, self.user)
        self._run("initdb", "--username", "discern", "--auth", "trust", "--encoding", "UTF8", "--locale", "C")
        self.url = f"postgresql+psycopg://discern@/postgres?host={self.folder}"

    def start(self) -> None:
        options = f"-c listen_addresses= -c unix_socket_directories={self.folder} -c max_connections=100"
        self._run("pg_ctl", "--wait", "--log", str(self.folder / "log"), "start", "--options", options)

    def stop(self, mode: str) -> None:
        """`fast` as an administrator does, `immediate` as a crash would."""
        self._run("pg_ctl", "--mode", mode, "stop")

    def _run(self, program: str, *words: str) -> None:
        command = [str(self.programs / program), "--pgdata", str(self.folder / "data"), *words]
        subprocess.run(command, user=self.user, cwd=self.folder, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Such a server, started; removed afterwards."""
    made = Cluster()
    made.start()
    try:
        yield made
    finally:
        made.stop("immediate")
        shutil.rmtree(made.folder, ignore_errors=True)
