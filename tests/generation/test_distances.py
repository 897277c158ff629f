import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from sklearn.metrics.pairwise import cosine_distances, polynomial_kernel, rbf_kernel
from sklearn.neighbors import NearestNeighbors

from generation.evaluation import distances


def two_sets(m: int = 60, n: int = 45, d: int = 6, shift: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return rng.normal(size=(m, d)), rng.normal(shift, 1.3, size=(n, d))


@pytest.fixture(autouse=True, params=[1024, 16])
def _block(request, monkeypatch):
    monkeypatch.setattr(distances, "BLOCK", request.param)  # in one piece, and in many


def gaussian(mean, covariance) -> distances.Moments:
    moments = distances.Moments(len(mean))
    moments.count, moments.mean, moments.scatter = 2, np.array(mean, float), np.array(covariance, float)
    return moments


def test_frechet_of_diagonal_gaussians_has_its_closed_form():
    # |m|^2 + sum (s1 - s2)^2 for independent dimensions
    one, other = gaussian([0, 0, 0], np.diag([1.0, 4.0, 9.0])), gaussian([1, 2, -2], np.diag([4.0, 4.0, 1.0]))
    assert distances.frechet(one, other) == pytest.approx(9 + 1 + 0 + 4, abs=1e-9)


def test_frechet_of_any_gaussians_is_that_of_the_matrix_root():
    one, other = two_sets()
    a, b = np.cov(one.T), np.cov(other.T)
    expected = ((one.mean(0) - other.mean(0)) ** 2).sum() + np.trace(a + b - 2 * np.real(sqrtm(a @ b)))
    assert distances.frechet_distance(one, other) == pytest.approx(expected, rel=1e-9)


def test_frechet_holds_where_there_are_fewer_images_than_dimensions():
    one, other = two_sets(8, 7, 20)
    centred = [(x - x.mean(0)) / np.sqrt(len(x) - 1) for x in (one, other)]
    root = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()  # tr (C1 C2)^1/2 as a nuclear norm
    expected = ((one.mean(0) - other.mean(0)) ** 2).sum() + sum((c**2).sum() for c in centred) - 2 * root
    assert distances.frechet_distance(one, other) == pytest.approx(expected, rel=1e-6)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
@settings(max_examples=30, deadline=None)
def test_moments_are_exact_in_any_number_of_parts(parts):
    features = np.random.default_rng(0).normal(5, 2, size=(sum(parts) + 1, 3))
    moments = distances.Moments(3)
    for part in np.split(features, np.cumsum(parts)):
        moments.update(part)
    assert np.allclose(moments.mean, features.mean(axis=0))
    assert np.allclose(moments.covariance, np.cov(features.T))


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception:UserWarning")
@pytest.mark.filterwarnings("ignore:Metric `FrechetInception:UserWarning")
def test_fid_and_kid_are_those_of_torchmetrics_on_the_same_features():
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import KernelInceptionDistance

    class Given(torch.nn.Module):
        num_features = 6

        def forward(self, features):
            return features.reshape(len(features), -1)

    one, other = two_sets(50, 50)
    for metric, ours in (
        (FrechetInceptionDistance(feature=Given(), normalize=False), distances.frechet_distance(one, other)),
        (KernelInceptionDistance(feature=Given(), subsets=1, subset_size=50), distances.kid(one, other)),
    ):
        metric.set_dtype(torch.float64)
        metric.update(torch.from_numpy(one), real=True)
        metric.update(torch.from_numpy(other), real=False)
        value = metric.compute()
        assert ours == pytest.approx(float(value[0] if isinstance(value, tuple) else value), rel=1e-4)


def test_kid_and_cmmd_are_the_discrepancies_of_their_kernels():
    one, other = two_sets()

    cubic = {"degree": 3, "gamma": 1 / 6, "coef0": 1}
    within = [polynomial_kernel(x, **cubic) for x in (one, other)]
    unbiased = sum((k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in within)
    between = polynomial_kernel(one, other, **cubic).mean()
    assert distances.kid(one, other) == pytest.approx(unbiased - 2 * between, rel=1e-9)
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (one, other))
    gauss = sum(rbf_kernel(x, gamma=1 / 200).mean() for x in (a, b)) - 2 * rbf_kernel(a, b, gamma=1 / 200).mean()
    assert distances.cmmd(one, other) == pytest.approx(1000 * gauss, rel=1e-6)


def test_precision_and_recall_are_those_by_definition():
    real, synthetic = two_sets()

    def share(points, centres, k):
        radii = NearestNeighbors(n_neighbors=k + 1).fit(centres).kneighbors(centres)[0][:, -1]
        return np.mean([(np.linalg.norm(centres - point, axis=1) <= radii).any() for point in points])

    precision, recall = distances.precision_recall(real, synthetic)
    assert 0 < precision < 1
    assert precision == pytest.approx(share(synthetic, real, 3))
    assert recall == pytest.approx(share(real, synthetic, 3))


def test_density_and_coverage_are_those_by_definition():
    real, synthetic = two_sets()
    radii = NearestNeighbors(n_neighbors=6).fit(real).kneighbors(real)[0][:, -1]
    inside = np.linalg.norm(real[:, None] - synthetic[None], axis=2) <= radii[:, None]
    density, coverage = distances.density_coverage(real, synthetic)
    assert density == pytest.approx(inside.sum() / (5 * len(synthetic)))
    assert coverage == pytest.approx(inside.any(axis=1).mean())
    assert 0 < coverage < 1


def test_inception_score_is_one_for_no_classes_and_their_number_for_sure_ones():
    assert distances.inception_score(np.full((9, 4), 0.25)) == pytest.approx(1.0)
    assert distances.inception_score(np.eye(4)) == pytest.approx(4.0)


def test_the_nearest_neighbour_is_that_by_cosine_and_never_of_its_own_group():
    one, other = two_sets()
    table = cosine_distances(one, other)
    numbers, found = distances.nearest(one, other)
    assert np.array_equal(numbers, table.argmin(axis=1))
    assert np.allclose(found, table.min(axis=1))
    itself = cosine_distances(one) + np.diag(np.full(len(one), np.inf))
    own = np.arange(len(one))
    numbers, found = distances.nearest(one, one, (own, own))
    assert np.array_equal(numbers, itself.argmin(axis=1))


def test_too_few_images_are_refused():
    one, other = two_sets(3, 3)
    with pytest.raises(ValueError, match="need more than 3 images, got 3"):
        distances.precision_recall(one, other)
    with pytest.raises(ValueError, match="two images"):
        distances.kid(one[:1], other)
    with pytest.raises(ValueError, match="two images"):
        distances.frechet_distance(one[:1], other)
