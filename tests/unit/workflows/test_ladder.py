"""Kinds of force field, their knobs, and which of them is turned next."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import ArgumentError
from thalweg.forcefields import ForceField
from thalweg.forcefields.fitting import Dataset, FitConfig, Front, MeasureConfig, Measurement
from thalweg.forcefields.fitting._parameters import Parameters
from thalweg.io import EnergyLabels, label, molecule
from thalweg.workflows import LADDER, Knobs, Rung, Sets, candidate, design, ladder, load_fitted
from thalweg.workflows._walk import next_rung


@pytest.fixture(scope="module")
def water():
    found = molecule("H2O")
    frames = found.positions[None] + 0.001 * np.sin(np.arange(45.0).reshape(5, 3, 3))
    return found, Dataset.of(found.numbers, frames)


def of(name, micros, force):
    facts = dict.fromkeys(("energy_rmse", "force_mae", "force_p95"), 1.0)
    return Measurement(
        name=name, parameters=1, force_rmse=float(force), micros=float(micros), **facts
    )


@pytest.mark.parametrize("name", sorted(LADDER))
def test_names_are_those_of_the_ladder(name):
    assert ladder(name).name == name
    assert ladder(name) is LADDER[name] or ladder(name).turned == {}


def test_knobs_are_part_of_the_name():
    rung = ladder("amber14-delta-width8-cutoff0.35")
    assert rung.name == "amber14-delta-width8-cutoff0.35"
    assert rung.turned == {"width": 8.0, "cutoff": 0.35}
    assert rung.residues
    back = rung.with_knobs({"width": 24})
    assert (back.name, back.turned) == ("amber14-delta-cutoff0.35", {"cutoff": 0.35})
    assert ladder("delta-cutoff0.35-width8").name == "delta-width8-cutoff0.35"
    assert ladder("delta-width24").name == "delta"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("delta-breadth8", "has no knob 'breadth'"),
        ("mmff-width8", "has none at all"),
        ("delta-width0", "must be positive"),
        ("epsilon", "is called 'epsilon'"),
        ("delta-", "is called 'delta-'"),
    ],
)
def test_unknown_names_and_knobs(name, reason):
    with pytest.raises(ArgumentError) as caught:
        ladder(name)
    assert reason in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("name", [name for name, rung in LADDER.items() if rung.knobs])
def test_every_knob_has_neighbours_and_changes_the_force_field(name):
    rung = LADDER[name]
    assert set(rung.knobs.notches) == set(rung.knobs.usual)
    for knob, values in rung.knobs.notches.items():
        assert rung.knobs.usual[knob] in values
        assert list(values) == sorted(values)
    names = [other.name for other, _ in rung.neighbours()]
    assert len(set(names)) == len(names) >= len(rung.knobs.usual)


@pytest.mark.parametrize(
    "name", ["splines-knots12", "acsf-width8-depth1-radial8", "invariant-features8-layers1"]
)
def test_smaller_knobs_make_fewer_parameters(water, name):
    small, usual = (Parameters(ladder(n).build(*water)) for n in (name, name.split("-")[0]))
    assert small.count < usual.count


def test_the_largest_gap_of_the_front_is_filled_first():
    """Cheap and wrong, dear and right: what lies between them comes from the dear one's side."""
    known = {name: LADDER[name] for name in ("mmff", "delta", "acsf")}
    front = Front.of([of("mmff", 10, 10.0), of("delta", 1000, 1.0), of("acsf", 2000, 2.0)])
    first = next_rung(front, known)
    assert first.name in {rung.name for rung, _ in LADDER["delta"].neighbours()}
    # All on one side fail: the other side is tried before they are exhausted.
    tried, seen = dict(known), []
    for _ in range(40):
        rung = next_rung(front, tried)
        if rung is None:
            break
        tried[rung.name] = rung
        seen.append(rung.name)
    dearer = {rung.name: up for rung, up in LADDER["delta"].neighbours()}
    assert {dearer[name] for name in seen[:4]} == {True, False}
    assert sorted(seen) == sorted(dearer)


