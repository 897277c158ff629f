"""Packed networks for distribution: a folder of small half-precision files, each with a checksum.

    network.json              the settings of every network, and the size and SHA-256 of every part
    NAME-00.safetensors ...   the tensors of a network, in parts
    README.md                 the model card

Floating-point tensors are stored as fp16, and converted to fp32 in the loaded network; others are unchanged.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from generation.errors import InputError
from generation.files import REFUSALS, save_text, sha256

INDEX = "network.json"
FORMAT = 1
PART = 15 * 2**20  # maximum bytes of tensors in one file, so that it stays below 16 MiB with its header
MAKE_AGAIN = "reinstall Discern, or pack the weights again with `generation ship`"


@dataclass(frozen=True)
class Network:
    """The tensors of a network, and what is needed to rebuild it (at least its `stage`)."""

    tensors: Mapping[str, Tensor]
    about: Mapping[str, Any]


def write(folder: Path, networks: Mapping[str, Network], card: str, most: int | None = None) -> int:
    """Pack networks by name into `folder`, replacing its content; return their size in bytes.

    card: the text of README.md. most: maximum bytes of all parts together. The old folder is kept unless everything
    could be written. Raises InputError if not, if the networks are larger than `most`, or if a number exceeds fp16.
    """
    halves = {name: _halved(name, network.tensors) for name, network in networks.items()}
    total = sum(_bytes(tensor) for tensors in halves.values() for tensor in tensors.values())
    if most is not None and total > most:
        sizes = [
            f"{name}: {sum(map(_bytes, tensors.values())) / 1e6:.1f} MB in fp16" for name, tensors in halves.items()
        ]
        raise InputError(f"the networks take {total / 1e6:.1f} MB, but {most / 1e6:g} MB is the limit", sizes)
    part = folder.with_name(f".{folder.name}.part")
    before = folder.with_name(f".{folder.name}.before")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        index = {name: _written(part, name, halves[name], networks[name].about) for name in networks}
        save_text(part / INDEX, json.dumps({"format": FORMAT, "networks": index}, indent=2, ensure_ascii=False) + "\n")
        save_text(part / "README.md", card)
        if folder.exists():
            folder.replace(before)
        part.replace(folder)
    except (OSError, SafetensorError) as error:
        if isinstance(error, OSError) and error.errno not in REFUSALS:
            raise
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{folder} cannot be written, and its previous content is kept: {reason}") from error
    finally:
        if before.exists() and not folder.exists():
            before.replace(folder)
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(before, ignore_errors=True)
    return total


def index(path: Path) -> dict[str, Any]:
    """Return the networks named in `network.json`. Raises InputError if it is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        networks = content["networks"]
        sound = content["format"] == FORMAT and all(
            isinstance(entry["about"]["stage"], str)
            and all({"file", "bytes", "sha256"} <= part.keys() for part in entry["parts"])
            for entry in networks.values()
        )
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); {MAKE_AGAIN}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise InputError(f"{path} is damaged, or was made by another version of Discern; {MAKE_AGAIN}")
    return networks


def check(path: Path, name: str) -> list[Path]:
    """Return the files of a network's parts after checking them.

    Raises InputError naming every part that is missing or has a wrong size or checksum.
    """
    faults, files = [], []
    for part in index(path)[name]["parts"]:
        file = path.parent / Path(part["file"]).name
        files.append(file)
        if not file.is_file():
            faults.append(f"{file.name}: missing")
        elif file.stat().st_size != part["bytes"]:
            faults.append(f"{file.name}: {file.stat().st_size} bytes, expected {part['bytes']}")
        elif sha256(file) != part["sha256"]:
            faults.append(f"{file.name}: its checksum does not match {INDEX}; it was changed or damaged")
    if faults:
        raise InputError(f"the weights in {path.parent} differ from those that were packed; {MAKE_AGAIN}", faults)
    return files


def read(path: Path, stage: str, name: str | None = None) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return stored tensors and settings of a packed network.

    path: path of `network.json`. stage: required stage of the network. name: which network, if there are several.
    Raises InputError if there is no such network, or like `check`.
    """
    networks = index(path)
    fitting = [own for own, entry in networks.items() if entry["about"]["stage"] == stage]
    chosen = name or (stage if stage in fitting else next(iter(fitting), stage))
    if chosen not in fitting:
        there = ", ".join(f"{own} ({entry['about']['stage']})" for own, entry in networks.items())
        raise InputError(f"{path.parent} has no weights of {chosen!r} for the stage {stage!r}; it has {there}")
    tensors: dict[str, Tensor] = {}
    for file in check(path, chosen):
        try:
            with safe_open(file, framework="pt") as part:
                tensors |= {own: part.get_tensor(own) for own in part.keys()}  # noqa: SIM118 (no mapping)
        except (SafetensorError, OSError) as error:
            raise InputError(f"{file} is not a safetensors file: {error}") from None
    return tensors, networks[chosen]["about"]


def _halved(name: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    halves, faults = {}, []
    for own, tensor in tensors.items():
        half = tensor.detach().cpu().contiguous()
        if half.is_floating_point():
            half = half.to(torch.float16)
            if not half.isfinite().all():
                faults.append(f"{name}: {own}: has values that are not numbers or are larger than 65504")
        if _bytes(half) > PART:
            faults.append(f"{name}: {own}: {_bytes(half)} bytes, but a part can hold only {PART}")
        halves[own] = half
    if faults:
        raise InputError("these weights cannot be stored in fp16", faults)
    return halves


def _written(folder: Path, name: str, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> dict[str, Any]:
    parts: list[dict[str, Tensor]] = [{}]
    for own, tensor in tensors.items():
        if sum(map(_bytes, parts[-1].values())) + _bytes(tensor) > PART:
            parts.append({})
        parts[-1][own] = tensor
    told = []
    for number, part in enumerate(parts):
        file = folder / f"{name}-{number:02d}.safetensors"
        save_file(part, file)
        told.append({"file": file.name, "bytes": file.stat().st_size, "sha256": sha256(file)})
    return {"about": dict(about), "parts": told}


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
