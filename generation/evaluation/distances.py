"""Distances between two sets of images, given as features: float arrays (images, dimensions).

Everything runs over blocks of BLOCK rows, so that features may be on disk (np.memmap) and memory does not grow with
their number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

BLOCK = 1024


class Moments:
    """Count, mean and scatter of features, exact in one pass over any number of parts (Chan et al., 1983)."""

    def __init__(self, dimensions: int) -> None:
        self.count = 0
        self.mean = np.zeros(dimensions)
        self.scatter = np.zeros((dimensions, dimensions))

    def update(self, features: np.ndarray) -> Moments:
        """Add features (images, dimensions)."""
        for block in _blocks(features):
            total = self.count + len(block)
            mean = block.mean(axis=0)
            centred = block - mean
            shift = mean - self.mean
            self.scatter += centred.T @ centred + np.outer(shift, shift) * (self.count * len(block) / total)
            self.mean += shift * (len(block) / total)
            self.count = total
        return self

    @property
    def covariance(self) -> np.ndarray:
        if self.count < 2:
            raise ValueError(f"a covariance needs at least two images, got {self.count}")
        return self.scatter / (self.count - 1)


def frechet(one: Moments, other: Moments) -> float:
    """The Frechet distance of two Gaussians, |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^1/2) (Heusel et al., 2017).

    The trace of the root is computed from the symmetric C1^1/2 C2 C1^1/2, which has the same eigenvalues.
    """
    values, vectors = np.linalg.eigh(one.covariance)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    shared = np.linalg.eigvalsh(root @ other.covariance @ root)
    difference = one.mean - other.mean
    spread = np.trace(one.covariance) + np.trace(other.covariance) - 2 * np.sqrt(np.clip(shared, 0, None)).sum()
    return float(max(difference @ difference + spread, 0.0))


def frechet_distance(real: np.ndarray, synthetic: np.ndarray) -> float:
    """The Frechet distance of two sets of features; with Inception's it is the FID."""
    dimensions = real.shape[1]
    return frechet(Moments(dimensions).update(real), Moments(dimensions).update(synthetic))


def kid(real: np.ndarray, synthetic: np.ndarray) -> float:
    """The kernel distance: unbiased squared MMD with the kernel (x.y / d + 1)^3 (Binkowski et al., 2018)."""
    dimensions = real.shape[1]
    return mmd(real, synthetic, lambda dots, _, __: (dots / dimensions + 1) ** 3)


def cmmd(real: np.ndarray, synthetic: np.ndarray, sigma: float = 10.0) -> float:
    """CMMD: 1000 times the squared MMD of unit-length features with a Gaussian kernel (Jayasumana et al., 2024).

    It includes the diagonal terms, like the authors' code, so that values are comparable; never below 0.
    """
    one, other = (_unit(features) for features in (real, synthetic))

    def kernel(dots: np.ndarray, squares_one: np.ndarray, squares_other: np.ndarray) -> np.ndarray:
        return np.exp(-(squares_one[:, None] + squares_other[None, :] - 2 * dots) / (2 * sigma**2))

    return 1000 * mmd(one, other, kernel, unbiased=False)


Kernel = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def mmd(one: np.ndarray, other: np.ndarray, kernel: Kernel, unbiased: bool = True) -> float:
    """The squared maximum mean discrepancy (Gretton et al., 2012). kernel: of dot products and both squared norms.

    unbiased: without the diagonal terms (an image with itself); the result may then be below 0.
    """
    if min(len(one), len(other)) < 2:
        raise ValueError(f"a discrepancy needs at least two images per set, got {len(one)} and {len(other)}")

    def mean(left: np.ndarray, right: np.ndarray, same: bool) -> float:
        found = 0.0
        for row, a in _numbered(left):
            for column, b in _numbered(right):
                values = kernel(a @ b.T, (a**2).sum(axis=1), (b**2).sum(axis=1))
                found += values.sum() - (np.trace(values) if same and unbiased and row == column else 0.0)
        return found / (len(left) * (len(right) - (same and unbiased)))

    return float(mean(one, one, True) + mean(other, other, True) - 2 * mean(one, other, False))