def test_a_front_without_knobs_ends():
    assert next_rung(Front.of([of("mmff", 10, 10.0)]), {"mmff": LADDER["mmff"]}) is None


def test_design_turns_knobs_and_does_nothing_twice(water, tmp_path):
    found, frames = water
    built = []

    def make(choices):
        def build(of, data, key):
            built.append(dict(choices))
            return LADDER["harmonic"].build(of, data)

        return build

    knobs = Knobs(make, {"size": 2}, {"size": (1, 2, 4, 8)})
    rung = Rung("mine", "", make(knobs.usual), None, knobs=knobs)
    labelled = label(frames, EnergyLabels(LADDER["harmonic"].build(found, frames), "harmonic"))
    sets = Sets(labelled, labelled, labelled, labelled)
    short = MeasureConfig(survival_ps=0.01, nve_ps=0.01, properties=())
    front = design([rung], found, sets, folder=tmp_path, measuring=short, turns=5)
    names = {record.name for record in front.records}
    assert {"mine"} < names <= {"mine", "mine-size1", "mine-size4", "mine-size8"}
    assert len(built) == len(names)
    again = design([rung], found, sets, folder=tmp_path, measuring=short, turns=5)
    assert {record.name for record in again.records} == names
    assert len(built) == len(names)
    assert load_fitted(tmp_path, max(names)).topology.n_atoms == 3


def test_more_seeds_are_more_fits_and_a_wider_error(water, tmp_path):
    found, frames = water
    begun = []

    def make(of, data, key):
        """Bonds off by a random tenth: after one step of Adam the seeds still differ."""
        begun.append(float(jax.random.uniform(key)))
        start = LADDER["harmonic"].build(of, data)
        bonds = start.blocks["bonds"]
        moved = dataclasses.replace(bonds, length=bonds.length * (1 + 0.1 * begun[-1]))
        return ForceField(start.topology, start.blocks | {"bonds": moved})

    rung = candidate("mine", make, FitConfig(method="adam", steps=1, every=1))
    labelled = label(frames, EnergyLabels(LADDER["harmonic"].build(found, frames), "harmonic"))
    labelled = dataclasses.replace(labelled, groups=np.arange(len(labelled), dtype=np.int32))
    sets = Sets(labelled, labelled, labelled, labelled)
    short = MeasureConfig(survival_ps=0.01, nve_ps=0.01, properties=())

    def run(seeds):
        (record,) = design(
            [rung], found, sets, folder=tmp_path, measuring=short, seeds=seeds, key=4
        ).records
        return record

    one, first = run(1), list(begun)
    assert (one.fits, len(first)) == (1, 1)
    three = run(3)
    assert three.fits == 3
    assert begun[1:] == [float(jax.random.uniform(jax.random.key(4 + k))) for k in range(3)]
    assert begun[0] == begun[1]
    # The one whose bonds were least off is kept, and what the others scatter is in the error.
    assert three.force_rmse <= one.force_rmse
    assert three.force_rmse_error > 1.5 * one.force_rmse_error > 0
    assert run(3) == run(2) == three
    assert len(begun) == 4
    with pytest.raises(ArgumentError, match="seeds=0"):
        run(0)


def test_mechanics_is_fitted_once(water, tmp_path):
    assert [name for name, rung in LADDER.items() if rung.random] == [
        "acsf", "invariant", "equivariant", "delta", "amber14-delta"
    ]  # fmt: skip
    one, other = (
        LADDER["acsf"].build(*water, key).blocks["learned"] for key in (0, 1)
    )  # fmt: skip
    same = jax.tree.map(lambda a, b: bool(jnp.array_equal(a, b)), one, other)
    assert not all(jax.tree.leaves(same))
