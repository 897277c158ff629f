"""Process files in separate processes, so that a hang, crash or excessive memory use affects only one file.

The processes are reused, so the overhead per file is small; a lost process is replaced. All radiographs from users are
read here: `look` and `read` for one, `looks` for many, `each` for work that begins with reading. Inside such a process,
`look` and `read` read directly.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from types import ModuleType
from typing import Any

from PIL import Image

from generation.arguments import bar
from generation.errors import InputError
from generation.radiographs import finding, reading

SECONDS = 60.0
BYTES = 2 * 2**30  # more than a new process uses
LEAVING_S = 2.0
AHEAD = 4  # waiting results per process
THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Failed:
    """No result: the process was lost while working on this item, or raised an unexpected error."""

    item: Any
    why: str

    def __str__(self) -> str:
        return f"{getattr(self.item, 'path', self.item)}: {self.why}"


class _Worker:
    """A process that handles one item after another; it is restarted after a loss."""

    def __init__(self, function: Callable[[Any], Any], seconds: float, limit: int) -> None:
        self._function, self._seconds, self._limit = function, seconds, limit
        self._process: Any = None
        self._line: Connection | None = None
        self._stopped = False

    def do(self, item: Any) -> Any:
        try:
            line = self._send(item)
            if line is None:
                return Failed(item, "was not read, because the work was stopped")
            if not line.poll(self._seconds):
                self.end()
                return Failed(item, f"took more than {self._seconds:g} s to read and was skipped")
            outcome, result = line.recv()
        except (EOFError, OSError):
            code = self._lost()
            return Failed(item, f"crashed its decoder ({code})")
        if outcome == "refused":
            raise InputError(result)
        return result if outcome == "done" else Failed(item, result)

    def _send(self, item: Any) -> Connection | None:
        """Send the item to the process; None if the work was stopped.

        A process that ended while idle, which is not the item's fault, is restarted.
        """
        if self._line is not None:
            with contextlib.suppress(OSError):
                if not self._line.poll():  # an idle process sends nothing, so this is its end
                    self._line.send(item)
                    return self._line
            self.end()
        self._begin()
        if self._line is not None:
            self._line.send(item)
        return self._line

    def _begin(self) -> None:
        # A forkserver shares only the decoders with the caller; if not available, start a new interpreter.
        methods = multiprocessing.get_all_start_methods()
        context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
        if "forkserver" in methods:
            context.set_forkserver_preload([reading.__name__])
        line, other = context.Pipe()
        process = context.Process(target=_serve, args=(other, self._function, self._limit), daemon=True)
        with _starting, _alone():
            if not self._stopped:
                process.start()
                self._line, self._process = line, process
        other.close()
        if self._stopped:  # it may have been stopped just before this process existed
            self.kill()

    def _lost(self) -> str:
        self._process.join(5)
        code = self._process.exitcode
        self.end()
        return f"signal {-code}" if code and code < 0 else f"exit status {code}"

    def kill(self) -> None:
        """End the process without restarting it; a waiting caller learns that it was lost."""
        self._stopped = True
        if self._process is not None:
            self._process.kill()

    def dismiss(self) -> None:
        """Let the idle process end by itself."""
        if self._line is not None:
            self._line.close()
            self._process.join(LEAVING_S)
        self.end()

    def end(self) -> None:
        if self._line is not None:
            self._process.kill()
            self._process.join()
            self._line.close()
            self._line = None


_starting = threading.Lock()
_reading = threading.Lock()
_looking: list[_Worker] = []
_guarded = False  # whether this is such a process


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Start a process that does not rerun the caller's script, and computes in one thread."""
    main, environment = sys.modules["__main__"], dict(os.environ)
    sys.modules["__main__"] = ModuleType("__main__")
    os.environ.update(THREADS | environment)
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        for name in THREADS.keys() - environment.keys():
            del os.environ[name]


def read(path: str | Path, frame: int | None = None) -> Image.Image:
    """Return a radiograph as an upright 8-bit grey image (Pillow mode L); see `look`."""
    return look(path, frame).image


def look(path: str | Path, frame: int | None = None, lettering: bool = False) -> reading.Reading:
    """Run `reading.look` in a reusable process. Raises InputError naming the file, whatever happens."""
    if _guarded:
        return reading.look(path, frame, lettering)
    with _reading:
        if not _looking:
            _looking.append(_Worker(_look, SECONDS, BYTES))
            atexit.register(_looking[0].dismiss)
        found = _told(_looking[0].do((Path(path), frame, lettering)))
    if isinstance(found, InputError):
        raise found
    return found


def looks(paths: Sequence[Path], workers: int = -1, lettering: bool = False) -> Iterator[reading.Reading | str]:
    """Yield each radiograph in order, or what is wrong with its file; only a few are in memory.

    workers: as in `each`. lettering: as in `reading.look`.
    """
    found = looks_at([(path, None, lettering) for path in paths], workers)
    return (str(one) if isinstance(one, InputError) else one for one in found)


