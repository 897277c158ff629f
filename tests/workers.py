"""Two and more workers on one machine: what is made once for all of them, and tests that must run by themselves."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

import pytest

WORKER = os.environ.get("PYTEST_XDIST_WORKER")


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores, and no more than five: some tests wait for a clock or a line."""
    return min((os.cpu_count() or 1) + 1, 5)


def ground(factory: pytest.TempPathFactory) -> Path:
    """The temporary folder of the whole run."""
    return factory.getbasetemp().parent if WORKER else factory.getbasetemp()


@contextmanager
def held(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Holds a lock among the workers; several shared locks can be held at once."""
    import fcntl

    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder that `make` filled, for the first worker that asked."""
    folder = ground(factory) / name
    with held(folder.with_suffix(".lock")) if WORKER else nullcontext():
        if not folder.is_dir():
            making = factory.mktemp(name)
            make(making)
            making.rename(folder)
    return folder


def unmeasured() -> dict[str, str]:
    """The environment of a process that has no room on the disk, for coverage's figures as little as for its own."""
    return {name: value for name, value in os.environ.items() if name != "COVERAGE_PROCESS_CONFIG"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """A test marked `alone` waits until the other workers have ended theirs, and they wait for it."""
    with ExitStack() as turn:
        if WORKER:
            folder = ground(item.config._tmp_path_factory)  # type: ignore[attr-defined]
            with held(folder / "gate.lock"):  # who waits to be alone lets nobody else pass
                turn.enter_context(held(folder / "turn.lock", shared=not item.get_closest_marker("alone")))
        return (yield)
