"""A file that brings its decoder down, or hangs it, ends no command with a trace: it is named."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from generation import pool
from tests.workers import unmeasured

# A decoder as bad as they come, in every process: Pillow knows one more format, of which no file can be read.
DECODER = """
import os, signal, time
from PIL import Image, ImageFile

class Bad(ImageFile.ImageFile):
    format = "BAD"

    def _open(self):
        time.sleep(600) if self.fp.read(8) == b"BAD HANG" else os.kill(os.getpid(), signal.SIGSEGV)

Image.register_open("BAD", Bad, lambda head: head.startswith(b"BAD"))
"""
SCRIPT = """
import contextlib, io, json, sys
from generation.__main__ import main
from generation.radiographs import guarded

guarded.SECONDS = 10
told = []
for line in json.loads(sys.argv[1]):
    with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(io.StringIO()):
        code = main(line)
    told.append([code, said.getvalue()])
print(json.dumps(told))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.Generator(np.random.PCG64(3))
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(DECODER)
    images = [Image.fromarray(rng.integers(0, 256, (32, 64), dtype=np.uint8)) for _ in range(24)]
    for name, own in (("real", images[:12]), ("synthetic", images[12:]), ("small", images[:2])):
        (tmp_path / name).mkdir()
        for number, image in enumerate(own):
            image.save(tmp_path / name / f"{number}.png")
    entries = [
        pool.Entry(pool.TRUTHS[n % 2], "noise", pool.encode(np.asarray(image))) for n, image in enumerate(images)
    ]
    how = {"real": "noise", "synthetic": "noise"}
    pool.write(tmp_path / "pool", entries, name="Noise", seed=0, width=64, height=32, how=how)
    return tmp_path


def told(folder: Path, *lines: list[str]) -> list[tuple[int, str]]:
    """Exit code and words of each command, run one after the other."""
    environment = unmeasured() | {"PYTHONPATH": os.pathsep.join([str(folder / "site"), *filter(None, sys.path)])}
    command = [sys.executable, "-c", SCRIPT, json.dumps(lines)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_every_command_names_a_file_that_crashes_its_decoder(folder):
    for name in ("real/crash.png", "synthetic/crash.png", "small/crash.png", "pool/images/case-0003.png"):
        (folder / name).write_bytes(b"BAD CRASH")
    mixed = ["--real", "real", "--synthetic", "synthetic", "--count", "12", "12"]
    said = told(
        folder,
        ["audit", "pool", "--out", "a", "--permutations", "99"],
        ["evaluate", "--real", "real", "--synthetic", "synthetic", "--out", "e", "--steps", "0", "--repeats", "2"],
        ["neighbours", "--synthetic", "synthetic", "--training", "real", "--out", "n", "--steps", "0"],
        ["degrade", "--images", "small", "--out", "d"],
        ["restore", "--scale", "1", "--images", "small", "--out", "r", "--by", "plain=bicubic"],
        ["upscale", "--images", "small", "--out", "u", "--method", "bicubic"],
        ["corpus", "--source", "small", "--out", "c", "--size", "64", "32"],
        ["pool", *mixed, "--out", "p"],
        ["corpus", "--source", "small", "--out", "c1", "--size", "64", "32", "--frames", "first"],
        ["pool", "--frames", "first", *mixed, "--out", "p1"],
        ["fidelity", "--reference", "small", "--restored", "r", "--out", "f"],
        ["detect", "--real", "real", "--synthetic", "synthetic", "--pool", "pool", "--out", "t", "--small"],
    )
    assert [code for code, _ in said] == [2, *[1] * 9, 2, 2]
    for (_, words), bad in zip(said, ["case-0003.png", *["crash.png"] * 9, "crash", "case-0003.png"], strict=True):
        assert bad in words
        assert "Traceback" not in words
    for _, words in (*said[:10], said[11]):
        assert "crashed its decoder (signal 11)" in words


def test_a_file_that_hangs_its_decoder_is_named_and_the_others_are_measured(folder):
    (folder / "real" / "hang.png").write_bytes(b"BAD HANG")
    lines = ["evaluate", "--real", "real", "--synthetic", "synthetic", "--out", "e", "--steps", "0", "--repeats", "2"]
    [(code, words)] = told(folder, lines)
    assert code == 1
    assert "hang.png: took more than 10 s to read and was skipped" in words
    assert json.loads((folder / "e" / "evaluation.json").read_text())["images"]["real"] == {"real": 12}


def test_a_script_that_reads_without_a_guard_of_its_own_is_not_run_again(folder):
    script = folder / "script.py"
    script.write_text(f"from generation import pool\nprint('once', len(pool.read({str(folder / 'pool')!r}).cases))\n")
    done = subprocess.run([sys.executable, script], env=unmeasured() | {"PYTHONPATH": os.pathsep.join(sys.path)},
                          capture_output=True, text=True)  # fmt: skip
    assert (done.stdout, done.stderr) == ("once 24\n", "")
