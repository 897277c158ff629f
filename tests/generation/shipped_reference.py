"""What the weights that ship made on one machine, so that they are seen to make the same elsewhere.

    python -m tests.generation.shipped_reference

writes it anew, after weights were packed.
"""

import json
import platform
import shutil
import tempfile
from pathlib import Path

import torch

from generation import shipped
from generation.__main__ import main
from generation.files import sha256

FOLDER = Path(__file__).parent / "shipped"
COUNT = 2


def sampled(out: Path) -> list[Path]:
    """The first images of seed 0 in single precision, by what ships."""
    words = ["sample", "--out", out, "--count", COUNT, "--batch", COUNT, "--device", "cpu", "--precision", "fp32"]
    assert main([str(word) for word in words]) == 0
    return [out / f"{number:05d}.png" for number in range(COUNT)]


def enlarged(small: Path, folder: Path) -> Path:
    """That image at reading size, in single precision, by what ships; `folder` is empty, and for this alone."""
    (folder / "small").mkdir(parents=True)
    shutil.copy(small, folder / "small")
    words = ["upscale", "--images", folder / "small", "--out", folder / "large", "--device", "cpu"]
    assert main([*map(str, words), "--precision", "fp32"]) == 0
    return folder / "large" / small.name


def machine() -> dict[str, str | int]:
    """What the last bit of a sum depends on."""
    models = [line for line in _cpuinfo().splitlines() if line.startswith("model name")]
    return {
        "processor": models[0].partition(": ")[2] if models else platform.processor(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "weights": sha256(shipped.find() / "network.json"),
    }


def _cpuinfo() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        made = sampled(Path(folder, "made"))
        kept = {path.name: path for path in made} | {"enlarged.png": enlarged(made[0], Path(folder))}
        for name, path in kept.items():
            shutil.copy(path, FOLDER / name)
    told = {"machine": machine(), "sha256": [sha256(FOLDER / name) for name in kept]}
    (FOLDER / "made.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
