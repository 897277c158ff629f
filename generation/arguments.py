"""Argument types and the progress bar shared by the commands of this package."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """A command line with the same error format as all other commands."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(refuse(message))


def refuse(faults: str) -> int:
    """Print the problems on standard error, one per line, and return the exit code for invalid input."""
    print("Error: " + faults.replace("\n", "\n  "), file=sys.stderr)
    return 2


def whole(least: int) -> Callable[[str], int]:
    """Return an argparse type: a whole number of at least `least`."""

    def parse(text: str) -> int:
        number = int(text) if text.isdecimal() else None
        if number is None or number < least:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, got {text!r}")
        return number

    return parse


def left_out(faults: Sequence[str]) -> int:
    """Print the files that could not be used on standard error; return an exit code: whether there were any."""
    for fault in faults:
        print(f"left out: {fault}", file=sys.stderr)
    return 1 if faults else 0


def text_found(files: Sequence[str], what: str) -> None:
    """Print the files that seem to contain text, so that a person checks them."""
    if files:
        print(f"note: these {what} ({len(files)}) seem to contain burnt-in text; a name or a date may be readable:")
        print(*(f"  {file}" for file in files), sep="\n")


@contextmanager
def bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error, if that is a terminal, as a callback (done, total)."""
    from tqdm import tqdm

    with tqdm(desc=what, unit="", leave=False, disable=None) as shown:

        def progress(done: int, total: int) -> None:
            shown.total = total
            shown.update(done - shown.n)

        yield progress