def looks_at(
    wanted: Sequence[tuple[Path, int | None, bool]], workers: int = -1
) -> Generator[reading.Reading | InputError, None, None]:
    """The same for files with a frame and a flag whether to look for text; problems are returned as errors."""
    for found in each(_look, wanted, workers):
        yield _told(found)


def readable(paths: Sequence[Path], faults: list[str]) -> list[Path]:
    """Return the files that can be read; add the problems of the others to `faults`."""
    kept = []
    with bar("images checked") as progress:
        for done, (path, wrong) in enumerate(zip(paths, each(_fault, paths), strict=True), start=1):
            if wrong:
                faults.append(str(wrong))
            else:
                kept.append(path)
            progress(done, len(paths))
    return kept


def expanded(paths: Sequence[Path], frames: str) -> list[tuple[Path, int | None]]:
    """Return each file with the frame to read, from 0; None for a file with one image, and if frames is `none`.

    A file that crashes its decoder counts as one image; reading it will report the crash.
    """
    if frames == "none":
        return [(path, None) for path in paths]
    found: list[tuple[Path, int | None]] = []
    for path, count in zip(paths, each(finding.frames_of, paths), strict=True):
        several = not isinstance(count, Failed) and count > 1
        found += [(path, frame) for frame in finding.chosen(count, frames)] if several else [(path, None)]
    return found


def _look(wanted: tuple[Path, int | None, bool]) -> reading.Reading | InputError:
    try:
        return reading.look(*wanted)
    except InputError as error:
        return error


def _fault(path: Path) -> str:
    found = _look((path, None, False))
    return str(found) if isinstance(found, InputError) else ""


def _told(found: reading.Reading | InputError | Failed) -> reading.Reading | InputError:
    return InputError(f"{found.item[0]}: {found.why}") if isinstance(found, Failed) else found


def each(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    workers: int = -1,
    *,
    seconds: float | None = None,
    limit: int | None = None,
) -> Iterator[Any]:
    """Yield the result of `function` for each item, in order; `Failed` if the process raised, crashed or timed out.

    An InputError from `function` is raised here, because it concerns the work, not the item.
    function: importable by name. workers: processes, -1 for one per core. seconds and limit (bytes): for each item, by
    default SECONDS and BYTES.
    """
    count = min(len(items), workers if workers > 0 else os.cpu_count() or 1)
    if not count:
        return
    free: SimpleQueue[_Worker] = SimpleQueue()
    crew = [_Worker(function, seconds or SECONDS, limit or BYTES) for _ in range(count)]
    for worker in crew:
        free.put(worker)

    def turn(item: Any) -> Any:
        worker = free.get()
        try:
            return worker.do(item)
        finally:
            free.put(worker)

    done = False
    with ThreadPoolExecutor(count) as threads:
        try:
            waiting = [threads.submit(turn, item) for item in items[: AHEAD * count]]
            for number in range(len(items)):
                yield waiting.pop(0).result()
                if (following := number + AHEAD * count) < len(items):
                    waiting.append(threads.submit(turn, items[following]))
            done = True
        finally:
            for future in waiting:
                future.cancel()
            for worker in crew if not done else ():  # a caller that stops does not wait
                worker.kill()
            threads.shutdown(wait=True)
            for worker in crew:
                worker.dismiss()


def _serve(line: Connection, function: Callable[[Any], Any], limit: int) -> None:
    """The main loop of a process."""
    global _guarded
    _guarded = True
    _keep_memory()
    _confine(limit)
    with contextlib.suppress(EOFError, KeyboardInterrupt, OSError):
        while True:
            item = line.recv()
            try:
                answer = "done", function(item)
            except InputError as error:  # not the file's fault: the work itself failed, for example writing
                answer = "refused", str(error)
            except MemoryError:
                answer = "failed", f"needs more than {limit / 2**30:g} GiB of memory"
            except Exception as error:
                answer = "failed", f"not readable ({type(error).__name__}: {' '.join(str(error).split())[:300]})"
            line.send(answer)


def _keep_memory() -> None:
    """Reuse the memory of large arrays; glibc would otherwise return it and have it cleared for each file.

    This saves 15 % of the time to read a radiograph of 2900 x 1400. See mallopt(3); other systems do not have it.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        for parameter in (-1, -3):  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
            ctypes.CDLL(None).mallopt(parameter, 2**30)


def _confine(limit: int) -> None:
    """Limit this process to `limit` bytes more than it uses now; if the system cannot, only time is limited."""
    try:
        import resource

        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        held = int(next(line for line in status.splitlines() if line.startswith("VmData")).split()[1]) * 1024
        resource.setrlimit(resource.RLIMIT_DATA, (held + limit, held + limit))
    except (ImportError, OSError, ValueError, StopIteration):
        return
