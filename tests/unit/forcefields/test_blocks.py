"""Blocks one by one: forces are derivatives, limits are those of the formulas."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import ArgumentError
from thalweg.forcefields import (
    COULOMB,
    Buckingham,
    Buffered147,
    ChargeEquilibration,
    ClassTwoTerms,
    CorrectionMaps,
    Coulomb,
    DoubleExponential,
    Ewald,
    Geometry,
    HarmonicAngles,
    HarmonicBonds,
    HarmonicImpropers,
    InducedDipoles,
    LennardJones,
    LennardJones96,
    LinearAngles,
    MorseBonds,
    OutOfPlane,
    PairRule,
    PeriodicTorsions,
    QuarticAngles,
    QuarticBonds,
    RyckaertBellemans,
    TangToennies,
    Topology,
    UreyBradley,
    neighbour_pairs,
)

_X = np.asarray(
    [[0, 0, 0], [0.15, 0.01, 0], [0.2, 0.15, 0.02], [0.33, 0.17, 0.11], [0.21, 0.22, -0.1]]
)
_TOPOLOGY = Topology.from_bonds(
    [6, 6, 7, 8, 1], [(0, 1), (1, 2), (2, 3), (2, 4)], masses=[12.0] * 5
)
_KIND = jnp.asarray([0, 0, 1, 1, 0], jnp.int32)


def _ints(rows):
    return jnp.asarray(np.asarray(rows, np.int32))


def _floats(*values):
    return jnp.asarray(values, float)


def _blocks():
    """One of each, over five atoms."""
    bonds, angles, torsions = _TOPOLOGY.bonds, _TOPOLOGY.angles, _TOPOLOGY.propers
    one = {
        "bond": (_ints(bonds), _ints([0, 1, 0, 1])),
        "angle": (_ints(angles), _ints([0, 1, 0, 1])),
        "torsion": (_ints(torsions), _ints([0, 1])),
    }
    ends = _ints(angles[:, [0, 2]])
    open_rule = PairRule.of(_TOPOLOGY, 0.5)
    ended = PairRule.of(_TOPOLOGY, 0.5, cutoff=0.35, switch=0.2)
    size, depth = _floats(0.3, 0.25), _floats(0.5, 0.0)
    charge = _floats(0.4, -0.6)
    improper = _ints([[0, 1, 2, 4]])
    return {
        "bonds": HarmonicBonds(*one["bond"], _floats(2e5, 3e5), _floats(0.14, 0.15)),
        "morse": MorseBonds(*one["bond"], _floats(400, 300), _floats(20, 25), _floats(0.14, 0.15)),
        "quartic bonds": QuarticBonds(
            *one["bond"], _floats(0.14, 0.15), *_floats([1e5, 2e5], [-2e6, -3e6], [3e7, 4e7])
        ),
        "angles": HarmonicAngles(*one["angle"], _floats(400, 500), _floats(1.9, 2.0)),
        "quartic angles": QuarticAngles(
            *one["angle"], _floats(1.9, 2.0), *_floats([200, 300], [-80, 20], [30, 40])
        ),
        "linear": LinearAngles(*one["angle"], _floats(100, 200)),
        "urey": UreyBradley(ends, _ints([0, 1, 0, 1]), _floats(1e4, 2e4), _floats(0.25, 0.26)),
        "torsions": PeriodicTorsions(
            *one["torsion"], _floats([3, 2, 1], [0, 4, 0.5]), ((0.0, 0.3, np.pi), (0.0, 0.0, 2.0))
        ),
        "ryckaert": RyckaertBellemans(*one["torsion"], _floats([1, 2, 3, -1], [0, 4, 2, 1])),
        "impropers": HarmonicImpropers(improper, _ints([0]), _floats(100), _floats(3.0)),
        "planes": OutOfPlane(_ints([[1, 2, 3, 4]]), _ints([0]), _floats(90)),
        "maps": CorrectionMaps(
            _ints([[0, 1, 2, 3, 1, 2, 4, 0]]), _ints([0]), jnp.asarray(_wave(12))[None]
        ),
        "lennard-jones": LennardJones(open_rule, _KIND, size, depth),
        "lennard-jones cut": LennardJones(ended, _KIND, size, depth, "geometric"),
        "9-6": LennardJones96(open_rule, _KIND, size, depth),
        "buckingham": Buckingham(open_rule, _KIND, size, depth, _floats(12.0, 13.0)),
        "14-7": Buffered147(open_rule, _KIND, size, depth),
        "exponentials": DoubleExponential(
            open_rule, _KIND, size, depth, jnp.asarray(16.8), jnp.asarray(4.4)
        ),
        "tang": TangToennies(
            open_rule, _KIND, *_floats([3e5, 2e5], [36, 40], [2e-3, 1e-3], [1e-4, 5e-5], [1e-5] * 2)
        ),
        "coulomb": Coulomb(open_rule, _KIND, charge, total=1.0),
        "field": Coulomb(ended, _KIND, charge, permittivity=78.3),
        "equilibration": ChargeEquilibration(
            _KIND, _floats(500, 300), _floats(900, 1100), _floats(0.05, 0.04), total=-1.0
        ),
        "induced": InducedDipoles(
            _KIND, _floats(1e-3, 5e-4), charge, jnp.asarray(0.39), _ints(_TOPOLOGY.excluded)
        ),
        "class two": _class_two(),
    }


def _class_two():
    plain = {
        "length": np.full(4, 0.14),
        "stretch2": np.full(4, 1e5),
        "rest": np.full(4, 1.9),
        "bend2": np.full(4, 200.0),
    }
    # Every coupling at the size that its prior expects.
    bare = ClassTwoTerms.of(_TOPOLOGY, plain)
    crossed = {
        name: quantity.spread * (1.0 + np.arange(getattr(bare, name).size)).reshape(shape)
        for name, quantity in bare.quantities.items()
        if (shape := getattr(bare, name).shape) and "_" in name
    }
    return ClassTwoTerms.of(_TOPOLOGY, plain | crossed)


def _wave(size):
    turn = 2.0 * np.pi * np.arange(size) / size
    return np.cos(turn)[:, None] + np.sin(2.0 * turn)[None, :]


_COMMON = ("bonds", "angles", "torsions", "planes", "lennard-jones", "coulomb", "class two")


@pytest.fixture(scope="module", params=["common", pytest.param("others", marks=pytest.mark.slow)])
def measured(request):
    """Energies of blocks at a point and around it, and their gradients, by one program."""
    common = request.param == "common"
    blocks = {name: block for name, block in _blocks().items() if (name in _COMMON) == common}

    def energies(flat):
        geometry = Geometry(flat.reshape(-1, 3))
        return jnp.stack([block(geometry) for block in blocks.values()])

    step = 1e-6
    x = jnp.asarray(_X.reshape(-1))
    shifts = step * jnp.concatenate([jnp.eye(x.size), -jnp.eye(x.size)])
    values, gradients = jax.jit(
        lambda x: (jax.lax.map(energies, x + shifts), jax.jacrev(energies)(x))
    )(x)
    ahead, behind = np.split(np.asarray(values), 2)
    return list(blocks), np.asarray(gradients), ((ahead - behind) / (2.0 * step)).T


def test_forces_are_derivatives(measured):
    names, gradients, differences = measured
    for name, gradient, difference in zip(names, gradients, differences, strict=True):
        scale = np.abs(gradient).max()
        assert np.isfinite(scale), name
        assert scale > 0, name
        assert gradient == pytest.approx(difference, abs=3e-6 * scale), name


def test_forces_have_no_resultant(measured):
    """Neither force nor torque on the whole molecule."""
    names, gradients, _ = measured
    for name, gradient in zip(names, gradients, strict=True):
        forces = gradient.reshape(-1, 3)
        scale = np.abs(forces).max()
        assert forces.sum(axis=0) == pytest.approx(0.0, abs=1e-9 * scale), name
        assert np.cross(_X, forces).sum(axis=0) == pytest.approx(0.0, abs=1e-9 * scale), name


@pytest.fixture(scope="module")
def dimers():
    """Energies of two atoms at distances from 0.02 to 20 nm, for every form over pairs."""
    rule = PairRule.but(np.zeros((0, 2), int))
    kind, size, depth = _ints([0, 0]), _floats(0.3), _floats(0.5)
    tang = _floats([3e5], [36.0], [2e-3], [1e-4], [1e-5])
    forms = {
        "lennard-jones": LennardJones(rule, kind, size, depth),
        "9-6": LennardJones96(rule, kind, size, depth),
        "buckingham": Buckingham(rule, kind, size, depth, _floats(12.0)),
        "14-7": Buffered147(rule, kind, size, depth),
        "exponentials": DoubleExponential(
            rule, kind, size, depth, jnp.asarray(16.8), jnp.asarray(4.4)
        ),
        "tang": TangToennies(rule, kind, *tang),
        "coulomb": Coulomb(rule, _ints([0, 1]), _floats(1.0, -1.0)),
        "morse": MorseBonds(_ints([[0, 1]]), _ints([0]), _floats(400.0), _floats(20.0), size),
    }
    r = np.concatenate([[0.3, 0.3 * 2 ** (1 / 6), 1e-5, 20.0], np.linspace(0.02, 0.6, 800)])

    @jax.jit
    def energies(r):
        def at(r):
            x = jnp.zeros((2, 3)).at[1, 0].set(r)
            return jnp.stack([form(Geometry(x)) for form in forms.values()])

        return jax.vmap(at)(r)

    return r, dict(zip(forms, np.asarray(energies(jnp.asarray(r))).T, strict=True))


def test_minima_of_pairs(dimers):
    r, energy = dimers
    assert energy["lennard-jones"][1] == pytest.approx(-0.5, rel=1e-12)
    for name in ("9-6", "14-7", "exponentials"):
        assert energy[name][0] == pytest.approx(-0.5, rel=1e-12), name
    assert energy["buckingham"][0] == pytest.approx(-0.5, rel=1e-3)
    assert energy["morse"][0] == 0.0
    for name in ("lennard-jones", "9-6", "14-7", "exponentials", "buckingham"):
        wall = energy[name][4:][r[4:] < 0.295]
        assert np.all(np.diff(wall) < 0), name


def test_limits_of_pairs(dimers):
    r, energy = dimers
    # Tang and Toennies: finite where the atoms meet, -C₆/r⁶ - C₈/r⁸ - C₁₀/r¹⁰ far away.
    assert np.isfinite(energy["tang"][2])
    far = 2e-3 / r[3] ** 6 + 1e-4 / r[3] ** 8 + 1e-5 / r[3] ** 10
    assert energy["tang"][3] == pytest.approx(-far, rel=1e-9)
    assert energy["coulomb"] == pytest.approx(-COULOMB / r, rel=1e-12)
    assert energy["morse"][3] == pytest.approx(400.0, rel=1e-12)
    assert energy["14-7"][2] > 0
    assert np.isfinite(energy["14-7"][2])


def test_diatomic_frequency():
    """ω² = k/μ from the Hessian, Morse and harmonic: k = 2Da²."""
    d, a, r0 = 400.0, 20.0, 0.12
    morse = MorseBonds(_ints([[0, 1]]), _ints([0]), _floats(d), _floats(a), _floats(r0))
    x = jnp.zeros(6).at[3].set(r0)
    hessian = np.asarray(jax.jit(jax.hessian(lambda x: morse(Geometry(x.reshape(2, 3)))))(x))
    root = np.repeat(1.0 / np.sqrt([1.0, 35.5]), 3)
    omega2 = np.linalg.eigvalsh(hessian * root[:, None] * root[None, :])[-1]
    assert omega2 == pytest.approx(2.0 * d * a**2 * (1.0 + 1.0 / 35.5), rel=1e-12)


def test_correction_map_goes_through_its_grid():
    """Exact at the knots; between them the smooth function it was made from, to 1e-4 with 24."""
    block = CorrectionMaps(
        _ints([[0, 1, 2, 3, 1, 2, 3, 4]]), _ints([0]), jnp.asarray(_wave(24))[None]
    )
    turn = 2.0 * np.pi * np.asarray([0.0, 5.0, 23.0, 3.3, 17.71]) / 24.0

    @jax.jit
    def energies(phi):
        return jax.vmap(lambda p: block(Geometry(_chain(p, 0.4 + p))))(phi)

    expected = np.cos(turn) + np.sin(2.0 * (turn + 0.4))
    assert np.asarray(energies(jnp.asarray(turn))) == pytest.approx(expected, abs=2e-4)
    at_knots = np.asarray(
        jax.jit(jax.vmap(lambda p: block(Geometry(_chain(p, 2.0 * p)))))(jnp.asarray(turn[:3]))
    )
    assert at_knots == pytest.approx(np.cos(turn[:3]) + np.sin(4.0 * turn[:3]), abs=1e-12)


def _chain(phi, psi):
    """Five atoms with right angles and the two dihedrals."""
    x0, x1, x2 = jnp.asarray([1.0, 0, 0]), jnp.zeros(3), jnp.asarray([0, 0, 1.0])
    along = jnp.stack([jnp.cos(phi), -jnp.sin(phi), jnp.zeros(())])
    x3 = x2 + along
    up = jnp.asarray([0, 0, -1.0])
    side = jnp.cross(along, up)
    x4 = x3 + jnp.cos(psi) * up + jnp.sin(psi) * side
    return jnp.stack([x0, x1, x2, x3, x4])


def test_dipoles_of_two_atoms():
    """Along the axis: μ = α/r²/(1 - 2α/r³), E = -kα/r⁴/(1 - 2α/r³), without damping."""
    alpha, r = 1e-3, 0.4
    block = InducedDipoles(
        _ints([0, 1]),
        _floats(alpha, alpha),
        _floats(1.0, -1.0),
        jnp.asarray(1e6),
        _ints([]).reshape(0, 2),
    )
    geometry = Geometry(jnp.zeros((2, 3)).at[1, 0].set(r))
    energy, dipoles = jax.jit(lambda: (block(geometry), block.dipoles(geometry)))()
    strength = 1.0 - 2.0 * alpha / r**3
    assert np.asarray(dipoles)[:, 0] == pytest.approx(alpha / r**2 / strength, rel=1e-12)
    assert float(energy) == pytest.approx(-COULOMB * alpha / r**4 / strength, rel=1e-12)


def test_charges_equilibrate():
    """Far apart q = (χ' - χ)/(J + J'), J = η + k/(√π w); the sum is exact at any distance."""
    block = ChargeEquilibration(
        _ints([0, 1]), _floats(500, 300), _floats(900, 1100), _floats(0.05, 0.04)
    )
    charges = jax.jit(
        jax.vmap(lambda r: block.charges(Geometry(jnp.zeros((2, 3)).at[1, 0].set(r))))
    )
    far, near = np.asarray(charges(_floats(1e9, 0.1)))
    inner = [eta + COULOMB / np.sqrt(np.pi) / w for eta, w in ((900, 0.05), (1100, 0.04))]
    assert far[0] == pytest.approx((300 - 500) / sum(inner), rel=1e-6)
    assert far.sum() == pytest.approx(0.0, abs=1e-15)
    assert near.sum() == pytest.approx(0.0, abs=1e-15)
    assert abs(near[0]) > abs(far[0])


def test_total_charge_cannot_be_fitted_away():
    block = Coulomb(PairRule.of(_TOPOLOGY), _KIND, _floats(0.3, 0.9), total=-1.0)
    assert float(jnp.sum(block.charges())) == pytest.approx(-1.0, abs=1e-15)


def test_neighbours_and_tables_agree():
    """The same energy from a list and from the dense table, exclusions and 1-4 pairs among them."""
    n = 60
    x = np.asarray(jax.random.uniform(jax.random.key(1), (n, 3))) * 1.6
    chain = Topology.from_bonds([6] * n, [(i, i + 1) for i in range(n - 1)], masses=[12.0] * n)
    box = jnp.asarray([[1.6, 0, 0], [0.3, 1.7, 0], [-0.2, 0.4, 1.65]])
    rule = PairRule.of(chain, 0.5, cutoff=0.7, switch=0.6)
    block = LennardJones(rule, jnp.zeros(n, jnp.int32), _floats(0.1), _floats(0.5))
    pairs = neighbour_pairs(x, 0.8, box=np.asarray(box))
    assert np.any(pairs[:, 0] == pairs[:, 1])
    both = [Geometry(jnp.asarray(x), box, p) for p in (None, jnp.asarray(pairs))]
    dense, listed = jax.jit(lambda: [block(geometry) for geometry in both])()
    assert float(listed) == pytest.approx(float(dense), rel=1e-12)


def test_neighbours_never_drop_a_pair():
    x = np.array(jax.random.uniform(jax.random.key(1), (50, 3)))
    with pytest.raises(ArgumentError, match="do not fit into capacity=10"):
        neighbour_pairs(x, 0.4, capacity=10)
    with pytest.raises(ArgumentError, match="exceeds half of the box"):
        neighbour_pairs(x, 0.6, box=np.eye(3))
    x[7, 1] = np.nan
    with pytest.raises(ArgumentError, match="atom 7"):
        neighbour_pairs(x, 0.4)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: PairRule.of(_TOPOLOGY, cutoff=-1.0), "cutoff=-1.0"),
        (lambda: PairRule.of(_TOPOLOGY, cutoff=1.0, switch=1.2), "switch=1.2"),
        (lambda: Coulomb(PairRule.of(_TOPOLOGY), _KIND, _floats(1, 2), permittivity=3.0), "cutoff"),
        (
            lambda: Ewald(PairRule.of(_TOPOLOGY, cutoff=1.0), _KIND, _floats(1, 2), alpha=3.0),
            "grid",
        ),
        (
            lambda: LennardJones(PairRule.of(_TOPOLOGY), _KIND, _floats(1, 2), _floats(1, 2), "x"),
            "combination='x'",
        ),
        (lambda: ClassTwoTerms.of(_TOPOLOGY, {"length": np.ones(4)}), "missing"),
    ],
)
def test_wrong_blocks(make, match):
    with pytest.raises(ArgumentError, match=match):
        make()


def test_ewald_needs_a_box():
    rule = PairRule.of(_TOPOLOGY, cutoff=1.0)
    block = Ewald(rule, _KIND, _floats(1, -1), alpha=3.0, waves=(2, 2, 2))
    with pytest.raises(ArgumentError, match="needs a box"):
        eqx.filter_jit(block)(Geometry(jnp.asarray(_X)))