def precision_recall(real: np.ndarray, synthetic: np.ndarray, k: int = 3) -> tuple[float, float]:
    """Improved precision and recall (Kynkaanniemi et al., 2019): the share of either set within the other's k-balls."""
    return float(_inside(synthetic, real, k).mean()), float(_inside(real, synthetic, k).mean())


def density_coverage(real: np.ndarray, synthetic: np.ndarray, k: int = 5) -> tuple[float, float]:
    """Density and coverage (Naeem et al., 2020).

    The mean number of real k-balls around a synthetic image, divided by k; and the share of real k-balls with a
    synthetic image.
    """
    radii = _radii(real, k)
    density, covered = 0.0, np.zeros(len(real), dtype=bool)
    for start, centres in _numbered(real):
        rows = slice(start, start + len(centres))
        for points in _blocks(synthetic):
            inside = _distances(centres, points) <= radii[rows, None]
            density += inside.sum()
            covered[rows] |= inside.any(axis=1)
    return float(density / (k * len(synthetic))), float(covered.mean())


def inception_score(probabilities: np.ndarray) -> float:
    """exp of the mean Kullback-Leibler divergence of each image's classes from their mean (Salimans et al., 2016)."""
    mean = probabilities.mean(axis=0)
    divergence = probabilities * (np.log(probabilities + 1e-16) - np.log(mean + 1e-16))
    return float(np.exp(divergence.sum(axis=1).mean()))


def nearest(
    queries: np.ndarray, references: np.ndarray, groups: tuple[np.ndarray, np.ndarray] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest reference of each query by cosine distance: its index, int (queries,), and distance, (queries,).

    groups: groups of the queries and of the references; references in the query's own group do not count.
    """
    numbers, cosines = np.zeros(len(queries), dtype=int), np.full(len(queries), -np.inf)
    for row, some in _numbered(queries):
        rows = slice(row, row + len(some))
        for column, others in _numbered(references):
            found = _unit(some) @ _unit(others).T
            if groups is not None:
                found[groups[0][rows, None] == groups[1][None, column : column + len(others)]] = -np.inf
            best = found.argmax(axis=1)
            value = found[np.arange(len(some)), best]
            closer = value > cosines[rows]
            numbers[rows] = np.where(closer, column + best, numbers[rows])
            cosines[rows] = np.where(closer, value, cosines[rows])
    return numbers, 1 - cosines


def _unit(features: np.ndarray) -> np.ndarray:
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


def _inside(points: np.ndarray, centres: np.ndarray, k: int) -> np.ndarray:
    """Return whether each point is within the k-nearest-neighbour ball of any centre: bool (points,)."""
    radii = _radii(centres, k)
    found = np.zeros(len(points), dtype=bool)
    for row, some in _numbered(points):
        for column, others in _numbered(centres):
            within = _distances(some, others) <= radii[None, column : column + len(others)]
            found[row : row + len(some)] |= within.any(axis=1)
    return found


def _radii(features: np.ndarray, k: int) -> np.ndarray:
    """Return the distance of each image to its k-th nearest other image."""
    if len(features) <= k:
        raise ValueError(f"{k} neighbours need more than {k} images, got {len(features)}")
    radii = np.empty(len(features))
    for row, some in _numbered(features):
        closest = np.full((len(some), k + 1), np.inf)  # the image itself and k others
        for others in _blocks(features):
            both = np.hstack([closest, _distances(some, others)])
            closest = np.partition(both, k, axis=1)[:, : k + 1]
        radii[row : row + len(some)] = closest.max(axis=1)
    return radii


def _distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None, :] - 2 * one @ other.T
    return np.sqrt(np.clip(squares, 0, None))


def _blocks(features: np.ndarray) -> Iterator[np.ndarray]:
    return (block for _, block in _numbered(features))


def _numbered(features: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield blocks of rows in double precision, each with the index of its first row."""
    for start in range(0, len(features), BLOCK):
        yield start, np.asarray(features[start : start + BLOCK], dtype=np.float64)
