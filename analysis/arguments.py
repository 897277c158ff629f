"""How the commands of this wing speak of what went wrong: each fault a line on standard error, exit code 2."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """A command line whose errors read as those of every other command."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(refuse([message]))


def refuse(faults: Sequence[str]) -> int:
    """Name what is wrong on standard error; the exit code of bad input."""
    print("Error: " + "\n  ".join(faults), file=sys.stderr)
    return 2
