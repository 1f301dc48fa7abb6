import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.core import METAL, ArgumentError, Certificate, Outcome, System
from thalweg.landscape import (
    Discovery,
    Landscape,
    Minimum,
    Rejected,
    Round,
    Store,
    StoreHeader,
    TransitionNetwork,
)
from thalweg.thermo import (
    HarmonicEnsemble,
    flat_candidates,
    heat_capacity_peaks,
    temperature_grid,
    temperature_range,
)
from thalweg.viz import plot_heat_capacity
from thalweg.workflows import explore

HEADER = StoreHeader(fingerprint="f", name="toy", dof=6, energy_unit="ε", length_unit="σ")


def ensemble_of(energies, *, orders=None, logs=None, modes=3, **more):
    net = TransitionNetwork.bare(np.asarray(energies, float), np.zeros(0), np.zeros((0, 2), int))
    n = len(energies)
    net = dataclasses.replace(
        net,
        orders=np.ones(n, int) if orders is None else np.asarray(orders),
        log_products=np.zeros(n) if logs is None else np.asarray(logs, float),
    )
    return HarmonicEnsemble.of(net, modes=modes, **more)


wells = st.lists(
    st.tuples(st.floats(-50, 50), st.integers(1, 48), st.floats(-20, 200), st.integers(1, 40)),
    min_size=1,
    max_size=12,
)
"""Energy, order, log-product and number of modes of each minimum."""


def build(rows):
    energies, orders, logs, modes = zip(*rows, strict=True)
    return ensemble_of(energies, orders=orders, logs=logs, modes=np.array(modes))


@given(wells, st.floats(0.05, 20.0))
def test_identities_hold(rows, t):
    ensemble = build(rows)
    assert ensemble.occupations(t).sum() == pytest.approx(1.0, rel=1e-12)
    contributions = ensemble.heat_capacity_contributions(t)
    assert (contributions >= 0).all()
    assert contributions.sum() == pytest.approx(float(ensemble.heat_capacity(t)), rel=1e-13)
    slopes = ensemble.occupation_slopes(t)
    assert abs(slopes.sum()) <= 1e-12 * max(np.abs(slopes).max(), 1.0)
    free = ensemble.internal_energy(t) - t * ensemble.entropy(t)
    assert free == pytest.approx(float(ensemble.free_energy(t)), rel=1e-9, abs=1e-9)


@given(wells, st.floats(0.5, 20.0))
def test_derivatives_are_those_of_the_free_energy(rows, t):
    ensemble = build(rows)
    h = 1e-4 * t
    f = ensemble.free_energy(np.array([t - h, t, t + h]))
    scale = max(np.abs(f).max(), 1.0)
    entropy = -(f[2] - f[0]) / (2 * h)
    assert float(ensemble.entropy(t)) == pytest.approx(entropy, abs=1e-5 * scale / t)
    u = ensemble.internal_energy(np.array([t - h, t + h]))
    capacity = float(ensemble.heat_capacity(t))
    assert (u[1] - u[0]) / (2 * h) == pytest.approx(capacity, rel=1e-4, abs=1e-6)
    p = ensemble.occupations(np.array([t - h, t + h]))
    np.testing.assert_allclose(
        (p[1] - p[0]) / (2 * h), ensemble.occupation_slopes(t), rtol=1e-3, atol=1e-6
    )


@given(wells, st.floats(0.1, 10.0), st.floats(-1e3, 1e3))
def test_the_zero_of_energy_does_not_matter(rows, t, shift):
    ensemble = build(rows)
    net = dataclasses.replace(ensemble.network, energies=ensemble.network.energies + shift)
    moved = dataclasses.replace(ensemble, network=net)
    np.testing.assert_allclose(moved.occupations(t), ensemble.occupations(t), rtol=1e-8, atol=1e-12)
    assert moved.heat_capacity(t) == pytest.approx(float(ensemble.heat_capacity(t)), rel=1e-7)


