"""Error output of the analysis commands: one line per problem on standard error, exit code 2."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """A command line with the same error format as all other commands."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(refuse([message]))


def refuse(faults: Sequence[str]) -> int:
    """Print the problems on standard error and return the exit code for invalid input."""
    print("Error: " + "\n  ".join(faults), file=sys.stderr)
    return 2
