"""Long work in a separate process, whose progress is in a file, `status.json` in its folder.

Neither a reader's answer nor the page that started the work has to wait, several servers can read the progress, and the
work continues if the server that shows the page restarts.
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
STOP = "stop"  # a file with this name in the folder asks the process to stop
ASKED_EVERY_S = 0.3
AGAIN_S = 2.0  # interval after which work that continues despite an interrupt is interrupted again
PATIENCE_S = 3  # how long a page that cancels waits for the process to end
SILENT_FOR_S = 300  # work that reports nothing for this long has been stopped
Tell = Callable[[float, str], None]


@dataclass(frozen=True)
class Work:
    """The state of the work: `state` is making, asking (for answers), done, failed, cancelled (by a user) or stopped;
    `share` is the part that is done, from 0 to 1."""

    state: str
    share: float = 0.0
    what: str = ""
    faults: list[str] = field(default_factory=list)
    at: datetime | None = None

    def told(self) -> dict[str, object]:
        """The JSON for a page that waits for the work."""
        return {"state": self.state, "share": self.share, "what": self.what}


def find(folder: Path) -> Work | None:
    """The work in this folder, if there is one."""
    try:
        told = json.loads((folder / STATUS).read_text("utf-8"))
        moment = (folder / STATUS).stat().st_mtime
    except (OSError, ValueError):
        return None
    if told["state"] == "making" and time.time() - moment > SILENT_FOR_S:
        told |= {"state": "stopped", "faults": ["The process doing this work has stopped. Please try again."]}
    return Work(**told, at=datetime.fromtimestamp(moment, UTC))


def tell(folder: Path, state: str, share: float, what: str = "", faults: list[str] | None = None) -> None:
    """Write the progress of the work, atomically."""
    part = folder / f"{STATUS}.part"
    part.write_text(json.dumps({"state": state, "share": share, "what": what, "faults": faults or []}), "utf-8")
    part.replace(folder / STATUS)


def claim(folder: Path) -> bool:
    """Whether the caller may start the work in `folder`: it is new, or has failed. Files left there are removed."""
    work = find(folder)
    if work is not None and work.state in ("making", "done"):
        return False
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
    except FileExistsError:  # somebody else has just started it
        return False
    tell(folder, "making", 0.0, "starting")
    return True


def cancel(folder: Path) -> bool:
    """Stop the work in `folder` and remove what it has made so far. Waits a moment for this.

    Returns whether it was cancelled: False if it was not running, ended first, or has not ended yet.
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
    """Run `python -m module FOLDER ARGUMENTS` in parallel; `told` goes to its standard input and never to disk."""
    root = str(Path(__file__).resolve().parents[1])
    # The address may contain a password: others could see a command line, but not the environment.
    environment = os.environ | {
        "DISCERN_INSTANCE": str(instance),
        "DISCERN_DATABASE_URL": database_url,
        "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")])),
    }
    (folder / STOP).unlink(missing_ok=True)  # from earlier work that ended by itself
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
    """Remove those of `folders` whose work, whatever its outcome, has reported nothing for this long."""
    for folder in folders:
        with contextlib.suppress(OSError):  # somebody else has just removed it
            told = folder / STATUS if (folder / STATUS).exists() else folder  # an upload that was never completed
            if time.time() - told.stat().st_mtime > after.total_seconds():
                shutil.rmtree(folder, ignore_errors=True)


def faults_of(refusal: Exception) -> list[str]:
    """Why input was refused, one line each: first what is wrong as a whole, then every problem."""
    whole = [refusal.what] if isinstance(refusal, InputError) else []
    return [*whole, *getattr(refusal, "faults", [])] or [str(refusal)]


_lock = threading.Lock()  # held while it is decided whether the work can still be cancelled
_ends = threading.Event()  # set if it cannot: the result will be kept, or the work is over


def settle() -> None:
    """Called in the working process: from here on, the work completes and can no longer be cancelled."""
    with _lock:
        _ends.set()


def _heed(folder: Path) -> None:
    """Interrupt the main thread when somebody cancels, like Ctrl+C, so that it releases whatever it holds.

    Interrupt it again if it continues: an interrupt during a callback of the garbage collector is lost.
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
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)  # also interrupts a wait


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name != STATUS:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


@contextmanager
def working(folder: Path, *refusals: type[Exception]) -> Iterator[Tell]:
    """Used in the working process: yields the function that reports progress, and reports how the work ended.

    Exceptions in `refusals` mean unusable input: their `faults` are reported, and the process ends without a traceback.
    """
    with contextlib.suppress(AttributeError, OSError):
        os.nice(10)  # readers have priority

    def progress(share: float, what: str) -> None:
        tell(folder, "making", share, what)

    with contextlib.suppress(ValueError):  # it is ignored in processes that a shell starts in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _ends.clear()
    threading.Thread(target=_heed, args=(folder,), daemon=True).start()
    try:
        yield progress
        settle()
    except KeyboardInterrupt:
        settle()  # no second interrupt during the clean-up
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
