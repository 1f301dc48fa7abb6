"""The battery passes a sound force field, and each broken one fails in the right place."""

import json
from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import AbstractEnergy, ArgumentError, Array, Int, Point, Scalar
from thalweg.forcefields import (
    PROPERTIES,
    AbstractBlock,
    EquivariantMessages,
    ExponentialRepulsion,
    ForceField,
    Geometry,
    HarmonicAngles,
    HarmonicBonds,
    PairSplines,
    Topology,
    ZBLRepulsion,
    check_forcefield,
)

METHANOL = Topology.from_bonds(
    [6, 8, 1, 1, 1, 1],
    [(0, 1), (0, 2), (0, 3), (0, 4), (1, 5)],
    masses=[12.011, 15.999, 1.008, 1.008, 1.008, 1.008],
)
X = 0.1 * np.array(
    [
        [-0.0469, 0.6618, 0.0],
        [-0.0469, -0.7581, 0.0],
        [-1.0926, 0.9717, 0.0],
        [0.4383, 1.0717, 0.8892],
        [0.4383, 1.0717, -0.8892],
        [0.8628, -1.0568, 0.0],
    ]
)


def mechanics():
    """Bonds, angles, repulsion and a soft attraction: sound in every respect."""
    bonds, angles = METHANOL.bonds, METHANOL.angles
    length = {(6, 8): 0.142, (6, 1): 0.109, (8, 1): 0.096}
    splines = PairSplines.of_function(
        lambda r: -1.0 * np.clip(1 - r / 0.6, 0, 1) ** 4, METHANOL, knots=24, start=0.0, cutoff=0.6
    )
    return {
        "bonds": HarmonicBonds(
            jnp.asarray(bonds),
            jnp.arange(len(bonds)),
            jnp.full(len(bonds), 2.5e5),
            jnp.array([length[tuple(METHANOL.numbers[bond].tolist())] for bond in bonds]),
        ),
        "angles": HarmonicAngles(
            jnp.asarray(angles),
            jnp.arange(len(angles)),
            jnp.full(len(angles), 400.0),
            jnp.full(len(angles), 1.91),
        ),
        "splines": splines,
        "core": ZBLRepulsion.for_topology(METHANOL),
        "repulsion": ExponentialRepulsion.for_topology(METHANOL, energy=2000.0, decay=0.035),
    }


class _Bare(AbstractBlock):
    layout: ClassVar[Mapping[str, str]] = {"species": "rows"}
    species: Int[Array, " n"]


def _distances(geometry: Geometry):
    i, j = np.triu_indices(len(geometry.positions), 1)
    return geometry.distances(jnp.asarray(i), jnp.asarray(j))


class HardCutoff(_Bare):
    def __call__(self, geometry: Geometry) -> Scalar:
        r = _distances(geometry)
        return jnp.sum(jnp.where(r < 0.5, -1.0 / r, 0.0))


class CosineCutoff(_Bare):
    def __call__(self, geometry: Geometry) -> Scalar:
        r = _distances(geometry)
        fade = 0.5 * (jnp.cos(jnp.pi * jnp.minimum(r / 0.5, 1.0)) + 1.0)
        return -20.0 * jnp.sum(fade)


class Field(_Bare):
    def __call__(self, geometry: Geometry) -> Scalar:
        return 3.0 * jnp.sum(geometry.positions[:, 2] ** 2)


class Handed(_Bare):
    def __call__(self, geometry: Geometry) -> Scalar:
        x = geometry.positions
        return 1e4 * jnp.dot(jnp.cross(x[2] - x[0], x[3] - x[0]), x[5] - x[0])


class Numbered(_Bare):
    def __call__(self, geometry: Geometry) -> Scalar:
        x = geometry.positions
        centre = x - jnp.mean(x, axis=0)
        return 100.0 * jnp.sum(jnp.arange(len(x), dtype=x.dtype)[:, None] * centre**2)


class Hole(_Bare):
    """Deep at the distance of a nucleus from another that is a bond's half."""

    def __call__(self, geometry: Geometry) -> Scalar:
        return -5e4 * jnp.sum(jnp.exp(-(((_distances(geometry) - 0.06) / 0.01) ** 2)))


class Singular(_Bare):
    def __call__(self, geometry: Geometry) -> Scalar:
        return jnp.sum(jnp.log(_distances(geometry) - 0.01))


class Crowd(_Bare):
    """Every atom feels all, however far: neither extensive nor of short range."""

    def __call__(self, geometry: Geometry) -> Scalar:
        return -0.1 * jnp.sum(1.0 / (0.1 + _distances(geometry)) ** 0.5)