def test_duplicating_every_minimum_changes_nothing_but_the_entropy():
    once = ensemble_of([0.0, 1.0], orders=[1, 3], logs=[0.0, 2.0])
    twice = ensemble_of([0.0, 1.0] * 2, orders=[1, 3] * 2, logs=[0.0, 2.0] * 2)
    assert twice.heat_capacity(0.4) == pytest.approx(float(once.heat_capacity(0.4)), rel=1e-13)
    assert twice.entropy(0.4) - once.entropy(0.4) == pytest.approx(np.log(2.0), rel=1e-12)


def test_temperatures_of_any_shape():
    ensemble = ensemble_of([0.0, 1.0, 2.0])
    assert ensemble.occupations(0.3).shape == (3,)
    assert ensemble.heat_capacity(0.3).shape == ()
    assert ensemble.occupations([0.3, 0.4]).shape == (2, 3)
    assert ensemble.heat_capacity(np.full((2, 5), 0.3)).shape == (2, 5)
    assert ensemble.heat_capacity_contributions(np.full((2, 5), 0.3)).shape == (2, 5, 3)


def test_cold_and_hot_extremes_are_finite():
    ensemble = ensemble_of([-100.0, -99.0, 5.0], logs=[100.0, 500.0, -300.0])
    for t in (1e-6, 1e-3, 1e6):
        assert np.isfinite(ensemble.heat_capacity(t))
        assert np.isfinite(ensemble.free_energy(t))
    np.testing.assert_array_equal(ensemble.occupations(1e-6), [1.0, 0.0, 0.0])
    assert ensemble.heat_capacity(1e-6) == 1.5


def test_boltzmann_scales_temperature_only():
    plain, kelvin = ensemble_of([0.0, 0.1]), ensemble_of([0.0, 0.1], boltzmann=8.617333262e-5)
    t = 0.05 / 8.617333262e-5
    np.testing.assert_allclose(kelvin.occupations(t), plain.occupations(0.05), rtol=1e-12)
    assert kelvin.heat_capacity(t) == pytest.approx(float(plain.heat_capacity(0.05)), rel=1e-12)
    u = kelvin.internal_energy(np.array([t * (1 - 1e-5), t * (1 + 1e-5)]))
    slope = (u[1] - u[0]) / (2e-5 * t)
    assert slope == pytest.approx(float(kelvin.heat_capacity(t)) * kelvin.boltzmann, rel=1e-6)
    assert METAL.boltzmann == pytest.approx(8.617333262e-5, rel=1e-9)


def test_units_know_hbar():
    # A C-O stretch: curvature 1902 N/m over a reduced mass of 6.86 dalton gives 2170 cm^-1.
    curvature = 1902.0 / 16.0217663
    quantum = METAL.hbar * np.sqrt(curvature / 6.8606)
    assert quantum == pytest.approx(2170 / 8065.544, rel=2e-3)


@pytest.mark.parametrize("t", [0.0, -1.0, np.nan, np.inf, [0.1, 0.0]])
def test_impossible_temperatures(t):
    with pytest.raises(ArgumentError, match="not positive and finite"):
        ensemble_of([0.0, 1.0]).heat_capacity(t)


def test_wrong_calls():
    net = ensemble_of([0.0, 1.0]).network
    with pytest.raises(ArgumentError, match="how many modes"):
        HarmonicEnsemble.of(net)
    with pytest.raises(ArgumentError, match="holds 3 numbers for 2"):
        HarmonicEnsemble(network=net, modes=np.array([1, 2, 3]))
    with pytest.raises(ArgumentError, match="boltzmann=0"):
        HarmonicEnsemble.of(net, modes=3, boltzmann=0.0)
    with pytest.raises(ArgumentError, match="no minima"):
        HarmonicEnsemble.of(net.select(np.array([False, False])), modes=3)


def certificate(zero, expected=0):
    return Certificate(1e-12, 0, zero, expected, (1.0,), 1.0, 1, "test", Outcome.success)


