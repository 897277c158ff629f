"""Network weights, read from untrusted files, and loaded only into the network to which they belong."""

from __future__ import annotations

import json
import pickle
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from generation import packed
from generation.errors import InputError
from generation.files import atomic

N = TypeVar("N", bound=nn.Module)
NAMED = 12  # number of differing tensors that an error names; others are counted


def file_of(checkpoint: Path) -> Path:
    """Return the file for weights given as a folder: the index of packed ones, or a run's network."""
    if not checkpoint.is_dir():
        return checkpoint
    return checkpoint / (packed.INDEX if (checkpoint / packed.INDEX).is_file() else "model.safetensors")


def is_packed(checkpoint: Path) -> bool:
    """Return whether these are weights packed by `generation ship`: the folder, or its index."""
    return file_of(checkpoint).name == packed.INDEX


def is_ours(checkpoint: Path) -> bool:
    """Return whether Discern wrote these weights, packed or not, judging by the file's name."""
    return file_of(checkpoint).suffix == ".safetensors" or is_packed(checkpoint)


def read_pickle(path: Path) -> dict[str, Any]:
    """Return the mapping in a file written by `torch.save`, on the CPU; no code in the file is run.

    Raises InputError if the file is missing, truncated, in another format, or contains anything but plain data.
    """
    _require_file(path)
    try:
        with warnings.catch_warnings(action="ignore"):  # the errors below are clearer
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        culprit = re.search(r"GLOBAL (\S+)", str(error))
        if culprit:
            raise InputError(f"{path} is refused, because it would run code when opened ({culprit[1]})") from None
        raise InputError(f"{path} is not a PyTorch checkpoint, or is damaged") from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, AttributeError, TypeError):
        raise InputError(f"{path} is not a PyTorch checkpoint, or is truncated ({path.stat().st_size} bytes)") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} contains a {type(content).__name__}, expected a mapping of names to weights")
    return content


def weights_under(content: Mapping[str, Any], key: str, path: Path) -> dict[str, Tensor]:
    """Return the state dict stored under `key`. Raises InputError naming the existing keys."""
    if not isinstance(content.get(key), Mapping):
        raise InputError(f"{path} has no weights under {key!r}; it has {_some(map(str, content))}")
    return dict(content[key])


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return tensors and settings of a file written by `write_safetensors`. Raises InputError like `read_pickle`."""
    _require_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
            about = json.loads((file.metadata() or {}).get("discern", "null"))
    except (SafetensorError, OSError, ValueError):
        raise InputError(f"{path} is not a safetensors file, or is truncated ({path.stat().st_size} bytes)") from None
    if not isinstance(about, dict):
        raise InputError(f"{path} was not written by `generation train`: it has no `discern` entry in its metadata")
    return tensors, about


def read_ours(path: Path, stage: str, build: Callable[[dict[str, Any]], N], name: str | None = None) -> N:
    """Load the network of a stage written by `generation train` or packed by `generation ship`, ready to use.

    build: creates it from the settings in the file. name: which one, if several of that stage are packed together.
    Raises InputError like `adopt`.
    """
    path = file_of(path)
    state, about = packed.read(path, stage, name) if is_packed(path) else read_safetensors(path)
    if about.get("stage") != stage:
        raise InputError(f"{path} has the stage {about.get('stage')!r}, expected {stage!r}")
    try:
        network = build(about)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} does not describe a Discern network: {error}") from None
    adopt(network, state, path)
    return network.eval().requires_grad_(False)


def write_safetensors(path: Path, network: nn.Module, about: Mapping[str, Any]) -> None:
    """Write the state dict of the network and what is needed to rebuild it as one safetensors file."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    with atomic(path) as part:
        try:
            save_file(tensors, part, metadata={"discern": json.dumps(about)})
        except SafetensorError as error:
            raise InputError(f"{path} cannot be written: {error}") from error


def adopt(network: nn.Module, state: Mapping[str, Any], path: Path) -> None:
    """Load the weights, matching every tensor by name and shape, with none missing or left over.

    Raises InputError naming the differences.
    """
    own = network.state_dict()
    faults = [f"missing: {_some(own.keys() - state.keys())}"] if own.keys() - state.keys() else []
    faults += [f"not of this network: {_some(state.keys() - own.keys())}"] if state.keys() - own.keys() else []
    for name in own.keys() & state.keys():
        found = tuple(state[name].shape) if isinstance(state[name], Tensor) else type(state[name]).__name__
        if found != tuple(own[name].shape):
            faults.append(f"{name}: expected {tuple(own[name].shape)}, found {found}")
        elif not state[name].isfinite().all():
            faults.append(f"{name}: has values that are not numbers (did the training diverge?)")
    if faults:
        faults = faults[:NAMED] + [f"and {len(faults) - NAMED} more"] * (len(faults) > NAMED)
        raise InputError(f"{path} does not match {type(network).__name__}", faults)
    network.load_state_dict(state)


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"{path} is {'a folder' if path.is_dir() else 'not there'}, expected a checkpoint file")


def _some(names: Any) -> str:
    names = sorted(names)
    rest = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (", ".join(names[:NAMED]) or "nothing") + rest
