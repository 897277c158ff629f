"""How much faster the networks of `generation` are than plain eager fp32 with explicit attention matrices.

    python benchmarks/networks.py [--repeats N] [--device cpu|cuda] [--compile] [--checkpoint RUN_OR_FILE]

Same weights, same input, same run; the two take turns, and the shortest time of each counts. One step of the U-Net
represents sampling, which is `steps` times the same work. Plain means attention as softmax of a product, channels
first, fp32, and HAT's shifted windows with one mask each, as in the papers' code.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from generation.devices import autocast, prepared, resolve, start
from generation.diffusion import checkpoints
from generation.diffusion.unet import PanoDiffUNet
from generation.superresolution.hat import HAT, WindowAttention, position_bias


def explicit_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, **_: object
) -> Tensor:
    """What F.scaled_dot_product_attention computes, with the whole matrix in memory; no dropout, nothing causal."""
    matrix = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
    return torch.softmax(matrix if attn_mask is None else matrix + attn_mask, -1) @ value


def explicit_windows(self: WindowAttention, x: Tensor, index: Tensor, shift_masks: Tensor | None) -> Tensor:
    """Window attention with one mask per window, (windows, 1, queries, keys)."""
    bias = position_bias(self.relative_position_bias_table, index)
    qkv = self.qkv(x)
    if shift_masks is None:
        return self.proj(self._attend(qkv, bias))
    shift, rows, columns = self.window // 2, x.shape[1] // self.window, x.shape[2] // self.window
    places = torch.zeros(rows, columns, 2, dtype=torch.long)
    places[-1, :, 0], places[:, -1, 1] = 1, 1
    masks = shift_masks[places[..., 0], places[..., 1]].flatten(0, 1)[:, None].repeat(len(x), 1, 1, 1)
    return self.proj(self._attend(qkv.roll((-shift, -shift), (1, 2)), bias + masks).roll((shift, shift), (1, 2)))


@contextmanager
def plainly() -> Iterator[None]:
    """Run networks as in the papers' code: attention with explicit matrices, a mask for every shifted window."""
    with (
        patch.object(F, "scaled_dot_product_attention", explicit_attention),
        patch.object(WindowAttention, "forward", explicit_windows),
    ):
        yield


def compare(name: str, network: torch.nn.Module, inputs: tuple[Tensor, ...], args: argparse.Namespace) -> None:
    """Time both in turn, and print the ratio and how much the results differ."""
    device = start(args.device).device
    precision = resolve("auto", device)
    plain = copy.deepcopy(network).to(device)
    ours = prepared(network, device)
    if args.compile:
        ours.compile()
    inputs = tuple(tensor.to(device) for tensor in inputs)
    laid_out = tuple(x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x for x in inputs)

    def run_plain() -> Tensor:
        with plainly():
            return plain(*inputs)

    def run_ours() -> Tensor:
        with autocast(precision, device):
            return ours(*laid_out).float()

    expected, found = run_plain(), run_ours()
    distance = float((found - expected).norm() / expected.norm())
    times = [(seconds(run_plain, device), seconds(run_ours, device)) for _ in range(args.repeats)]
    print(f"{name}, {precision}: relative distance of the results {distance:.1e}")
    for place, clock in enumerate(("wall clock", "CPU time")):
        plain_time, our_time = (min(pair[side][place] for pair in times) for side in (0, 1))
        print(f"  {clock}: plain {plain_time:.2f} s, ours {our_time:.2f} s, {plain_time / our_time:.2f} times as fast")


def seconds(call: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """Wall-clock and CPU seconds of one call, with the device's queue emptied. On a busy machine, use the second."""
    begun, used = time.perf_counter(), time.process_time()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begun, time.process_time() - used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--compile", action="store_true", help="compile ours first")
    parser.add_argument("--checkpoint", type=Path, help="also time a step of this diffusion network, with 4 images")
    args = parser.parse_args()
    torch.manual_seed(0)
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads")
    with torch.inference_mode():
        unet = PanoDiffUNet().eval().requires_grad_(False)
        compare("U-Net, one step at 256 x 128", unet, (torch.randn(1, 3, 128, 256), torch.tensor([500])), args)
        hat = HAT().eval().requires_grad_(False)
        if args.checkpoint:
            own = checkpoints.load(args.checkpoint)
            inputs = (torch.randn(4, own.in_channels, *own.size), torch.tensor([500] * 4))
            compare(f"{args.checkpoint.name}, one step of 4 images", own, inputs, args)
        compare("HAT, 128 x 64 to 512 x 256", hat, (torch.rand(1, 3, 64, 128),), args)


if __name__ == "__main__":
    main()
