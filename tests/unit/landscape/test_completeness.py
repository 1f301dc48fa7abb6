import itertools
import math
import random

import numpy as np
import pytest

from thalweg.core import ArgumentError
from thalweg.landscape import estimate_completeness


def sample(weights, searches, seed):
    """Hits of the points of a population that so many independent searches found."""
    rng = random.Random(seed)
    found = rng.choices(range(len(weights)), weights, k=searches)
    hits = np.bincount(found, minlength=len(weights))
    return hits[hits > 0]


def lognormal(count, spread, seed):
    rng = random.Random(1000 + seed)
    return [math.exp(spread * rng.gauss(0, 1)) for _ in range(count)]


def test_chao1_by_hand():
    """f1 = 3, f2 = 2, n = 12: the bias-corrected form is 6 + 11/12 * 3 * 2 / (2 * 3)."""
    estimate = estimate_completeness(np.array([1, 1, 1, 2, 2, 5]), method="chao1")
    assert (estimate.singletons, estimate.doubletons, estimate.searches) == (3, 2, 12)
    assert estimate.total == pytest.approx(6 + 11 / 12)
    assert estimate.missing == pytest.approx(11 / 12)
    assert estimate.coverage == pytest.approx(1 - 3 / 12 * 33 / 37)
    assert estimate.lower <= estimate.total <= estimate.upper


@pytest.mark.parametrize("method", ["lognormal", "chao1", "ichao1", "ace"])
def test_equal_probabilities_are_easy(method):
    estimate = estimate_completeness(sample([1.0] * 500, 1500, seed=1), method=method)
    assert estimate.total == pytest.approx(500, rel=0.05)
    assert estimate.trusted


@pytest.mark.parametrize("method", ["lognormal", "chao1", "ichao1", "ace"])
def test_everything_found_often(method):
    estimate = estimate_completeness(np.full(12, 50), method=method)
    assert (estimate.observed, estimate.coverage) == (12, 1.0)
    assert estimate.total == pytest.approx(12, abs=0.5)
    assert estimate.lower == 12
    assert estimate.upper < 14
    assert estimate.fraction == pytest.approx(1, abs=0.05)


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("spread", "count", "each"), list(itertools.product((1.0, 2.0), (40, 1500), (3, 10)))
)
def test_interval_holds_the_truth(spread, count, each):
    """The 95 % interval held the truth in 95-100 % of simulated runs of this kind.

    At a coverage of 95 %, 8 runs of 10 or fewer happen in 1.2 % of cases for each of the eight
    parameters; keys are fixed.
    """
    held = 0
    for seed in range(10):
        hits = sample(lognormal(count, spread, seed), each * count, seed)
        estimate = estimate_completeness(hits)
        held += estimate.lower <= count <= estimate.upper
    assert held >= 8


@pytest.mark.statistical
def test_lognormal_is_less_biased_than_chao1():
    """Probabilities of spread 2, ten searches a point: 0.96 against 0.78 of the truth."""
    ratios = {"lognormal": [], "chao1": [], "ace": []}
    for seed in range(6):
        hits = sample(lognormal(1500, 2.0, seed), 15_000, seed)
        for method, found in ratios.items():
            found.append(estimate_completeness(hits, method=method).total / 1500)
    assert np.median(ratios["lognormal"]) == pytest.approx(1.0, abs=0.12)
    assert np.median(ratios["chao1"]) < 0.85
    assert np.median(ratios["ace"]) < 0.85


def test_too_little_data_gives_no_upper_end():
    estimate = estimate_completeness(np.ones(30, dtype=int))
    assert not estimate.trusted
    assert estimate.upper == math.inf
    assert estimate.coverage < 0.1
    assert "at least" in str(estimate)


def test_nothing_found_yet():
    estimate = estimate_completeness(np.zeros(0, dtype=int))
    assert (estimate.total, estimate.coverage, estimate.trusted) == (0.0, 0.0, False)
    assert estimate.fraction == 1.0


def test_imported_points_count_as_known():
    hits = np.array([0] * 100 + [5] * 20)
    assert estimate_completeness(hits).total >= 120
    assert estimate_completeness(hits).observed == 120


@pytest.mark.parametrize("hits", [[1], [2], [1, 1], [1, 2], [200], [1, 400], [2, 2, 2]])
@pytest.mark.parametrize("method", ["lognormal", "chao1", "ichao1", "ace"])
def test_tiny_samples_give_ordered_numbers(hits, method):
    estimate = estimate_completeness(np.array(hits), method=method)
    assert len(hits) <= estimate.lower <= estimate.total <= estimate.upper
    assert 0 <= estimate.coverage <= 1
    assert estimate.standard_error >= 0


def test_wrong_calls_are_refused():
    with pytest.raises(ArgumentError, match="negative"):
        estimate_completeness(np.array([1, -1]))
    with pytest.raises(ArgumentError, match="between 0 and 1"):
        estimate_completeness(np.array([1]), confidence=1.0)
