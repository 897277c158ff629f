"""Near-duplicates: images of the same radiograph, found by a perceptual hash and confirmed by correlation.

The hash is the DCT hash of Zauner (2010): the signs of the 8 x 8 lowest frequencies of a 32 x 32 thumbnail about their
median. It is robust to resizing, recompression and changes of contrast. Pairs with similar hashes, upright or mirrored,
are compared by the greatest normalised correlation over small shifts, so that other crops are still recognised.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from PIL import Image
from scipy.fft import dctn, irfft2, next_fast_len, rfft2
from scipy.ndimage import uniform_filter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

THUMBNAIL = (128, 64)  # width x height
HAMMING = 12  # of 64 bits; unrelated images differ by 32 on average, panoramics of two people rarely by less than 16
CORRELATION = (
    0.72  # other crops give .78 or more, unrelated ones at most .41 (PanoDiff); 1 in 490,000 phantom pairs more
)
SCALES = (0.90, 0.94, 0.97, 1.0, 1.03, 1.06, 1.11)
REACH = 6  # px of the thumbnail: 5 % of its width
PADDED = tuple(next_fast_len(side + REACH, real=True) for side in THUMBNAIL[::-1])


@dataclass(frozen=True)
class Signature:
    """The signature of an image: hash bits, upright and mirrored (64,), and its thumbnail (64, 128)."""

    bits: np.ndarray
    mirrored: np.ndarray
    thumbnail: np.ndarray


def signature(image: Image.Image) -> Signature:
    """Return the signature of an 8-bit grey image of any size."""
    small = np.asarray(image.resize((32, 32), Image.Resampling.BOX), dtype=np.float32)
    thumbnail = np.asarray(image.resize(THUMBNAIL, Image.Resampling.BOX))
    return Signature(_bits(small), _bits(small[:, ::-1]), thumbnail)


def _bits(small: np.ndarray) -> np.ndarray:
    lowest = dctn(small, norm="ortho")[:8, :8].ravel()
    return lowest > np.median(lowest[1:])


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Return the greatest correlation of two thumbnails, without local brightness, over shifts and crops.

    Shifts reach REACH px; if they are not sufficient, each side of one thumbnail is also stretched by the factors
    SCALES.
    """
    reference = np.conj(_spectrum(other))
    best = _shifted(one, reference)
    if best >= CORRELATION:
        return best
    width, height = THUMBNAIL
    picture = Image.fromarray(one)
    for across in SCALES:
        for down in SCALES:
            box = (width / 2 * (1 - 1 / across), height / 2 * (1 - 1 / down))
            view = picture.transform(
                THUMBNAIL,
                Image.Transform.EXTENT,
                (*box, width - box[0], height - box[1]),
                Image.Resampling.BILINEAR,
            )
            best = max(best, _shifted(np.asarray(view), reference))
    return best


def _shifted(thumbnail: np.ndarray, reference: np.ndarray) -> float:
    product = irfft2(_spectrum(thumbnail) * reference, PADDED)
    near = np.r_[-REACH : REACH + 1]
    return float(product[np.ix_(near, near)].max())


def _spectrum(thumbnail: np.ndarray) -> np.ndarray:
    detail = _detail(thumbnail)
    return rfft2(detail / max(float(np.sqrt((detail**2).sum())), 1e-6), PADDED)


def _detail(thumbnail: np.ndarray) -> np.ndarray:
    image = thumbnail.astype(np.float32)
    local = uniform_filter(image, 15)
    spread = np.sqrt(np.clip(uniform_filter((image - local) ** 2, 15), 1.0, None))
    return (image - local) / spread


def pairs(
    signatures: list[Signature], others: list[Signature] | None = None, workers: int = 1
) -> list[tuple[int, int, float]]:
    """Return near-duplicate pairs (i, j, correlation), within `signatures` (i < j) or between them and `others`.

    workers: number of processes, -1 for one per core.
    """
    within = others is None
    others = signatures if others is None else others
    if not signatures or not others:
        return []
    right = _signs([other.bits for other in others])
    candidates: dict[tuple[int, int], list[bool]] = {}
    for flipped in (False, True):
        left = _signs([one.mirrored if flipped else one.bits for one in signatures])
        for start in range(0, len(left), 2048):
            distance = (64 - left[start : start + 2048] @ right.T) / 2
            for row, j in np.argwhere(distance <= HAMMING).tolist():
                if not within or start + row < j:
                    candidates.setdefault((start + row, j), []).append(flipped)
    nearest = sorted(candidates.items())
    alike = Parallel(n_jobs=workers)(
        delayed(_alike)(signatures[i].thumbnail, others[j].thumbnail, flips) for (i, j), flips in nearest
    )
    return [(i, j, value) for ((i, j), _), value in zip(nearest, alike, strict=True) if value >= CORRELATION]


def _alike(one: np.ndarray, other: np.ndarray, flips: list[bool]) -> float:
    return max(correlation(one[:, ::-1] if flip else one, other) for flip in flips)


def _signs(bits: list[np.ndarray]) -> np.ndarray:
    return np.where(np.array(bits), 1.0, -1.0).astype(np.float32)


def groups(signatures: list[Signature], workers: int = 1) -> np.ndarray:
    """Return the group of each image, int (n,), numbered in order of first appearance; near-duplicates share one."""
    count = len(signatures)
    if count == 0:
        return np.zeros(0, dtype=int)
    edges = np.array([pair[:2] for pair in pairs(signatures, workers=workers)], dtype=int).reshape(-1, 2)
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]
