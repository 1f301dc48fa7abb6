"""Molecular dynamics: many replicas in one compiled loop."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import KJ, AbstractEnergy, ArgumentError, Array, PRNGKey, as_key

from ._integrators import FEMTOSECOND, AbstractIntegrator, Motion

_BLOCKS = 20
"""Compiled calls of a run; between them there is progress and Ctrl-C."""


@dataclasses.dataclass(frozen=True)
class MotionProgress:
    """Where a run stands.

    Attributes:
        step: Steps done.
        steps: Steps wanted.
        seconds: Since the call.
    """

    step: int
    steps: int
    seconds: float


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Trajectory:
    """Frames of some replicas.

    Attributes:
        times: `(frames,)`, in ps.
        positions: `(frames, replicas, n, 3)`, in nm; NaN from where a replica blew up.
        potential: `(frames, replicas)`, in kJ/mol.
        kinetic: `(frames, replicas)`, in kJ/mol.
        velocities: Of the last frame, `(replicas, n, 3)`, in nm/ps: to go on with.
        masses: `(n,)`, in dalton.
        step: In fs.
        seconds: Computing time, compilation included.
        interrupted: Whether somebody stopped it.
    """

    times: np.ndarray
    positions: np.ndarray
    potential: np.ndarray
    kinetic: np.ndarray
    velocities: np.ndarray
    masses: np.ndarray
    step: float
    seconds: float
    interrupted: bool

    def __len__(self) -> int:
        return len(self.times)

    @property
    def n_replicas(self) -> int:
        """Number of replicas."""
        return self.positions.shape[1]

    @property
    def total(self) -> np.ndarray:
        """Total energies, `(frames, replicas)`, in kJ/mol."""
        return self.potential + self.kinetic

    @property
    def alive(self) -> np.ndarray:
        """Whether everything of a frame is finite, `(frames, replicas)`."""
        return np.isfinite(self.total) & np.all(np.isfinite(self.positions), axis=(2, 3))

    def frames(self) -> tuple[np.ndarray, np.ndarray]:
        """All finite geometries, `(m, n, 3)`, replica by replica, and the replica of each."""
        which = np.argwhere(self.alive.T)
        return self.positions[which[:, 1], which[:, 0]], which[:, 0].astype(np.int32)


def maxwell_velocities(
    key: PRNGKey | int, masses: Sequence[float] | np.ndarray, temperature: float, replicas: int
) -> np.ndarray:
    """Velocities of a temperature with the molecule's momentum taken out, `(replicas, n, 3)`.

    They are scaled so that `2 K / (3 n - 3) k_B` is the temperature in the mean.

    Args:
        key: Random key.
        masses: `(n,)`, in dalton.
        temperature: In K.
        replicas: How many.
    """
    m = np.asarray(masses, float)[:, None]
    noise = np.asarray(jax.random.normal(as_key(key), (replicas, len(m), 3)), float)
    v = np.sqrt(KJ.boltzmann * temperature / m) * noise
    if len(m) == 1:
        return v
    return v - np.sum(m * v, axis=1, keepdims=True) / m.sum()


def run_md(  # noqa: PLR0913 - all but five have defaults
    energy: AbstractEnergy,
    masses: Sequence[float] | np.ndarray,
    positions: np.ndarray,
    integrator: AbstractIntegrator,
    *,
    steps: int,
    thin: int = 10,
    replicas: int | None = None,
    temperature: float = 300.0,
    velocities: np.ndarray | None = None,
    key: PRNGKey | int = 0,
    report: Callable[[MotionProgress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Trajectory:
    """Follow replicas of a molecule in time.

    A replica's path depends on the key and its number, not on how many others there are.

    Args:
        energy: In kJ/mol over flat points in nm.
        masses: `(n,)`, in dalton.
        positions: One geometry `(n, 3)`, or one for each replica, in nm.
        integrator: `VelocityVerlet`, `Langevin` or `Respa`.
        steps: Steps (outer ones of `Respa`); rounded down to a multiple of `thin`.
        thin: Steps between frames.
        replicas: How many; by default one, or as many as there are geometries.
        temperature: Of the first velocities, in K, if none are given.
        velocities: First velocities, `(n, 3)` or `(replicas, n, 3)`, in nm/ps.
        key: Random key.
        report: Called now and then.
        stop: Asked now and then; once it says yes, the run ends with what there is.

    Raises:
        ArgumentError: if shapes do not belong together, a mass is not positive, or there are fewer
            steps than `thin`.
    """
    began = time.perf_counter()
    m = np.asarray(masses, float)
    x = _replicated(positions, len(m), replicas, "positions")
    if not (np.all(m > 0) and np.all(np.isfinite(x))):
        raise ArgumentError("masses must be positive and positions finite")
    if thin < 1 or steps < thin:
        raise ArgumentError(f"steps={steps}, thin={thin}: there would be no frame")
    count = len(x)
    root = as_key(key)
    if velocities is None:
        v = maxwell_velocities(jax.random.fold_in(root, 0), m, temperature, count)
    else:
        v = _replicated(velocities, len(m), count, "velocities")
    keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(
        jax.random.fold_in(root, 1), jnp.arange(count)
    )
    mass = jnp.asarray(np.repeat(m, 3)[:, None])
    now = _begin(energy, integrator, _lanes(x), _lanes(v))
    frames = steps // thin
    size = -(-frames // _BLOCKS)
    done, parts, stopped = 0, [], False
    try:
        while done < frames and not stopped:
            wanted = min(size, frames - done)
            now, block = _advance(
                energy, integrator, mass, now, keys, jnp.asarray(done), jnp.asarray(wanted),
                size, thin,
            )  # fmt: skip
            parts.append([np.asarray(array)[:wanted] for array in block])
            done += wanted
            if report:
                report(MotionProgress(done * thin, frames * thin, time.perf_counter() - began))
            stopped = stop is not None and stop() and done < frames
    except KeyboardInterrupt:
        if not parts:
            raise
        stopped = True
    points, potential, kinetic = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    fs = float(integrator.step)
    return Trajectory(
        times=np.arange(1, len(points) + 1) * thin * fs * FEMTOSECOND,
        positions=np.moveaxis(points, -1, 1).reshape(len(points), count, len(m), 3),
        potential=potential,
        kinetic=kinetic,
        velocities=np.asarray(now.v).T.reshape(count, len(m), 3),
        masses=m,
        step=fs,
        seconds=time.perf_counter() - began,
        interrupted=stopped,
    )


def _replicated(given: np.ndarray, atoms: int, replicas: int | None, name: str) -> np.ndarray:
    array = np.asarray(given, float)
    if array.shape == (atoms, 3):
        return np.repeat(array[None], replicas or 1, axis=0)
    if array.ndim == 3 and array.shape[1:] == (atoms, 3) and replicas in (None, len(array)):
        return array
    raise ArgumentError(
        f"{name} has shape {array.shape}, expected ({atoms}, 3) or ({replicas or 'replicas'}, "
        f"{atoms}, 3)",
        "one row for each mass",
    )


def _lanes(array: np.ndarray) -> Array:
    return jnp.asarray(array.reshape(len(array), -1).T)


@eqx.filter_jit
def _begin(energy: AbstractEnergy, integrator: AbstractIntegrator, x: Array, v: Array) -> Motion:
    return integrator.start(energy, x, v)


@eqx.filter_jit
def _advance(  # noqa: PLR0913 - all of them are traced but two
    energy: AbstractEnergy,
    integrator: AbstractIntegrator,
    mass: Array,
    now: Motion,
    keys: Array,
    first: Array,
    wanted: Array,
    size: int,
    thin: int,
) -> tuple[Motion, Any]:
    """`wanted` of at most `size` frames, `thin` steps each, from frame `first`."""

    def step(k: Array, now: Motion) -> Motion:
        fresh = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, k)
        return integrator.advance(energy, mass, now, fresh)

    def frame(k: Array, carry: tuple[Motion, Any]) -> tuple[Motion, Any]:
        now, kept = carry
        begin = (first + k) * thin
        now = jax.lax.fori_loop(begin, begin + thin, step, now)
        kinetic = 0.5 * jnp.sum(mass * now.v**2, axis=0)
        new = (now.x, now.energy, kinetic)
        return now, tuple(all_.at[k].set(one) for all_, one in zip(kept, new, strict=True))

    dof, replicas = now.x.shape
    empty = jnp.zeros((size, replicas), now.x.dtype)
    kept = (jnp.zeros((size, dof, replicas), now.x.dtype), empty, empty)
    return jax.lax.fori_loop(0, wanted, frame, (now, kept))
