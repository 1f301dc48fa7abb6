"""Judgement: errors, fronts, geometries."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import KJ, ArgumentError
from thalweg.forcefields import Topology
from thalweg.forcefields.fitting import (
    KCAL,
    Accuracy,
    Front,
    MeasureConfig,
    Measurement,
    accuracy,
    along_modes,
    heated,
    measure,
    pareto,
    rattled,
    torsion_scan,
)
from thalweg.forcefields.fitting._measure import _jackknife, uncertain

from .conftest import WATER, harmonic_water


def _record(name, micros, force, **more):
    return Measurement(
        name=name, parameters=1, energy_rmse=1.0, force_rmse=force, force_mae=force,
        force_p95=force, micros=micros, **more,
    )  # fmt: skip


def test_the_front_is_what_no_other_beats():
    records = [
        _record("slow", 100.0, 1.0, survival=1.0),
        _record("beaten", 120.0, 1.0, survival=0.5),
        _record("fast", 10.0, 5.0, survival=0.9),
        _record("broken", 1.0, math.nan),
        _record("twin", 100.0, 1.0, survival=1.0),
    ]
    assert pareto(records).tolist() == [True, False, True, False, True]
    assert pareto(records, ("force_rmse", "-survival")).tolist() == [
        True,
        False,
        False,
        False,
        True,
    ]
    front = Front.of(records)
    assert [r.name for r in front.best] == ["fast", "slow", "twin"]
    assert front.within(50.0).name == "fast"
    assert front.within(5.0) is None
    assert front.table()["front"].sum() == 3
    with pytest.raises(ArgumentError, match="no field wisdom"):
        pareto(records, ("wisdom",))


def test_a_measured_force_field(labelled):
    off = harmonic_water(462_750.4 * 1.1)
    config = MeasureConfig(survival_ps=0.2, nve_ps=0.2, replicas=2)
    found = measure("stiff", off, labelled, labelled, config, train_seconds=2.0)
    assert found.ood_ratio == pytest.approx(1.0)
    assert found.parameters == 4
    assert found.survival == 1.0
    assert 0 < found.micros_1000 < found.micros
    assert found.compile_seconds > 0
    # Bonds 10 % too stiff: the error of the forces is a tenth of the bonds' share of them.
    bonds = dataclasses.replace(labelled)
    exact = accuracy(harmonic_water(), bonds)
    assert exact.force_rmse < 1e-9 < found.force_rmse
    assert found.force_mae < found.force_rmse < found.force_p95
    assert Measurement.from_facts(
        {k: None if v != v else v for k, v in dataclasses.asdict(found).items()}
    ).force_rmse == found.force_rmse  # fmt: skip


def test_frames_without_a_number_are_counted(labelled):
    nan = harmonic_water(stiffness=math.nan)
    assert accuracy(nan, labelled).nonfinite == len(labelled)


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.sin(np.arange(40.0) ** 2)
    groups = np.repeat(np.arange(8), 5)
    means = values.reshape(8, 5).mean(axis=1)
    found = _jackknife(lambda kept: values[kept].mean(), groups)
    assert found == pytest.approx(means.std(ddof=1) / math.sqrt(8), rel=1e-12)
    assert math.isnan(_jackknife(lambda kept: 1.0, np.zeros(5)))


@pytest.mark.statistical
def test_error_bars_of_errors_cover_those_of_many_frames(labelled):
    """Groups with an error of their own: the jackknife sees what single frames do not."""
    exact, rng = harmonic_water(), jax.random.key(5)
    groups = np.repeat(np.arange(10, dtype=np.int32), 4)
    rows = np.arange(40) % len(labelled)
    inside = 0
    for trial in range(60):
        shared, own = (
            np.asarray(jax.random.normal(jax.random.fold_in(rng, 2 * trial + k), (n,)))
            for k, n in enumerate((10, 40))
        )
        data = dataclasses.replace(labelled[rows], groups=groups)
        off = KCAL * (2.0 * shared[groups] + 0.1 * own)
        found = accuracy(exact, dataclasses.replace(data, energies=data.energies + off))
        inside += abs(found.energy_rmse - 2.0) < 2 * found.energy_rmse_error
    # 95 % of normal errors, fewer of ten groups; frames taken as independent cover about half.
    assert inside >= 48


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.8734, 0.052, "0.87(5)"),
        (1.684, 0.132, "1.68(13)"),
        (17.23, 2.3, "17(2)"),
        (171.4, 12.0, "171(12)"),
        (-0.0002, 0.013, "-0.000(13)"),
        (1.234e-5, 4e-7, "1.23(4)e-05"),
        (0.123456, math.nan, "0.123"),
        (2.0, 0.0, "2"),
        (math.nan, 1.0, "-"),
        (math.inf, 1.0, "-"),
    ],
)
def test_numbers_with_errors_in_brackets(value, error, text):
    assert uncertain(value, error) == text


def test_fits_that_differ_widen_the_error():
    record = _record("x", 1.0, 2.0, force_rmse_error=0.3, energy_rmse_error=0.0)
    fits = [Accuracy(1.0, 0.1, force, 0.3, force, force, 0) for force in (1.6, 2.0, 2.4)]
    wide = record.among(fits, fits)
    assert wide.fits == 3
    assert wide.force_rmse_error == pytest.approx(0.5)
    assert wide.energy_rmse_error == 0.0
    assert wide.text("force_rmse", ".3g") == "2.0(5)"


@pytest.mark.slow
@pytest.mark.statistical
def test_normal_modes_share_the_temperature():
    """Each of the three vibrations has kT/2 of harmonic energy; the mean of 2000, 4 σ."""
    exact = harmonic_water()
    x = _minimum(exact)
    drawn = along_modes(exact, x, exact.topology.masses, 50.0, 2_000, key=1)
    energies = np.asarray(jax.vmap(exact)(jnp.asarray(drawn.reshape(2_000, -1))))
    expected = 1.5 * KJ.boltzmann * 50.0
    assert energies.mean() == pytest.approx(expected, rel=4 * math.sqrt(2 / 3 / 2_000) + 0.01)


def _minimum(force_field):
    half, r = 1.82421813 / 2, 0.09572
    return np.array(
        [[0, 0, 0], [r * np.cos(half), r * np.sin(half), 0],
         [r * np.cos(half), -r * np.sin(half), 0]]
    )  # fmt: skip


@pytest.mark.slow
def test_normal_modes_of_no_minimum_are_refused():
    exact = harmonic_water()
    turned = _minimum(exact) * np.array([1.0, 0.3, 1.0])
    with pytest.raises(ArgumentError, match="no minimum"):
        along_modes(exact, turned, exact.topology.masses, 50.0, 3)


def test_a_torsion_scan_turns_one_side_only():
    chain = Topology.from_bonds([6] * 4, [(0, 1), (1, 2), (2, 3)], masses=[12.0] * 4)
    x = np.array([[0.1, 0.15, 0.0], [0.0, 0.15, 0.0], [0.0, 0.0, 0.0], [0.1, 0.0, 0.05]])
    scan = torsion_scan(chain, x, (1, 2), 8)
    np.testing.assert_allclose(scan[0], x, atol=1e-12)
    np.testing.assert_allclose(scan[:, :3], np.repeat(x[None, :3], 8, axis=0), atol=1e-12)
    lengths = np.linalg.norm(scan[:, 3] - scan[:, 2], axis=-1)
    np.testing.assert_allclose(lengths, lengths[0])
    from thalweg.forcefields.md import torsion_angles

    angles = np.unwrap(torsion_angles(scan, (0, 1, 2, 3)))
    np.testing.assert_allclose(np.abs(np.diff(angles)), math.pi / 4, atol=1e-9)
    ring = Topology.from_bonds([6] * 3, [(0, 1), (1, 2), (0, 2)], masses=[12.0] * 3)
    with pytest.raises(ArgumentError, match="part of a ring"):
        torsion_scan(ring, x[:3], (0, 1))
    with pytest.raises(ArgumentError, match="not bonded"):
        torsion_scan(chain, x, (0, 3))


@pytest.mark.slow
def test_heating_reaches_further_out():
    exact = harmonic_water()
    x, stage = heated(
        exact, exact.topology.masses, _minimum(exact), [50.0, 2_000.0], steps=400, thin=20,
        replicas=4, key=1,
    )  # fmt: skip
    energies = np.asarray(jax.vmap(exact)(jnp.asarray(x.reshape(len(x), -1))))
    assert np.bincount(stage).tolist() == [80, 80]
    assert energies[stage == 1].mean() > 3 * energies[stage == 0].mean()


def test_rattling():
    x = rattled(WATER, 4_000, 0.01, key=2)
    assert (x - WATER).std() == pytest.approx(0.01, rel=0.02)