def stored(path, certificates, rejected=()):
    minima = [
        Minimum(id=i, energy=float(i), x=np.zeros(6), order=1, log_product=1.0, certificate=c)
        for i, c in enumerate(certificates)
    ]
    found = [Discovery(kind="minimum", id=i) for i in range(len(minima))]
    store = Store.open(path, HEADER)
    store.commit_round(
        Round(number=0, kind="x", minima=minima, discoveries=found, rejected=rejected)
    )
    return Landscape(store)


def test_modes_come_from_certificates(tmp_path):
    with stored(tmp_path / "a.db", [certificate(3, 3), certificate(2, 2)]) as landscape:
        np.testing.assert_array_equal(HarmonicEnsemble.of(landscape).modes, [3, 4])


def test_unexplained_zero_modes_are_refused_with_point_reason_and_mend(tmp_path):
    with (
        stored(tmp_path / "a.db", [certificate(0), certificate(2, 1)]) as landscape,
        pytest.raises(ArgumentError, match=r"minimum 1 has 2 zero modes.*explains 1") as caught,
    ):
        HarmonicEnsemble.of(landscape, modes=5)
    assert "infinite" in caught.value.message
    assert "symmetry" in caught.value.hint


def test_imported_minima_need_a_number_of_modes(tmp_path):
    with stored(tmp_path / "a.db", [certificate(0), None]) as landscape:
        with pytest.raises(ArgumentError, match="without certificates"):
            HarmonicEnsemble.of(landscape)
        np.testing.assert_array_equal(HarmonicEnsemble.of(landscape, modes=5).modes, [5, 5])


def test_a_map_that_rejected_everything_says_why(tmp_path):
    flat = Rejected(kind="minimum", outcome=Outcome.unexplained_zero_modes)
    with (
        stored(tmp_path / "a.db", [], [flat]) as landscape,
        pytest.raises(ArgumentError, match="1 of 1 candidates were rejected"),
    ):
        HarmonicEnsemble.of(landscape)
    endless = [Rejected(kind="minimum", outcome=Outcome.no_minimum)] * 2
    with (
        stored(tmp_path / "b.db", [], [flat, *endless]) as landscape,
        pytest.raises(ArgumentError, match=r"2 of 3 searches ended as no_minimum \("),
    ):
        HarmonicEnsemble.of(landscape)


def test_flat_candidates_are_counted(tmp_path):
    flat = Rejected(kind="minimum", outcome=Outcome.unexplained_zero_modes)
    other = Rejected(kind="minimum", outcome=Outcome.max_steps)
    with stored(tmp_path / "a.db", [certificate(0)], [flat, other, flat]) as landscape:
        assert flat_candidates(landscape) == 2


def test_a_ring_of_minima_is_refused_after_a_real_map(tmp_path):
    """The bottom of a Mexican hat is a circle: nobody told the system of its symmetry."""
    hat = System(lambda x: (jnp.sum(x * x) - 1.0) ** 2, shape=(2,), name="hat")
    explore(hat, tmp_path / "hat.db", quenches=8, walkers=0, climbs=1, budget=2.0)
    with (
        Landscape.open(tmp_path / "hat.db") as landscape,
        pytest.raises(ArgumentError, match="zero modes"),
    ):
        HarmonicEnsemble.of(landscape)


def test_a_unit_of_energy_that_nobody_knows(tmp_path):
    header = dataclasses.replace(HEADER, energy_unit="furlong")
    store = Store.open(tmp_path / "a.db", header)
    minimum = Minimum(
        id=0, energy=0.0, x=np.zeros(6), order=1, log_product=1.0, certificate=certificate(0)
    )
    store.commit_round(Round(number=0, kind="x", minima=[minimum]))
    with Landscape(store) as landscape:
        with pytest.raises(ArgumentError, match="'furlong' is unknown"):
            HarmonicEnsemble.of(landscape)
        assert HarmonicEnsemble.of(landscape, boltzmann=2.0).boltzmann == 2.0


