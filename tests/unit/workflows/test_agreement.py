"""Agreement of landscapes, on clusters and molecules whose answers are known."""

import dataclasses
import math

import numpy as np
import pytest

from thalweg.core import SumEnergy
from thalweg.energies import system
from thalweg.workflows import (
    AgreementConfig,
    LandscapeAgreement,
    LandscapeAgreements,
    explore,
    landscape_agreement,
)
from thalweg.workflows._agreement_record import Judge

_KCAL = 4.184


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """LJ6: an octahedron, a capped trigonal bipyramid, and the ways between them."""
    lj = system("lj6")
    where = tmp_path_factory.mktemp("agreement") / "lj6.db"
    found = explore(lj, where, key=0, walkers=0, quenches=64, climbs=64, searches=40)
    assert found.landscape.network.n_minima == 2
    return lj, found.landscape


def _judge(landscape):
    ids = landscape.network.ids[np.argsort(landscape.network.energies)]
    config = AgreementConfig(temperature=0.05, near=0.1)
    return Judge(landscape, int(ids[0]), int(ids[1]), config)


def test_a_landscape_agrees_with_itself(cluster):
    lj, landscape = cluster
    found = _judge(landscape).judged("same", lj, landscape)
    own = _judge(landscape).itself("reference")
    assert found.matched_minima == found.of_minima == 2
    assert found.matched_transition_states == found.of_transition_states
    assert found.displacement < 1e-5
    assert max(found.energy_error, found.barrier_error, abs(found.log_rate)) < 1e-8
    assert found.heat_capacity == pytest.approx(own.heat_capacity)
    assert found.harmonic == pytest.approx(own.harmonic)


def test_a_deeper_well_is_wrong_by_what_it_is_deeper(cluster):
    lj, landscape = cluster
    deep = dataclasses.replace(lj, energy=SumEnergy((lj.energy,), (1.1,)))
    found = _judge(landscape).judged("deep", deep, landscape)
    network = landscape.network
    above = 0.1 * (network.energies - network.energies.min()) / _KCAL
    barriers = 0.1 * (network.ts_energies - network.energies.min()) / _KCAL
    assert found.matched_minima == 2
    assert found.energy_error == pytest.approx(np.sqrt(np.mean(above**2)), rel=1e-6)
    assert found.barrier_error == pytest.approx(np.sqrt(np.mean(barriers**2)), rel=1e-6)


@pytest.mark.slow
def test_minima_that_fall_together_count_once(cluster):
    """On Morse particles of very short range the same two minima exist; of long range only one."""
    _, landscape = cluster
    soft = _judge(landscape).judged("soft", system("morse6-rho3"), landscape)
    assert soft.matched_minima == 1
    assert soft.of_minima == 2


def test_a_record_survives_json():
    record = LandscapeAgreement(
        name="a", minima=2, transition_states=1, matched_minima=2, of_minima=2, displacement=0.1,
        energy_error=0.2, matched_transition_states=1, of_transition_states=1, barrier_error=0.3,
        heat_capacity=0.4, correction=-0.5, correction_error=0.1,
    )  # fmt: skip
    whole = LandscapeAgreements((record,), (0, None), 300.0)
    facts = whole.to_dict()
    facts["records"][0]["log_rate"] = None
    again = LandscapeAgreements.from_dict(facts)
    assert again.states == (0, None)
    assert math.isnan(again.records[0].log_rate)
    texts = dict(again.records[0].cells(300.0))
    assert texts["log₁₀ k/k₀"] == "-"
    assert texts["its error by BAR"] == "+0.50 ± 0.10"


@pytest.mark.slow
def test_butane_under_its_own_force_field(tmp_path):
    """Labels from a force field: that force field agrees in everything, free energy included."""
    pytest.importorskip("rdkit")
    pytest.importorskip("ase")
    from thalweg.forcefields.fitting import Dataset
    from thalweg.io import EnergyLabels, molecule
    from thalweg.workflows import ladder

    butane = molecule("butane")
    empty = Dataset.of(butane.numbers, butane.positions[None])
    force_field = ladder("mmff").build(butane, empty)
    config = AgreementConfig(budget=60, reference_budget=60, seeds=10, frames=20)
    found = landscape_agreement(
        {"same": force_field}, butane, EnergyLabels(force_field, "mmff"), config, folder=tmp_path
    )
    _, same = found.records
    assert found.states[1] is not None
    assert same.matched_minima == same.of_minima >= 2
    assert same.matched_transition_states == same.of_transition_states >= 2
    assert same.energy_error < 1e-4
    assert abs(same.lowest) < 1e-4
    assert same.barrier_error < 1e-4
    assert abs(same.log_rate) < 0.05
    assert abs(same.correction) < 5 * same.correction_error + 1e-3
