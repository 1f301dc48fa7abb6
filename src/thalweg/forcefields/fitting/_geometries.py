"""Geometries worth labelling: rattled, along normal modes, torsions, conformers, heated."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import KJ, AbstractEnergy, ArgumentError, PRNGKey, as_key, hessian
from thalweg.forcefields._system import torsion_start
from thalweg.forcefields._topology import Topology
from thalweg.forcefields.md import Langevin, run_md

_SOFTEST = 1.0
"""Curvature per mass, in 1/ps², under which a mode counts as a translation or rotation: 5 cm⁻¹."""


def rattled(positions: np.ndarray, count: int, width: float, key: PRNGKey | int = 0) -> np.ndarray:
    """A geometry with normal noise of standard deviation `width` (nm) on every coordinate.

    Args:
        positions: `(n, 3)`, in nm.
        count: How many.
        width: In nm.
        key: Random key.

    Returns:
        `(count, n, 3)`.
    """
    x = np.asarray(positions, float)
    return x + width * np.asarray(jax.random.normal(as_key(key), (count, *x.shape)), float)


def along_modes(
    energy: AbstractEnergy,
    positions: np.ndarray,
    masses: Sequence[float] | np.ndarray,
    temperature: float,
    count: int,
    key: PRNGKey | int = 0,
) -> np.ndarray:
    """Draws from the harmonic Boltzmann distribution about a minimum.

    Args:
        energy: In kJ/mol over flat points in nm.
        positions: A minimum, `(n, 3)`, in nm; modes of negative curvature are refused.
        masses: `(n,)`, in dalton.
        temperature: In K.
        count: How many.
        key: Random key.

    Returns:
        `(count, n, 3)`.

    Raises:
        ArgumentError: if a mode has a negative curvature: the geometry is no minimum.
    """
    x = np.asarray(positions, float)
    root = np.sqrt(np.repeat(np.asarray(masses, float), 3))
    curvature = np.asarray(hessian(energy, jnp.asarray(x.reshape(-1))), float)
    values, vectors = np.linalg.eigh(curvature / np.outer(root, root))
    if values[0] < -1e3 * _SOFTEST:
        wavenumber = math.sqrt(-values[0]) / (2 * math.pi * 0.0299792458)
        raise ArgumentError(
            f"the geometry is no minimum: it has a mode of {wavenumber:.0f}i cm⁻¹",
            "quench it first",
        )
    stiff = values > _SOFTEST
    noise = np.asarray(jax.random.normal(as_key(key), (count, int(stiff.sum()))), float)
    amplitudes = noise * np.sqrt(KJ.boltzmann * temperature / values[stiff])
    return x + (amplitudes @ (vectors[:, stiff] / root[:, None]).T).reshape(count, *x.shape)


def torsion_scan(
    topology: Topology, positions: np.ndarray, bond: tuple[int, int], count: int = 36
) -> np.ndarray:
    """A geometry with one side of a bond turned about it, once round in equal steps.

    Args:
        topology: Who is bonded to whom.
        positions: `(n, 3)`, in nm.
        bond: Two bonded atoms; the side of the second one turns.
        count: Geometries; the first is the given one.

    Returns:
        `(count, n, 3)`.

    Raises:
        ArgumentError: if the atoms are not bonded, or the bond is part of a ring.
    """
    j, k = bond
    pairs = {(int(a), int(b)) for a, b in topology.bonds}
    if (j, k) not in pairs and (k, j) not in pairs:
        raise ArgumentError(f"atoms {j} and {k} are not bonded", "name the two atoms of a bond")
    side = _side(pairs, j, k)
    if j in side:
        raise ArgumentError(f"the bond {j}-{k} is part of a ring", "turn about another bond")
    x = np.asarray(positions, float)
    axis = (x[k] - x[j]) / np.linalg.norm(x[k] - x[j])
    moved = sorted(side)
    arm = x[moved] - x[k]
    scan = np.repeat(x[None], count, axis=0)
    for step, angle in enumerate(2 * math.pi * np.arange(count) / count):
        along = (arm @ axis)[:, None] * axis
        across = arm - along
        turned = np.cos(angle) * across + np.sin(angle) * np.cross(axis, across)
        scan[step, moved] = x[k] + along + turned
    return scan


def conformers(
    topology: Topology, positions: np.ndarray, count: int, key: PRNGKey | int = 0
) -> np.ndarray:
    """A geometry with every rotatable bond turned at random, without clashes if that can be.

    They are strained: quench them, a little at least, before they are used.

    Args:
        topology: Who is bonded to whom.
        positions: `(n, 3)`, in nm.
        count: Geometries; the first is the given one.
        key: Random key.

    Returns:
        `(count, n, 3)`.
    """
    x = np.asarray(positions, float)
    start = torsion_start(topology, x - x.mean(axis=0))
    keys = jax.random.split(as_key(key), count)
    turned = np.array(jax.vmap(start)(keys), float).reshape(count, *x.shape)
    turned[0] = x
    return turned


def _side(pairs: set[tuple[int, int]], j: int, k: int) -> set[int]:
    """Atoms that hang on `k` when the bond `j`-`k` is cut; `j` among them: a ring."""
    near: dict[int, set[int]] = {}
    for a, b in pairs:
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    found, fresh = {k}, [k]
    while fresh:
        here = fresh.pop()
        for atom in near[here] - found:
            if (here, atom) == (k, j):
                continue
            found.add(atom)
            fresh.append(atom)
    return found


def heated(  # noqa: PLR0913 - all but four have defaults
    energy: AbstractEnergy,
    masses: Sequence[float] | np.ndarray,
    positions: np.ndarray,
    temperatures: Sequence[float],
    *,
    steps: int = 500,
    thin: int = 50,
    step: float = 0.5,
    replicas: int = 1,
    friction: float = 5.0,
    key: PRNGKey | int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Frames of Langevin runs up a ramp of temperatures: for sets out of distribution.

    Args:
        energy: In kJ/mol over flat points in nm.
        masses: `(n,)`, in dalton.
        positions: First geometry, `(n, 3)`, or one for each replica, in nm.
        temperatures: In K, one stage each.
        steps: Steps of each stage.
        thin: Steps between frames.
        step: In fs.
        replicas: Ramps.
        friction: In 1/ps.
        key: Random key.

    Returns:
        Geometries `(m, n, 3)`, and the stage of each, `(m,)`; what is not finite is left out.
    """
    root = as_key(key)
    x, v = np.asarray(positions, float), None
    if x.ndim == 2:
        x = np.repeat(x[None], replicas, axis=0)
    found, stages = [], []
    for k, temperature in enumerate(temperatures):
        run = run_md(
            energy,
            masses,
            x,
            Langevin(temperature, step=step, friction=friction),
            steps=steps,
            thin=thin,
            temperature=temperature,
            velocities=v,
            key=jax.random.fold_in(root, k),
        )
        frames, _ = run.frames()
        found.append(frames)
        stages.append(np.full(len(frames), k, np.int32))
        whole = np.all(np.isfinite(run.positions[-1]), axis=(1, 2))
        # A ramp that blew up begins its next stage from where it last began.
        x = np.where(whole[:, None, None], run.positions[-1], x)
        v = np.where(whole[:, None, None], run.velocities, 0.0)
    return np.concatenate(found), np.concatenate(stages)