class Rounded(_Bare):
    """A parameter whose gradient is not that of the energy."""

    strength: jax.Array

    def __call__(self, geometry: Geometry) -> Scalar:
        return jax.lax.stop_gradient(self.strength) * jnp.sum(_distances(geometry))


class Stirred(AbstractEnergy):
    """Forces with a whirl in them."""

    forcefield: ForceField

    def __call__(self, x: Point) -> Scalar:
        return self.forcefield(x)

    def forces(self, x: Point):
        centred = x.reshape(-1, 3) - jnp.mean(x.reshape(-1, 3), axis=0)
        whirl = jnp.cross(jnp.array([0.0, 0.0, 1.0]), centred)
        return self.forcefield.forces(x) + 3e4 * whirl


def with_block(block, *extra):
    species = jnp.asarray(METHANOL.numbers, jnp.int32)
    return ForceField(METHANOL, {"bonds": mechanics()["bonds"], "more": block(species, *extra)})


@pytest.fixture(scope="module")
def sound():
    return check_forcefield(ForceField(METHANOL, mechanics()), X.ravel(), jax.random.key(1))


def test_a_sound_force_field_passes_everything(sound):
    assert not sound.failed, sound.table()
    assert {p.name for p in sound.properties if p.passed} == set(PROPERTIES), sound.table()


def test_report_says_everything_in_words_and_json(sound):
    assert len(sound.table().splitlines()) == len(PROPERTIES)
    facts = json.loads(json.dumps(sound.facts()))
    assert facts["passed"] is True
    assert sound["rotation"].value <= sound["rotation"].limit
    with pytest.raises(ArgumentError, match="no property 'taste'"):
        sound["taste"]


STIRRED = ("forces", "curl", "closed loop")


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: with_block(HardCutoff), ("smoothness",)),
        (lambda: with_block(Field), ("rotation",)),
        (lambda: with_block(Handed), ("inversion",)),
        (lambda: with_block(Numbered), ("permutation",)),
        (lambda: with_block(Hole), ("bond walls", "contact walls")),
        (lambda: with_block(Singular), ("finite",)),
        (lambda: with_block(Crowd), ("size consistency", "long range", "linear cost")),
        (lambda: with_block(Rounded, jnp.ones(())), ("parameters",)),
        (lambda: Stirred(ForceField(METHANOL, {"bonds": mechanics()["bonds"]})), STIRRED),
    ],
)
def test_what_is_broken_fails_where_it_is_broken(make, names):
    report = check_forcefield(make(), X.ravel(), jax.random.key(1), only=names)
    assert report.failed == names, report.table()


def test_a_jump_is_named_and_found_where_it_is():
    report = check_forcefield(
        with_block(CosineCutoff), X.ravel(), jax.random.key(1), only=("smoothness",)
    )
    assert report.failed == ("smoothness",)
    assert "curvature" in report["smoothness"].meaning


def test_questions_without_an_answer_are_not_asked():
    plain = Stirred(ForceField(METHANOL, mechanics()))
    report = check_forcefield(plain, X.ravel(), jax.random.key(0), only=("contact walls",))
    assert report["contact walls"].passed is None
    assert report.passed
    assert report.facts()["properties"][0]["value"] is None


def test_wrong_calls():
    forcefield = ForceField(METHANOL, mechanics())
    with pytest.raises(ArgumentError, match="no property 'taste'"):
        check_forcefield(forcefield, X.ravel(), jax.random.key(0), only=("taste",))
    with pytest.raises(ArgumentError, match="15 coordinates"):
        check_forcefield(forcefield, X.ravel()[:15], jax.random.key(0))
    with pytest.raises(ArgumentError, match="not finite"):
        check_forcefield(forcefield, np.full(18, np.nan), jax.random.key(0))


@pytest.mark.slow
def test_an_untrained_network_keeps_every_symmetry_but_has_no_wall():
    net = EquivariantMessages.for_topology(METHANOL, key=jax.random.key(3), features=6, layers=1)
    forcefield = ForceField(METHANOL, {"net": net})
    asked = tuple(n for n in PROPERTIES if n not in ("smoothness", "bond extrema", "linear cost"))
    report = check_forcefield(forcefield, X.ravel(), jax.random.key(1), only=asked)
    assert set(report.failed) <= {"bond walls", "contact walls"}, report.table()
    assert "bond walls" in report.failed
