"""The Hybrid Attention Transformer for super-resolution (HAT; Chen et al., CVPR 2023, arXiv 2205.04437).

Attribute names are the published tensor names, so that released and fine-tuned weights load. Internally, images are
channels-last, (B, H, W, C); attention works within windows of `window_size` x `window_size` pixels.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)


class HAT(nn.Module):
    """Enlarge images `upscale` times.

    `forward(x)` takes (B, in_chans, H, W) in [0, 1] and returns (B, in_chans, upscale * H, upscale * W), not clamped.
    H and W may have any size above half a window: they are padded to whole windows by reflection, and the result is
    cropped. The arguments have the published names. `img_size` is the size of the training crops and has no effect
    here.
    """

    mean: Tensor

    def __init__(
        self,
        *,
        upscale: int = 4,
        in_chans: int = 3,
        img_size: int = 64,
        window_size: int = 16,
        compress_ratio: int = 3,
        squeeze_factor: int = 30,
        conv_scale: float = 0.01,
        overlap_ratio: float = 0.5,
        img_range: float = 1.0,
        depths: tuple[int, ...] = (6, 6, 6, 6, 6, 6),
        embed_dim: int = 180,
        num_heads: tuple[int, ...] = (6, 6, 6, 6, 6, 6),
        mlp_ratio: float = 2,
        upsampler: str = "pixelshuffle",
        resi_connection: str = "1conv",
    ):
        super().__init__()
        if upsampler != "pixelshuffle" or resi_connection != "1conv":
            raise ValueError(f"only pixelshuffle and 1conv are supported, not {upsampler!r} and {resi_connection!r}")
        if upscale < 2 or upscale & (upscale - 1):
            raise ValueError(f"upscale must be a power of two, not {upscale}")
        if len(depths) != len(num_heads):
            raise ValueError(f"depths has {len(depths)} groups, but num_heads has {len(num_heads)}")
        self.upscale, self.window_size, self.img_range = upscale, window_size, img_range
        overlapped = window_size + int(overlap_ratio * window_size)
        mean = DIV2K_MEAN if in_chans == 3 else (0.0,) * in_chans
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("relative_position_index_SA", relative_positions(window_size, window_size))
        self.register_buffer("relative_position_index_OCA", relative_positions(window_size, overlapped))
        self.conv_first = nn.Conv2d(in_chans, embed_dim, 3, padding=1)
        self.patch_embed = nn.ModuleDict({"norm": nn.LayerNorm(embed_dim)})
        self.layers = nn.ModuleList(
            Group(
                embed_dim, heads, depth, window_size, overlapped, mlp_ratio, compress_ratio, squeeze_factor, conv_scale
            )
            for depth, heads in zip(depths, num_heads, strict=True)
        )
        self.norm = nn.LayerNorm(embed_dim)
        self.conv_after_body = nn.Conv2d(embed_dim, embed_dim, 3, padding=1)
        self.conv_before_upsample = nn.Sequential(nn.Conv2d(embed_dim, 64, 3, padding=1), nn.LeakyReLU())
        doublings = upscale.bit_length() - 1
        self.upsample = nn.Sequential(
            *(part for _ in range(doublings) for part in (nn.Conv2d(64, 256, 3, padding=1), nn.PixelShuffle(2)))
        )
        self.conv_last = nn.Conv2d(64, in_chans, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        x = F.pad(x, (0, -width % self.window_size, 0, -height % self.window_size), mode="reflect")
        shallow = self.conv_first((x - self.mean) * self.img_range)
        deep = self.patch_embed["norm"](shallow.permute(0, 2, 3, 1))
        shift_masks = shifted_window_masks(self.window_size, x.device)
        for group in self.layers:
            deep = group(deep, self.relative_position_index_SA, self.relative_position_index_OCA, shift_masks)
        x = shallow + self.conv_after_body(self.norm(deep).permute(0, 3, 1, 2))
        x = self.conv_last(self.upsample(self.conv_before_upsample(x)))
        return (x / self.img_range + self.mean)[..., : height * self.upscale, : width * self.upscale]


class Group(nn.Module):
    """Residual group: hybrid blocks, every other one with shifted windows, one overlapping block, a convolution."""

    def __init__(
        self,
        width: int,
        heads: int,
        depth: int,
        window: int,
        overlapped: int,
        mlp_ratio: float,
        compress: int,
        squeeze: int,
        conv_scale: float,
    ):
        super().__init__()
        blocks = nn.ModuleList(
            HybridBlock(width, heads, window, i % 2 == 1, mlp_ratio, compress, squeeze, conv_scale)
            for i in range(depth)
        )
        overlapping = OverlappingBlock(width, heads, window, overlapped, mlp_ratio)
        self.residual_group = nn.ModuleDict({"blocks": blocks, "overlap_attn": overlapping})
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor, index: Tensor, overlapping_index: Tensor, shift_masks: Tensor) -> Tensor:
        deep = x
        for block in cast(nn.ModuleList, self.residual_group["blocks"]):
            deep = block(deep, index, shift_masks)
        deep = self.residual_group["overlap_attn"](deep, overlapping_index)
        return x + self.conv(deep.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class HybridBlock(nn.Module):
    """Window attention in parallel with convolution and channel attention, followed by an MLP."""

    def __init__(
        self,
        width: int,
        heads: int,
        window: int,
        shifted: bool,
        mlp_ratio: float,
        compress: int,
        squeeze: int,
        conv_scale: float,
    ):
        super().__init__()
        self.shifted, self.conv_scale = shifted, conv_scale
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads, window)
        convolutions = nn.Sequential(
            nn.Conv2d(width, width // compress, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(width // compress, width, 3, padding=1),
            ChannelAttention(width, squeeze),
        )
        self.conv_block = nn.ModuleDict({"cab": convolutions})
        self.norm2 = nn.LayerNorm(width)
        self.mlp = MLP(width, mlp_ratio)

    def forward(self, x: Tensor, index: Tensor, shift_masks: Tensor) -> Tensor:
        normed = self.norm1(x)
        convolved = self.conv_block["cab"](normed.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        attended = self.attn(normed, index, shift_masks if self.shifted else None)
        x = x + attended + convolved * self.conv_scale
        return x + self.mlp(self.norm2(x))


class WindowAttention(nn.Module):
    """Self-attention within windows, with a learned bias for every relative position."""

    def __init__(self, width: int, heads: int, window: int):
        super().__init__()
        self.heads, self.window = heads, window
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, index: Tensor, shift_masks: Tensor | None) -> Tensor:
        bias = position_bias(self.relative_position_bias_table, index)
        qkv = self.qkv(x)
        if shift_masks is None:
            return self.proj(self._attend(qkv, bias))
        # After the shift, only windows in the last row and column contain pixels that were not neighbours:
        # four regions with one mask each, instead of one mask per window.
        shift, window = self.window // 2, self.window
        qkv = qkv.roll((-shift, -shift), (1, 2))
        mixed = qkv.new_empty(*qkv.shape[:3], qkv.shape[3] // 3)
        for bottom, rows in enumerate((slice(None, -window), slice(-window, None))):
            for right, columns in enumerate((slice(None, -window), slice(-window, None))):
                region = qkv[:, rows, columns]
                if region.numel():
                    mixed[:, rows, columns] = self._attend(region, bias + shift_masks[bottom, right].to(bias.dtype))
        return self.proj(mixed.roll((shift, shift), (1, 2)))

    def _attend(self, qkv: Tensor, bias: Tensor) -> Tensor:
        query, key, value = windows(qkv, self.window, 3, self.heads).unbind(0)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return from_windows(mixed, self.window, qkv.shape)


class OverlappingBlock(nn.Module):
    """Attention from each window to a larger one around it, then an MLP."""

    def __init__(self, width: int, heads: int, window: int, overlapped: int, mlp_ratio: float):
        super().__init__()
        self.heads, self.window, self.overlapped = heads, window, overlapped
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((window + overlapped - 1) ** 2, heads))
        self.proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = MLP(width, mlp_ratio)

    def forward(self, x: Tensor, index: Tensor) -> Tensor:
        width = x.shape[3]
        query, surround = self.qkv(self.norm1(x)).split((width, 2 * width), dim=3)
        margin = (self.overlapped - self.window) // 2
        surround = F.pad(surround, (0, 0, margin, margin, margin, margin))
        # (B, rows, columns, 2 * width, overlapped, overlapped) without copying the overlaps early
        surround = surround.unfold(1, self.overlapped, self.window).unfold(2, self.overlapped, self.window)
        surround = surround.flatten(0, 2).unflatten(1, (2, self.heads, -1)).flatten(4)
        key, value = surround.permute(1, 0, 2, 4, 3).unbind(0)
        mixed = F.scaled_dot_product_attention(
            windows(query, self.window, 1, self.heads)[0],
            key,
            value,
            attn_mask=position_bias(self.relative_position_bias_table, index),
        )
        x = x + self.proj(from_windows(mixed, self.window, x.shape))
        return x + self.mlp(self.norm2(x))


class ChannelAttention(nn.Module):
    """Multiplies each channel by a gain that depends on the mean of all channels."""

    def __init__(self, width: int, squeeze: int):
        super().__init__()
        self.attention = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width, width // squeeze, 1),
            nn.ReLU(),
            nn.Conv2d(width // squeeze, width, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.attention(x)


class MLP(nn.Module):
    def __init__(self, width: int, ratio: float):
        super().__init__()
        self.fc1 = nn.Linear(width, int(width * ratio))
        self.fc2 = nn.Linear(int(width * ratio), width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


def windows(x: Tensor, window: int, parts: int, heads: int) -> Tensor:
    """Convert (B, H, W, parts * heads * D) to (parts, B * number of windows, heads, window ** 2, D)."""
    batch, height, width, _ = x.shape
    x = x.view(batch, height // window, window, width // window, window, parts, heads, -1)
    return x.permute(5, 0, 1, 3, 6, 2, 4, 7).reshape(parts, -1, heads, window * window, x.shape[-1])


def from_windows(x: Tensor, window: int, shape: torch.Size) -> Tensor:
    """The inverse of `windows` for one part: (B * number of windows, heads, window ** 2, D) as (B, H, W, heads * D)."""
    batch, height, width = shape[:3]
    x = x.view(batch, height // window, width // window, x.shape[1], window, window, x.shape[3])
    return x.permute(0, 1, 4, 2, 5, 3, 6).reshape(batch, height, width, -1)


def position_bias(table: Tensor, index: Tensor) -> Tensor:
    """Rows of the table (positions, heads) chosen by the index (queries, keys), as (1, heads, queries, keys)."""
    return table[index].permute(2, 0, 1).unsqueeze(0)


def relative_positions(window: int, surround: int) -> Tensor:
    """Return the row of the bias table for every pixel of a window and of the (larger) window around it: int64 (n, m).

    For a larger window, the published index starts below zero, and these entries wrap around to the end of the table.
    Published weights were trained this way, so it is kept.
    """
    inner = torch.cartesian_prod(torch.arange(window), torch.arange(window))
    outer = torch.cartesian_prod(torch.arange(surround), torch.arange(surround))
    if window == surround:
        offset = inner[:, None] - outer[None] + window - 1
    else:
        offset = outer[None] - inner[:, None] + window - surround + 1
    return offset[..., 0] * (window + surround - 1) + offset[..., 1]


def shifted_window_masks(window: int, device: torch.device) -> Tensor:
    """Masks for shifted windows: (2, 2, window ** 2, window ** 2), indexed by (in the last row, in the last column).

    0 if two pixels were neighbours before the shift, -100 if the shift wrapped one of them around.
    """
    wrapped = torch.arange(window, device=device) >= window // 2
    rows, columns = (side.flatten() for side in torch.meshgrid(wrapped, wrapped, indexing="ij"))
    apart_rows, apart_columns = rows[:, None] != rows[None], columns[:, None] != columns[None]
    nowhere = torch.zeros_like(apart_rows)
    pairs = torch.stack((nowhere, apart_columns, apart_rows, apart_rows | apart_columns))
    return pairs.unflatten(0, (2, 2)) * -100.0