def test_peaks_name_the_minima_behind_them():
    # Two transitions: 0 to the pair (1, 2) near 0.05, then to the crowd near 1.
    crowd = 400
    energies = [0.0, 0.3, 0.3, *np.full(crowd, 8.0)]
    logs = [0.0, -10.0, -9.0, *np.full(crowd, -12.0)]
    ensemble = ensemble_of(energies, logs=logs, modes=6)
    low, high = heat_capacity_peaks(ensemble, 0.01, 10.0)
    assert (low.falling.tolist(), low.rising[:2].tolist()) == ([0], [1, 2])
    shares = np.exp([0.5 * 10.0, 0.5 * 9.0])
    assert low.rising_shares[1] / low.rising_shares[0] == pytest.approx(shares[1] / shares[0])
    assert low.gap == pytest.approx(0.3, rel=1e-3)
    assert set(high.falling.tolist()) <= {0, 1, 2}
    assert len(high.rising) == crowd
    for peak in (low, high):
        assert peak.falling_shares.sum() == pytest.approx(1.0)
        excess = peak.heat_capacity - 3.0
        assert peak.rate * peak.gap == pytest.approx(excess, rel=1e-9)
        near = ensemble.heat_capacity(peak.temperature * np.array([1 - 1e-4, 1, 1 + 1e-4]))
        assert near.argmax() == 1


def test_no_peak_in_a_single_well_and_none_at_ends():
    assert heat_capacity_peaks(ensemble_of([1.0]), 0.01, 10.0) == []
    assert heat_capacity_peaks(ensemble_of([0.0, 1.0], logs=[9.0, 0.0]), 0.01, 0.05) == []
    with pytest.raises(ArgumentError, match="lower than"):
        heat_capacity_peaks(ensemble_of([0.0, 1.0]), 1.0, 0.5)


def test_a_range_of_temperatures_holds_the_peak():
    ensemble = ensemble_of([0.0, 1.0], logs=[9.0, 0.0])
    low, high = temperature_range(ensemble)
    (peak,) = heat_capacity_peaks(ensemble, 0.01, 10.0)
    assert low == pytest.approx(peak.temperature / 3, rel=1e-6)
    assert high == pytest.approx(peak.temperature * 2, rel=1e-6)
    assert temperature_range(ensemble_of([2.0])) == (0.01, 1.0)


def test_a_range_of_temperatures_reaches_down_to_the_lowest_gap():
    """Three levels of which two nearly coincide, as in the loss of a large network."""
    ensemble = ensemble_of([0.0, 1e-3, 1.0], logs=[19.0, 0.0, 0.0])
    low, high = temperature_range(ensemble)
    (cold, *_) = heat_capacity_peaks(ensemble, 1e-5, 1.0)
    assert cold.temperature < 1e-3
    assert low < cold.temperature < high


def test_a_curve_over_decades_shows_its_coldest_peak():
    """Half of the temperatures lie within the lower half of the decades, and the axis as well."""
    ensemble = ensemble_of([0.0, 1e-4, 1.0], logs=[38.0, 19.0, 0.0])
    low, high = temperature_range(ensemble)
    peaks = heat_capacity_peaks(ensemble, low, high)
    grid = temperature_grid(low, high, 100)
    curve = ensemble.heat_capacity(grid)
    tops = grid[1:-1][(curve[1:-1] > curve[:-2]) & (curve[1:-1] > curve[2:])]
    assert tops == pytest.approx([peak.temperature for peak in peaks], rel=0.1)
    assert plot_heat_capacity(ensemble, grid).get_xscale() == "log"
    assert temperature_grid(1.0, 99.0, 3) == pytest.approx([1.0, 50.0, 99.0])
    narrow = plot_heat_capacity(ensemble, temperature_grid(1.0, 99.0, 3))
    assert narrow.get_xscale() == "linear"
