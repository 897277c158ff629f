"""Scoring under the four unsure rules, and the published study reproduced."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.statistics import scoring

# FACTS.md on PanoDiff-SR (arXiv 2507.09227): fractional accuracy; hard TP, FN, FP, TN, unsure; accuracy without unsure.
PUBLISHED = {
    "EC1": (0.6275, (74, 10, 35, 33, 48), 0.7039),
    "EC2": (0.6925, (71, 26, 25, 72, 6), 0.7371),
    "EC3": (0.66125, (85, 4, 29, 38, 44), 0.7885),
    "EP1": (0.66125, (87, 6, 12, 55, 40), 0.8875),
    "EP2": (0.78875, (86, 14, 16, 84, 0), 0.8500),
    "EP3": (0.6750, (78, 17, 30, 56, 19), 0.7403),
}
MEANS = {"fractional": 0.6844, "wrong": 0.6825, "half": 0.748, "excluded": 0.785}


def test_published_counts_and_accuracies_are_reproduced(published):
    for reader, levels in zip(published.readers, published.levels, strict=True):
        fractional, counts, without_unsure = PUBLISHED[reader]
        assert scoring.score(levels, published.truth).accuracy().value == pytest.approx(fractional, abs=1e-12)
        excluded = scoring.score(levels, published.truth, "excluded")
        assert excluded.confusion() == counts[:4]
        assert excluded.accuracy().unsure == counts[4]
        assert excluded.accuracy().value == pytest.approx(without_unsure, abs=5e-5)


@pytest.mark.parametrize(("rule", "mean"), MEANS.items())
def test_published_mean_accuracy_under_every_rule(published, rule, mean):
    values = [scoring.score(levels, published.truth, rule).accuracy().value for levels in published.levels]
    assert np.mean(values) == pytest.approx(mean, abs=6e-4)


def test_answers_by_certainty_are_the_published_ones(published):
    found = scoring.categories(published.levels[0], published.truth)  # EC1: 40 34 16 7 3 and 10 25 32 20 13
    assert found["TP"] == {"full": 40, "partial": 34}
    assert found["FN"] == {"full": 3, "partial": 7}
    assert found["FP"] == {"full": 10, "partial": 25}
    assert found["TN"] == {"full": 13, "partial": 20}
    assert found["unsure"] == {"real": 32, "synthetic": 16}


LEVELS, TRUTH = [5, 4, 3, 2, 1, 3, None], [1, 0, 1, 0, 1, 0, 1]


def test_each_rule_gives_unsure_what_it_says():
    def earned(rule):
        return [None if np.isnan(credit) else credit for credit in scoring.credits(LEVELS, TRUTH, rule)]

    assert earned("fractional") == [1, 0.25, 0.5, 0.75, 0, 0.5, None]
    assert earned("excluded") == [1, 0, None, 1, 0, None, None]
    assert earned("wrong") == [1, 0, 0, 1, 0, 0, None]
    assert earned("half") == [1, 0, 0.5, 1, 0, 0.5, None]


def test_a_late_trial_is_kept_or_counted_wrong_and_always_counted():
    late = [1, 0, 0, 0, 0, 0, 1]
    kept = scoring.score(LEVELS, TRUTH, "excluded", late).accuracy()
    wrong = scoring.score(LEVELS, TRUTH, "excluded", late, "wrong").accuracy()
    assert (kept.k, kept.n, kept.late) == (2, 4, 2)
    assert (wrong.k, wrong.n, wrong.late) == (1, 5, 2)


def test_hard_measures_are_the_textbook_ratios():
    levels, truth = [5] * 74 + [1] * 10 + [5] * 35 + [1] * 33, [1] * 84 + [0] * 68
    found = {name: m.value for name, m in scoring.score(levels, truth, "excluded").measures(prevalence=0.5).items()}
    sensitivity, specificity = 74 / 84, 33 / 68
    assert found == pytest.approx(
        {
            "accuracy": 107 / 152,
            "sensitivity": sensitivity,
            "specificity": specificity,
            "false_positive_rate": 35 / 68,
            "false_negative_rate": 10 / 84,
            "precision": 74 / 109,
            "balanced_accuracy": (sensitivity + specificity) / 2,
            "positive_predictive_value": sensitivity / (sensitivity + 1 - specificity),
            "negative_predictive_value": specificity / (specificity + 1 - sensitivity),
        }
    )


@pytest.mark.parametrize("rule", scoring.RULES)
def test_precision_interval_covers_as_promised(rule):
    random = np.random.Generator(np.random.PCG64(12))
    truth = np.repeat([1, 0], 60)
    on_synthetic, on_real = np.array([0.05, 0.1, 0.2, 0.3, 0.35]), np.full(5, 0.2)
    everywhere = scoring.score(np.tile(np.arange(1, 6), 2), np.repeat([1, 0], 5), rule)
    tp = np.nansum(on_synthetic * everywhere.earned[:5])
    true_precision = tp / (tp + np.nansum(on_real * (1 - everywhere.earned[5:])))
    covered = []
    for _ in range(800):
        levels = np.where(truth == 1, random.choice(5, 120, p=on_synthetic), random.choice(5, 120, p=on_real)) + 1
        low, high = scoring.score(levels, truth, rule).precision().ci
        covered.append(low <= true_precision <= high)
    assert 0.93 < np.mean(covered) < 0.98


@pytest.mark.parametrize("negative", [False, True])
def test_predictive_value_interval_covers_as_promised(negative):
    random = np.random.Generator(np.random.PCG64(11))
    sensitivity, specificity, prevalence = 0.85, 0.7, 0.2
    right, wrong = (specificity, 1 - sensitivity) if negative else (sensitivity, 1 - specificity)
    share = 1 - prevalence if negative else prevalence
    truth_value = right * share / (right * share + wrong * (1 - share))
    truth = np.repeat([1, 0], 60)
    covered = []
    for _ in range(800):
        right_answer = random.random(120) < np.where(truth == 1, sensitivity, specificity)
        levels = np.where(right_answer == (truth == 1), 5, 1)
        low, high = scoring.score(levels, truth, "excluded").predictive_value(prevalence, negative).ci
        covered.append(low <= truth_value <= high)
    assert 0.93 < np.mean(covered) < 0.975


answers = st.lists(
    st.tuples(st.sampled_from([1, 2, 3, 4, 5, None]), st.integers(0, 1), st.booleans()), min_size=1, max_size=40
)


@given(answers, st.sampled_from(scoring.RULES), st.sampled_from(scoring.LATE_RULES))
def test_swapping_the_classes_swaps_what_it_should_and_nothing_else(rows, rule, late_rule):
    levels, truth, late = zip(*rows, strict=True)
    one = scoring.score(levels, truth, rule, late, late_rule)
    other = scoring.score([level and 6 - level for level in levels], [1 - t for t in truth], rule, late, late_rule)
    assert one.accuracy() == other.accuracy()
    assert one.confusion() == pytest.approx(
        (other.confusion().TN, other.confusion().FP, other.confusion().FN, other.confusion().TP)
    )
    assert one.balanced_accuracy().value == other.balanced_accuracy().value
    assert one.sensitivity().value == other.specificity().value


@given(answers, st.sampled_from(scoring.RULES))
def test_every_measure_is_a_number_in_its_interval_or_a_reason(rows, rule):
    levels, truth, late = zip(*rows, strict=True)
    for found in scoring.score(levels, truth, rule, late).measures(prevalence=0.3).values():
        if found.ci is None:
            assert found.reason
        else:
            assert -1e-9 <= found.ci[0] <= found.value + 1e-9 <= found.ci[1] + 2e-9 <= 1 + 3e-9


@given(answers)
def test_the_rules_are_ordered_and_agree_without_unsure(rows):
    sure = [(level, t) for level, t, _ in rows if level in (1, 5)]
    if sure:
        levels, truth = zip(*sure, strict=True)
        values = {scoring.score(levels, truth, rule).accuracy().value for rule in scoring.RULES}
        assert len({round(value, 12) for value in values}) == 1
    levels, truth, _ = zip(*rows, strict=True)
    wrong, half = (scoring.score(levels, truth, rule).accuracy().value for rule in ("wrong", "half"))
    assert wrong is None or wrong <= half


def test_nothing_that_counts_is_undefined_in_words():
    unsure = scoring.score([3, 3], [0, 1], "excluded")
    assert unsure.accuracy().reason == "there are no answers to count"
    assert unsure.accuracy().unsure == 2
    assert unsure.precision().reason == "nothing was called synthetic"
    assert unsure.balanced_accuracy().value is None
    one_class = scoring.score([1, 5], [0, 0], "excluded")
    assert one_class.precision().reason == "answers to both classes are needed"
    assert one_class.sensitivity().value is None
    assert one_class.specificity().value == 0.5
    assert one_class.predictive_value(0.5).value is None
    assert scoring.score([], []).accuracy().value is None
    never_synthetic = scoring.score([1, 1], [0, 1], "excluded")
    assert never_synthetic.predictive_value(0.5).reason == "nothing was called synthetic"


def test_equivalence_takes_the_test_that_suits_the_rule():
    levels, truth = [5, 4, 2, 1] * 50, [1, 0] * 100
    assert scoring.score(levels, truth, "excluded").equivalence(0.1).method.startswith("exact")
    assert "t tests" in scoring.score(levels, truth).equivalence(0.1).method


def test_association_sees_through_a_bias():
    # 30 of 40 right, but the reader says synthetic nine times in ten whatever the truth.
    levels, truth = [5] * 27 + [1] * 3 + [5] * 9 + [1], [1] * 30 + [0] * 10
    assert scoring.score(levels, truth, "excluded").accuracy().p < 0.05
    assert scoring.association(levels, truth).p == 1.0
    assert scoring.association([5] * 20, [1] * 10 + [0] * 10).value is None


@pytest.mark.parametrize(
    "call",
    [
        lambda: scoring.credits([6], [1]),
        lambda: scoring.credits([2.5], [1]),
        lambda: scoring.credits([1, 2], [1]),
        lambda: scoring.credits([1], [1], "generous"),
        lambda: scoring.credits([1], [1], late=[1, 0], late_rule="wrong"),
        lambda: scoring.credits([1], [1], late_rule="lost"),
        lambda: scoring.score([1], [1], late=[2]),
        lambda: scoring.score([1], [1]).predictive_value(1.0),
    ],
)
def test_impossible_input_is_refused(call):
    with pytest.raises(ValueError, match="expected"):
        call()
