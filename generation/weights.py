"""Weights of networks, read from files that are not trusted, and adopted only by the network they belong to."""

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
NAMED = 12  # how many differing tensors an error names before it only counts


def file_of(checkpoint: Path) -> Path:
    """The file that stands for the weights, where a folder was given: the list of packed ones, or a run's network."""
    if not checkpoint.is_dir():
        return checkpoint
    return checkpoint / (packed.INDEX if (checkpoint / packed.INDEX).is_file() else "model.safetensors")


def is_packed(checkpoint: Path) -> bool:
    """Whether these are weights as `generation ship` packs them: the folder, or its list."""
    return file_of(checkpoint).name == packed.INDEX


def is_ours(checkpoint: Path) -> bool:
    """Whether Discern wrote these weights, packed or not, as far as the file's name tells."""
    return file_of(checkpoint).suffix == ".safetensors" or is_packed(checkpoint)


def read_pickle(path: Path) -> dict[str, Any]:
    """The mapping in a file written by `torch.save`, on the CPU; nothing in the file is run.

    Raises InputError when the file is missing, truncated, no such file, or holds anything but plain data.
    """
    _require_file(path)
    try:
        with warnings.catch_warnings(action="ignore"):  # the refusals below say it better
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        culprit = re.search(r"GLOBAL (\S+)", str(error))
        if culprit:
            raise InputError(f"{path} is refused: it would run code when opened ({culprit[1]})") from None
        raise InputError(f"{path} is not a PyTorch checkpoint, or is damaged") from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, AttributeError, TypeError):
        raise InputError(f"{path} is not a PyTorch checkpoint, or is truncated ({path.stat().st_size} bytes)") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a {type(content).__name__}, expected a mapping of names to weights")
    return content


def weights_under(content: Mapping[str, Any], key: str, path: Path) -> dict[str, Tensor]:
    """The state dict stored under `key`. Raises InputError, naming the keys there are."""
    if not isinstance(content.get(key), Mapping):
        raise InputError(f"{path} has no weights under {key!r}; it has {_some(map(str, content))}")
    return dict(content[key])


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and settings of a file written by `write_safetensors`. Raises InputError as `read_pickle` does."""
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
    """The network of a stage that `generation train` wrote or `generation ship` packed, ready to use.

    build: makes it from what the file says about it. name: which one, where several of that stage are packed together.
    Raises InputError as `adopt` does.
    """
    path = file_of(path)
    state, about = packed.read(path, stage, name) if is_packed(path) else read_safetensors(path)
    if about.get("stage") != stage:
        raise InputError(f"{path} is of stage {about.get('stage')!r}, expected {stage!r}")
    try:
        network = build(about)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} describes no network of ours: {error}") from None
    adopt(network, state, path)
    return network.eval().requires_grad_(False)


def write_safetensors(path: Path, network: nn.Module, about: Mapping[str, Any]) -> None:
    """The state dict of the network and what is needed to build it again, as one safetensors file."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    with atomic(path) as part:
        try:
            save_file(tensors, part, metadata={"discern": json.dumps(about)})
        except SafetensorError as error:
            raise InputError(f"{path} cannot be written: {error}") from error


def adopt(network: nn.Module, state: Mapping[str, Any], path: Path) -> None:
    """Load the weights, each tensor by its name and shape, none missing and none left over.

    Raises InputError that names what differs.
    """
    own = network.state_dict()
    faults = [f"missing: {_some(own.keys() - state.keys())}"] if own.keys() - state.keys() else []
    faults += [f"not of this network: {_some(state.keys() - own.keys())}"] if state.keys() - own.keys() else []
    for name in own.keys() & state.keys():
        found = tuple(state[name].shape) if isinstance(state[name], Tensor) else type(state[name]).__name__
        if found != tuple(own[name].shape):
            faults.append(f"{name}: expected {tuple(own[name].shape)}, found {found}")
        elif not state[name].isfinite().all():
            faults.append(f"{name}: has values that are not numbers (a training that diverged?)")
    if faults:
        faults = faults[:NAMED] + [f"and {len(faults) - NAMED} more"] * (len(faults) > NAMED)
        raise InputError(f"{path} does not fit {type(network).__name__}", faults)
    network.load_state_dict(state)


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"{path} is {'a folder' if path.is_dir() else 'not there'}, expected a checkpoint file")


def _some(names: Any) -> str:
    names = sorted(names)
    rest = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (", ".join(names[:NAMED]) or "nothing") + rest
