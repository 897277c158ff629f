"""Processes that are killed on purpose, in the middle of their work."""

import signal
import subprocess
import sys
import time


def training_killed_after_a_save(arguments, out, last):
    """Train in a separate process and SIGKILL it once a state is saved; returns the name of the saved state.

    last: the name of the state that a whole run ends with.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "generation", *arguments], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 400
    while not list(out.glob("state-*[0-9]")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it ended by itself"
    saved = [path.name for path in out.glob("state-*[0-9]")]
    assert saved, "no state was saved"
    assert saved != [last], "it ended before it was killed"
    return saved[0]
