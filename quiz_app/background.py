"""Long work in a process of its own, told of in a file: `status.json` in a folder says how far it is.

So neither a reader's answer nor the page that began it waits, several servers can look at it, and it outlives a
restart of the page.
"""

from __future__ import annotations

import _thread
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from generation.errors import InputError

STATUS = "status.json"
STOP = "stop"  # a file of this name in the folder asks the process at work to end
ASKED_EVERY_S = 0.3
AGAIN_S = 2.0  # until work that was interrupted, and goes on, is interrupted once more
PATIENCE_S = 3  # a page that cancels waits so long for the process to end
SILENT_FOR_S = 300  # work that says nothing for so long has been stopped
Tell = Callable[[float, str], None]


@dataclass(frozen=True)
class Work:
    """Work as it stands: `state` is making, asking (somebody), done, failed, cancelled (by somebody) or stopped;
    `share` (0 to 1) is done."""

    state: str
    share: float = 0.0
    what: str = ""
    faults: list[str] = field(default_factory=list)
    at: datetime | None = None

    def told(self) -> dict[str, object]:
        """What a page that waits for it is told."""
        return {"state": self.state, "share": self.share, "what": self.what}


def find(folder: Path) -> Work | None:
    """The work in this folder, if there is any."""
    try:
        told = json.loads((folder / STATUS).read_text("utf-8"))
        moment = (folder / STATUS).stat().st_mtime
    except (OSError, ValueError):
        return None
    if told["state"] == "making" and time.time() - moment > SILENT_FOR_S:
        told |= {"state": "stopped", "faults": ["The process doing this work has stopped. Please try again."]}
    return Work(**told, at=datetime.fromtimestamp(moment, UTC))


def tell(folder: Path, state: str, share: float, what: str = "", faults: list[str] | None = None) -> None:
    """Write down how far the work is, whole or not at all."""
    part = folder / f"{STATUS}.part"
    part.write_text(json.dumps({"state": state, "share": share, "what": what, "faults": faults or []}), "utf-8")
    part.replace(folder / STATUS)


def claim(folder: Path) -> bool:
    """Whether this caller may begin the work in `folder`: it is new, or has failed. What was left there is removed."""
    work = find(folder)
    if work is not None and work.state in ("making", "done"):
        return False
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
    except FileExistsError:  # somebody else has just begun it
        return False
    tell(folder, "making", 0.0, "starting")
    return True


def cancel(folder: Path) -> bool:
    """Have the work in `folder` end, and what it has made so far removed. Waits a moment for it.

    Returns whether it was cancelled: False where it was not at work, came to its end first, or has not ended yet.
    """
    work = find(folder)
    if work is None or work.state != "making":
        return False
    (folder / STOP).touch()
    until = time.monotonic() + PATIENCE_S
    while work is not None and work.state == "making" and time.monotonic() < until:
        time.sleep(0.1)
        work = find(folder)
    return work is not None and work.state == "cancelled"


def start(
    module: str, folder: Path, *arguments: str, instance: Path, database_url: str, told: str | None = None
) -> None:
    """Run `python -m module FOLDER ARGUMENTS` beside this process; `told` reaches its standard input, and no disk."""
    root = str(Path(__file__).resolve().parents[1])
    # The address may hold a password: a command line could be seen by others, the environment cannot.
    environment = os.environ | {
        "DISCERN_INSTANCE": str(instance),
        "DISCERN_DATABASE_URL": database_url,
        "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")])),
    }
    (folder / STOP).unlink(missing_ok=True)  # of earlier work that ended by itself
    process = subprocess.Popen(
        [sys.executable, "-m", module, str(folder), *arguments],
        env=environment,
        stdin=None if told is None else subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    if told is None:
        threading.Thread(target=process.wait, daemon=True).start()
    else:
        threading.Thread(target=process.communicate, args=(told,), daemon=True).start()


def sweep(folders: Iterable[Path], after: timedelta) -> None:
    """Remove those of `folders` whose work, whatever came of it, has said nothing for so long."""
    for folder in folders:
        with contextlib.suppress(OSError):  # somebody else has just removed it
            told = folder / STATUS if (folder / STATUS).exists() else folder  # an upload that never came to its end
            if time.time() - told.stat().st_mtime > after.total_seconds():
                shutil.rmtree(folder, ignore_errors=True)


def faults_of(refusal: Exception) -> list[str]:
    """What input that cannot be used is refused for, a line each: what is wrong as a whole, then every fault."""
    whole = [refusal.what] if isinstance(refusal, InputError) else []
    return [*whole, *getattr(refusal, "faults", [])] or [str(refusal)]


_lock = threading.Lock()  # held by who decides whether the work can still be cancelled
_ends = threading.Event()  # it cannot: what follows is kept, or it is over


def settle() -> None:
    """In the process at work: from here on it comes to its end, and can no longer be cancelled."""
    with _lock:
        _ends.set()


def _heed(folder: Path) -> None:
    """Interrupt the main thread once somebody cancels, as Ctrl+C does: whatever it holds is given back on the way.

    Again after a while if it works on: an interrupt that falls into a callback of the garbage collector is lost.
    """
    wait = ASKED_EVERY_S
    while not _ends.wait(wait):
        if (folder / STOP).exists():
            wait = AGAIN_S
            with _lock:
                if not _ends.is_set():
                    _interrupt()


def _interrupt() -> None:
    if sys.platform == "win32":
        _thread.interrupt_main()
    else:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)  # out of a wait as well


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name != STATUS:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


@contextmanager
def working(folder: Path, *refusals: type[Exception]) -> Iterator[Tell]:
    """In the process at work: gives the function that tells of progress, and tells how it ended, unless that is told.

    Exceptions of `refusals` are input that cannot be used: their `faults` are told, and the process ends quietly.
    """
    with contextlib.suppress(AttributeError, OSError):
        os.nice(10)  # the readers come first

    def progress(share: float, what: str) -> None:
        tell(folder, "making", share, what)

    with contextlib.suppress(ValueError):  # what a shell starts in the background has it ignored
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _ends.clear()
    threading.Thread(target=_heed, args=(folder,), daemon=True).start()
    try:
        yield progress
        settle()
    except KeyboardInterrupt:
        settle()  # no second interrupt while we tidy up
        if not (folder / STOP).exists():
            raise
        _clear(folder)
        tell(folder, "cancelled", 0.0)
    except refusals as refusal:
        tell(folder, "failed", 0.0, faults=faults_of(refusal))
    except Exception as error:
        tell(folder, "failed", 0.0, faults=[f"{type(error).__name__}: {error}"])
        raise
    else:
        work = find(folder)
        if work is None or work.state == "making":
            tell(folder, "done", 1.0)
    finally:
        _ends.set()
        (folder / STOP).unlink(missing_ok=True)
