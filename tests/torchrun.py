"""A command of the images' wing by two processes, as `torchrun` starts them on one machine."""

import os
import subprocess
import sys


def by_two(arguments: list[str]) -> str:
    """Run `python -m generation ARGUMENTS` as two processes of one thread; gives what both printed.

    `accelerate launch` on processors alone starts one process, whatever it is asked for.
    """
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run([*launch, "-m", "generation", *arguments], env={**os.environ, "OMP_NUM_THREADS": "1"},
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
