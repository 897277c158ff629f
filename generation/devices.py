"""Devices and precision for networks."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal, TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import find_executable_batch_size
from torch import nn

from generation.errors import InputError

Precision = Literal["auto", "fp32", "bf16", "fp16"]
PRECISIONS: tuple[Precision, ...] = ("auto", "fp32", "bf16", "fp16")
N = TypeVar("N", bound=nn.Module)

DEVICES = ("auto", "cpu", "cuda", "mps")


def start(device: str = "auto") -> PartialState:
    """Return the state of this process in `accelerate launch` (a single process without it), and its device.

    Raises InputError if the requested device is not available; `auto` selects the best one available.
    """
    there = {"auto": True, "cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there[device]:
        raise InputError(f"device {device} is not available on this machine; leave out --device, or choose another")
    return PartialState(cpu=device == "cpu")


def resolve(precision: Precision, device: torch.device) -> Precision:
    """Return what `auto` means on this device: half precision if the hardware supports it, otherwise fp32."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    if device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return "bf16" if cpu_computes_bf16() else "fp32"
    return "fp32"


def cpu_computes_bf16() -> bool:
    """Return whether the processor supports bfloat16 multiplication; otherwise it is emulated and slower than fp32."""
    abilities = torch.cpu.get_capabilities()
    return bool(abilities.get("avx512_bf16") or abilities.get("amx_bf16"))


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager:
    """Return a context in which convolutions, products and attention run in the (resolved) precision."""
    dtypes = {"bf16": torch.bfloat16, "fp16": torch.float16}
    return torch.autocast(device.type, dtypes[precision]) if precision in dtypes else nullcontext()


@contextmanager
def compiling() -> Iterator[None]:
    """Context for a network that may be compiled: a compiler failure becomes an InputError with a clear message."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Dynamo detected a call to a `functools.lru_cache`")
        try:
            yield
        except RuntimeError as error:
            if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
                raise
            reason = str(error).strip().splitlines()[0]
            raise InputError(
                f"the network cannot be compiled ({reason}); compiling needs a C++ compiler (g++, clang++, or the one"
                " named by CXX) and Python's header files; omit it, or install them"
            ) from None


def fill(work: Callable[[int], None], batch: int | None, device: torch.device, cpu: int, gpu: int) -> None:
    """Call `work(images at a time)` with `batch` if given, otherwise with `cpu`, or on a GPU with `gpu` and fewer
    until the memory is sufficient. `work` must resume where it stopped when it is called again."""
    if batch or device.type == "cpu":
        work(batch or cpu)
    else:
        find_executable_batch_size(work, starting_batch_size=gpu)()


def prepared(network: N, device: torch.device) -> N:
    """Return the network on the device, with weights in channels-last order, which is faster for convolutions."""
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
