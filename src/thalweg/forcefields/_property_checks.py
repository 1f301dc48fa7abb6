"""The measurements behind `check_forcefield`, each one number with its limit."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ._block import COULOMB, AbstractBlock, Geometry
from ._copies import doubled
from ._forcefield import ForceField
from ._property_case import Case
from ._property_scans import bond_scans, contact_scans, largest_jumps

Finding = tuple[float | None, float, str]

_NO_TOPOLOGY = "not asked: the energy knows no topology"
_NO_COPY = "not asked: a block does not say how it is copied"


def _change(case: Case, moved: np.ndarray, turn: np.ndarray) -> float:
    """Largest relative change of energy and forces, the latter turned back."""
    points = np.stack([case.x, moved])
    energy, forces = case.energies(points), case.forces(points)
    away = abs(forces[1] - forces[0] @ turn).max() / (1.0 + abs(forces[0]).max())
    return max(abs(energy[1] - energy[0]) / (1.0 + abs(energy[0])), away)


def rotation(case: Case) -> Finding:
    """Energy and forces turn with the structure."""
    turn, upper = np.linalg.qr(case.draw(0, (3, 3)))
    turn = turn * np.sign(np.diag(upper))
    turn[:, 0] *= np.linalg.det(turn)
    value = _change(case, case.x @ turn, turn)
    return value, case.limit(1e-9, 1e-3), "relative change of energy and turned forces"


def translation(case: Case) -> Finding:
    """Nothing depends on the place."""
    value = _change(case, case.x + case.draw(1, (3,)), np.eye(3))
    return value, case.limit(1e-9, 1e-3), "relative change of energy and forces"


def inversion(case: Case) -> Finding:
    """The mirror image has the same energy."""
    value = _change(case, -case.x, -np.eye(3))
    return value, case.limit(1e-9, 1e-3), "relative change of energy and inverted forces"


def permutation(case: Case) -> Finding:
    """Atoms that the bonds cannot tell apart may be exchanged."""
    limit = case.limit(1e-9, 1e-3)
    if case.topology is None:
        return None, limit, _NO_TOPOLOGY
    near = [set() for _ in range(len(case.x))]
    for i, j in case.topology.bonds:
        near[i].add(int(j))
        near[j].add(int(i))
    ranks, numbers = case.topology.ranks, case.topology.numbers
    twins = [
        (i, j)
        for i, j in itertools.combinations(range(len(case.x)), 2)
        if ranks[i] == ranks[j] and numbers[i] == numbers[j] and near[i] - {j} == near[j] - {i}
    ]
    if not twins:
        return None, limit, "not asked: no two atoms with the same neighbours are alike"
    shaken = case.x + 0.005 * case.draw(2, case.x.shape)
    orders = [np.arange(len(shaken))]
    for i, j in twins[:_CASES]:
        order = np.arange(len(shaken))
        order[[i, j]] = j, i
        orders.append(order)
    energies = case.energies(np.stack([shaken[order] for order in orders]))
    value = abs(energies[1:] - energies[0]).max() / (1.0 + abs(energies[0]))
    return value, limit, f"relative change of energy, {len(orders) - 1} exchanges"


_CASES = 31
"""Exchanges that are tried."""


def forces(case: Case) -> Finding:
    """Forces are minus the slope of the energy."""
    step = case.limit(2e-5, 3e-3)
    offsets = step * np.array([-2.0, -1.0, 1.0, 2.0])
    weights = np.array([1.0, -8.0, 8.0, -1.0]) / (12.0 * step)
    force = case.forces(case.x[None])[0]
    worst = 0.0
    for place in range(4):
        line = case.draw(10 + place, case.x.shape)
        line /= np.linalg.norm(line)
        slope = weights @ case.energies(case.x + offsets[:, None, None] * line)
        worst = max(worst, abs(slope + np.sum(force * line)))
    value = worst / (1.0 + float(np.linalg.norm(force)))
    return value, case.limit(1e-6, 5e-2), "relative difference from finite differences"


def curl(case: Case) -> Finding:
    """The Jacobian of conservative forces is symmetric."""
    step = case.limit(1e-6, 1e-3)
    shifts = np.eye(case.x.size).reshape(-1, *case.x.shape) * step
    difference = case.forces(case.x + shifts) - case.forces(case.x - shifts)
    jacobian = difference.reshape(case.x.size, -1) / (2.0 * step)
    value = float(np.linalg.norm(jacobian - jacobian.T) / np.linalg.norm(jacobian))
    return value, case.limit(1e-5, 5e-2), "|J - Jᵀ| / |J| of the forces"


def closed_loop(case: Case) -> Finding:
    """No work is done around a circle."""
    radius, points = 0.005, 64
    plane, _ = np.linalg.qr(case.draw(3, (case.x.size, 2)))
    phase = 2.0 * np.pi * np.arange(points) / points
    circle = np.stack([np.cos(phase), np.sin(phase)], axis=1)
    tangent = np.stack([-np.sin(phase), np.cos(phase)], axis=1)
    force = case.forces(case.x + radius * (circle @ plane.T).reshape(-1, *case.x.shape))
    power = np.sum(force.reshape(points, -1) * (tangent @ plane.T), axis=1)
    value = abs(power.mean()) / (1.0 + abs(power).max())
    return value, case.limit(1e-4, 1e-2), "work around a circle / (largest force × its length)"


def smoothness(case: Case) -> Finding:
    """Energy, slope and curvature are continuous while an atom leaves through every cutoff."""
    limit = case.limit(1e-9, 1e-3)
    if len(case.x) < 2:
        return None, limit, "not asked: there is one atom"
    value, what, where = largest_jumps(case, limit)
    if value == 0.0:
        return 0.0, limit, "no jump of energy, slope or curvature as an atom leaves"
    return value, limit, f"relative jump of the {what} with an atom {where:.4f} nm out"


def bond_walls(case: Case) -> Finding:
    """Every bond resists compression, ever more."""
    if case.topology is None or not len(case.topology.bonds):
        return None, 0.0, "not asked: there are no bonds"
    scales, energies = bond_scans(case)
    holes = np.any(~(np.diff(energies[:, scales <= 0.8], axis=1) < 0), axis=1)
    return float(holes.sum()), 0.0, f"bonds of {len(holes)} whose wall has a hole (0.5 to 0.8 r₀)"


def bond_extrema(case: Case) -> Finding:
    """Stretching a bond meets one minimum."""
    if case.topology is None or not len(case.topology.bonds):
        return None, 0.0, "not asked: there are no bonds"
    _, energies = bond_scans(case)
    signs = np.sign(np.diff(energies, axis=1))
    turns = np.sum(signs[:, 1:] != signs[:, :-1], axis=1)
    spurious = np.where(np.isfinite(energies).all(axis=1), np.maximum(turns - 1, 0), 1)
    return float(spurious.sum()), 0.0, "extrema beyond the minimum, bonds from 0.5 to 1.3 r₀"


def contact_walls(case: Case) -> Finding:
    """Two molecules do not fall into each other."""
    if case.pair is None:
        return None, 0.0, _NO_COPY
    distances = np.linspace(0.06, 0.14, 33)
    _, points = contact_scans(case, distances)
    n = len(case.x)
    gaps = np.linalg.norm(points[:, :, :n, None] - points[:, :, None, n:], axis=-1)
    exposed = np.all(gaps.min(axis=(2, 3)) > distances - 1e-9, axis=1)
    if not exposed.any():
        return None, 0.0, "not asked: other atoms are closer than those in contact"
    points = points[exposed]
    energies = case.pair_energies(points.reshape(-1, 2 * n, 3)).reshape(len(points), -1)
    holes = np.any(~(np.diff(energies, axis=1) < 0), axis=1)
    return float(holes.sum()), 0.0, f"contacts of {len(holes)} whose wall has a hole (0.6 to 1.4 Å)"


def size_consistency(case: Case) -> Finding:
    """Two molecules far apart have the energy of both."""
    limit = case.limit(1e-8, 1e-4)
    if case.pair is None or case.topology is None:
        return None, limit, _NO_COPY
    apart = 1000.0
    both = np.concatenate([case.x, case.x + np.array([apart, 0.0, 0.0])])
    alone = case.energies(case.x[None])[0]
    expected = 2.0 * alone + COULOMB * case.topology.charge**2 / apart
    value = abs(case.pair_energies(both[None])[0] - expected) / (1.0 + abs(alone))
    return value, limit, "relative energy of two copies 1 µm apart, less that of each"


def long_range(case: Case) -> Finding:
    """What two molecules feel decays as their charges say: neutral ones at least as r⁻³."""
    charged = case.topology is not None and case.topology.charge != 0
    limit = -0.9 if charged else -2.7
    if case.pair is None:
        return None, limit, _NO_COPY
    # Far enough for the multipoles after the first to have died out.
    atoms = case.x.reshape(-1, 3)
    radius = float(np.linalg.norm(atoms - atoms.mean(axis=0), axis=1).max())
    distances = np.geomspace(1.0, 4.0, 16) * max(4.0, 16.0 * radius)
    _, points = contact_scans(case, distances)
    alone = case.energies(case.x[None])[0]
    energies = case.pair_energies(points[0]) - 2.0 * alone
    floor = case.limit(1e-10, 1e-4) * (1.0 + abs(alone))
    if (abs(energies) < floor).all():
        return limit, limit, f"nothing is felt beyond {distances[0]:.0f} nm"
    seen = abs(energies) >= floor
    if seen.sum() < 3:
        return limit, limit, f"nothing that rounding leaves is felt beyond {distances[0]:.0f} nm"
    slope = np.polyfit(np.log(distances[seen]), np.log(abs(energies[seen])), 1)[0]
    span = f"{distances[0]:.0f} to {distances[-1]:.0f} nm"
    return float(slope), limit, f"power of the distance, two copies from {span}"


def parameters(case: Case) -> Finding:
    """Gradients with respect to parameters agree with differences."""
    limit = case.limit(1e-6, 5e-2)
    moving, rest = eqx.partition(case.energy, eqx.is_inexact_array)
    leaves, structure = jax.tree_util.tree_flatten_with_path(moving)
    constants = _constants(case.energy)
    steps = []
    for place, (path, leaf) in enumerate(leaves):
        drawn = jax.random.normal(jax.random.fold_in(case.key, 100 + place), leaf.shape, leaf.dtype)
        still = getattr(path[-1], "name", "") in constants
        steps.append(jnp.zeros_like(leaf) if still else drawn * (1e-2 + abs(leaf)))
    if not leaves:
        return None, limit, "not asked: it has no parameters"
    direction = jax.tree.unflatten(structure, steps)
    x = jnp.asarray(case.x.ravel())

    @eqx.filter_jit
    def energy(amount: jax.Array) -> jax.Array:
        moved = jax.tree.map(lambda p, d: p + amount.astype(p.dtype) * d, moving, direction)
        return eqx.combine(moved, rest)(x)

    zero = jnp.zeros(())
    slope = jax.jit(lambda a: jax.jvp(energy, (a,), (jnp.ones(()),))[1])(zero)
    h = case.limit(1e-4, 3e-2)
    ahead, behind = (float(energy(zero + s) - energy(zero - s)) for s in (h, 2.0 * h))
    difference = (8.0 * ahead - behind) / (12.0 * h)
    value = abs(float(slope) - difference) / (1.0 + abs(float(slope)))
    count = sum(leaf.size for _, leaf in leaves)
    return value, limit, f"relative difference from finite differences, {count} parameters"


def _constants(energy: object) -> set[str]:
    """Names of fields that no fit changes, of all blocks within."""
    blocks = jax.tree.leaves(energy, is_leaf=lambda node: isinstance(node, AbstractBlock))
    found: set[str] = set()
    for block in blocks:
        if isinstance(block, AbstractBlock):
            found.update(type(block).constants)
            for value in vars(block).values():
                found |= _constants(value) if isinstance(value, AbstractBlock | dict) else set()
    return found


def finite(case: Case) -> Finding:
    """Clashing and distant atoms have finite energies and forces."""
    close = case.x.copy()
    away = case.x[1:] - case.x[0]
    if len(away):
        nearest = 1 + int(np.argmin(np.sum(away**2, axis=1)))
        close[nearest] = close[0] + np.array([0.001, 0.0, 0.0])
    points = np.stack([close, 0.05 * case.x, 20.0 * case.x, 1e4 * case.x])
    bad = ~np.isfinite(case.energies(points))
    bad |= ~np.isfinite(case.forces(points)).all(axis=(1, 2))
    return float(bad.sum()), 0.0, "structures of 4 (clashing, compressed, apart, far) not finite"


def linear_cost(case: Case) -> Finding:
    """The number of operations grows with the number of atoms, neighbours being listed."""
    limit = 1.15
    if case.pair is None or not isinstance(case.energy, ForceField):
        return None, limit, _NO_COPY
    n = len(case.x)
    forcefield, copies = case.energy, 1
    one = np.array(np.triu_indices(n, 1)).T.reshape(-1, 2)
    counts, sizes = [], []
    while copies <= 16:
        if copies >= 4:
            pairs = np.concatenate([one + n * k for k in range(copies)])
            counts.append(_operations(forcefield, n * copies, pairs))
            sizes.append(copies)
        forcefield, copies = doubled(forcefield), 2 * copies
    power = np.polyfit(np.log(sizes), np.log(counts), 1)[0]
    return float(power), limit, f"power of the number of atoms, {4 * n} to {16 * n}"


def _operations(forcefield: ForceField, n: int, pairs: np.ndarray) -> float:
    def energy(x: jax.Array, near: jax.Array) -> jax.Array:
        geometry = Geometry(x, None, near)
        return sum((block(geometry) for block in forcefield.blocks.values()), jnp.zeros(()))

    shapes = (jax.ShapeDtypeStruct((n, 3), float), jax.ShapeDtypeStruct(pairs.shape, jnp.int32))
    cost = jax.jit(jax.value_and_grad(energy)).lower(*shapes).cost_analysis()
    return float((cost or {}).get("flops", float("nan")))
