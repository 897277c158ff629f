"""Fidelity of a restored radiograph to the original: distances, and changes of edges and noise.

PSNR, SSIM (Wang 2004: Gaussian window of sigma 1.5 px) and multi-scale SSIM (Wang 2003) are from torchmetrics, for
images in [0, 1]. Two spectra show what a distance hides: a method that smooths loses edges, one that invents adds
noise.
"""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.ndimage import gaussian_filter, sobel

MEASURES = {
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    "lpips": "LPIPS",
    "edges": "edge energy, dB relative to the original",
    "noise": "noise energy, dB relative to the original",
}
MS_SSIM_LEAST = 176  # minimum px of the shorter side: five scales of an 11 px window
PATCH = 32  # px, size of patches for noise
BINS = 32
FINE = 0.125  # cycles per px, from which the two energies are summed


def measure(original: np.ndarray, restored: np.ndarray) -> dict[str, float]:
    """Return MEASURES except LPIPS for one image, both uint8 (H, W); MS-SSIM is NaN if it is too small for five scales.

    edges, noise: decibels by which the restored image has more (negative: less) than the original, above FINE cycles
    per px. Raises ValueError if the shapes differ or a side is below PATCH px.
    """
    if original.shape != restored.shape or min(original.shape) < PATCH:
        raise ValueError(
            f"expected two images of the same size, at least {PATCH} px, got {original.shape}, {restored.shape}"
        )
    import torch
    from torchmetrics.functional.image import (
        multiscale_structural_similarity_index_measure,
        peak_signal_noise_ratio,
        structural_similarity_index_measure,
    )

    true, made = (torch.from_numpy(pixels / np.float32(255))[None, None] for pixels in (original, restored))
    with warnings.catch_warnings(action="ignore"):
        found = {
            "psnr": float(peak_signal_noise_ratio(made, true, data_range=1.0)),
            "ssim": float(torch.as_tensor(structural_similarity_index_measure(made, true, data_range=1.0))),
            "ms_ssim": np.nan,
        }
        if min(original.shape) >= MS_SSIM_LEAST:
            ms_ssim = multiscale_structural_similarity_index_measure(made, true, data_range=1.0, normalize="relu")
            found["ms_ssim"] = float(ms_ssim)
    theirs, ours = spectra(original, original), spectra(restored, original)
    fine = theirs["frequency"] >= FINE
    for name in ("edges", "noise"):
        found[name] = float(10 * np.log10((ours[name][fine].sum() + 1e-12) / (theirs[name][fine].sum() + 1e-12)))
    return found


def spectra(picture: np.ndarray, original: np.ndarray) -> dict[str, np.ndarray]:
    """Return mean power by frequency, each (BINS,): `frequency` in cycles per px, `edges`, `noise`.

    edges: of the magnitude of the Sobel gradient of the whole image. noise: of what a Gaussian of 2 px removes, in the
    quarter of PATCH x PATCH px squares where the original varies least (a noise power spectrum, like that of IEC
    62220-1 for flat fields). Both images uint8 (H, W).
    """
    own, true = picture / 255.0, original / 255.0
    gradient = np.hypot(sobel(own, 0), sobel(own, 1)) / 8
    frequency, edges = _radial(_power(gradient[None]), gradient.shape)
    squares, flat = _squares(own - gaussian_filter(own, 2)), _squares(gaussian_filter(true, 2))
    calm = np.argsort(flat.std((1, 2)), kind="stable")[: max(1, len(flat) // 4)]
    _, noise = _radial(_power(squares[calm]), (PATCH, PATCH))
    return {"frequency": frequency, "edges": edges, "noise": noise}


def mean_interval(values: npt.ArrayLike, seed: int = 0, level: float = 0.95) -> tuple[float, float, float]:
    """Return the mean over images and its interval: bias-corrected and accelerated bootstrap over images (scipy).

    The interval is NaN for fewer than three images; for equal values it has zero width.
    """
    sample = np.asarray(values, dtype=float)
    mean = float(sample.mean())
    if len(sample) < 3 or not np.isfinite(sample).all():
        return mean, np.nan, np.nan
    if np.ptp(sample) == 0:
        return mean, mean, mean
    rng = np.random.Generator(np.random.PCG64(seed))
    found = stats.bootstrap((sample,), np.mean, confidence_level=level, n_resamples=2000, rng=rng, method="BCa")
    return mean, float(found.confidence_interval.low), float(found.confidence_interval.high)


def _power(fields: np.ndarray) -> np.ndarray:
    """Return the mean power spectrum of fields (N, H, W) without their means, with a Hann window: (H, W)."""
    _, height, width = fields.shape
    window = np.outer(np.hanning(height), np.hanning(width))
    centred = (fields - fields.mean((1, 2), keepdims=True)) * window
    return (np.abs(np.fft.fft2(centred)) ** 2).mean(0) / (window**2).sum()


def _radial(power: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    radius = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])[None])
    edges = np.linspace(0, 0.5, BINS + 1)
    place = np.digitize(radius.ravel(), edges) - 1
    inside = place < BINS
    count = np.bincount(place[inside], minlength=BINS)
    total = np.bincount(place[inside], power.ravel()[inside], BINS)
    return (edges[1:] + edges[:-1]) / 2, total / np.maximum(count, 1)


def _squares(field: np.ndarray) -> np.ndarray:
    down, across = field.shape[0] // PATCH, field.shape[1] // PATCH
    whole = field[: down * PATCH, : across * PATCH].reshape(down, PATCH, across, PATCH)
    return whole.swapaxes(1, 2).reshape(-1, PATCH, PATCH)
