"""With what a map searches, and where climbs begin: beside a minimum, or on a band between two."""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from thalweg.core import AbstractSolver, PRNGKey, System, retract_rows, solve_many
from thalweg.landscape import (
    PairDistances,
    TransitionNetwork,
    TransitionState,
    between_components,
    fingerprints,
    missing_links,
    untrap,
)
from thalweg.search import (
    LBFGS,
    Band,
    BandStart,
    BasinHopping,
    Climb,
    EigenvectorFollowing,
    Newton,
    images_for,
    interpolate,
    maxima,
)

from ._config import MapConfig

_BAND_LANES = 16
"""Bands relaxed at once; each has some ten images, so this fills a block of the usual width."""


_NEWTON_LANES = 16
"""Lanes that follow exact Hessians: the fewer, the less does any wait for the slowest."""

_GRADIENTS = LBFGS(grow=2.0, memory=10, max_steps=60)
"""What goes before Hessians from far away: most of their steps for a fraction of their time."""

_LEAP = 0.5
"""Longest step of quenches with Hessians; their trust region shortens it where it must."""

_NEWTON_CLIMB = 300
"""Steps of a climb with Hessians: 10 to 60 at a condition number of 10⁴, hundreds at 10⁷."""

_EXACT_EVERY = 20
"""Steps from one exact Hessian to the next where gradients are dear."""

_OFTEN = 10
"""The same for climbs of molecules. Long exact steps leave the valley for saddles at ten and more
kcal/mol; short ones on updated Hessians find those between conformers, in an eighth of the time."""

_DEAR = 1e-5
"""Gradient at which searches end that use such Hessians; certificates polish what they found."""

_TRUSTED = 0.1
"""Longest step with a Hessian that was updated."""

_VALLEY = 0.03
"""Longest step of a quench beside a saddle, which is to stay in the valley that it enters."""


@dataclasses.dataclass(frozen=True)
class Solvers:
    """What a map searches with.

    Attributes:
        quench: From random starts, one after the other.
        valley: From beside saddles, `None` for that of `push_off`.
        climb: To transition states.
        lanes: Width of the engine.
    """

    quench: tuple[AbstractSolver, ...]
    valley: AbstractSolver | None
    climb: AbstractSolver
    lanes: int | None

    @classmethod
    def of(cls, config: MapConfig) -> "Solvers":
        """Those that follow gradients, or Hessians where the config says so."""
        if not config.hessian:
            climb = EigenvectorFollowing(max_steps=config.climb_steps)
            return cls((LBFGS(),), None, climb, config.lanes)
        lanes = _NEWTON_LANES if config.lanes is None else config.lanes
        if config.hessian == "updated":
            near = Newton(max_step=_VALLEY, refresh=_EXACT_EVERY, tol=_DEAR)
            far = dataclasses.replace(near, max_step=_TRUSTED)
            up = dataclasses.replace(far, index=1, max_steps=_NEWTON_CLIMB)
            return cls((dataclasses.replace(_GRADIENTS, tol=_DEAR), far), near, up, config.lanes)
        if config.hessian == "climbs":
            climb = Newton(index=1, max_step=_TRUSTED, refresh=_OFTEN, tol=_DEAR)
            climb = dataclasses.replace(climb, max_steps=_NEWTON_CLIMB)
            return cls((LBFGS(grow=2.0),), None, climb, lanes)
        climb = Newton(index=1, max_step=1.0, max_steps=_NEWTON_CLIMB)
        quench = (_GRADIENTS, Newton(max_step=_LEAP))
        return cls(quench, Newton(max_step=_VALLEY), climb, lanes)

    def hopping(self, temperature: float) -> BasinHopping:
        """Basin hopping; with gradients by its own minimiser."""
        if isinstance(self.quench[-1], Newton):
            return BasinHopping(temperature=temperature, minimiser=self.quench[-1])
        return BasinHopping(temperature=temperature)


_STARTS_AT_ONCE = 64
"""Starts that are drawn by one call, so that rounds of all sizes share one compiled program."""


@jax.jit
def _displaced(
    key: PRNGKey, items: Int[Array, " n"], x: Float[Array, "n dof"], low: Array, high: Array
) -> tuple[Float[Array, "n dof"], Float[Array, "n dof"]]:
    def one(item: Array, x: Array) -> tuple[Array, Array]:
        size_key, noise_key, mode_key = jax.random.split(jax.random.fold_in(key, item), 3)
        size = low * (high / low) ** jax.random.uniform(size_key)
        noise = jax.random.normal(noise_key, x.shape)
        return x + size * noise, jax.random.normal(mode_key, x.shape)

    return jax.vmap(one)(items, x)


def displaced_starts(
    system: System,
    key: PRNGKey,
    items: Int[np.ndarray, " n"],
    x: Float[np.ndarray, "n dof"],
    displacement: tuple[float, float],
) -> Climb:
    """Starts beside minima: random displacements of log-uniform size, and random directions.

    Args:
        system: What they are points of.
        key: Root key; item `i` uses `fold_in(key, i)`.
        items: Numbers of the work items.
        x: The minima.
        displacement: Least and largest root-mean-square displacement, in units of `length`.
    """
    low, high = (jnp.asarray(system.length * d) for d in displacement)
    starts, directions = [], []
    for first in range(0, len(items), _STARTS_AT_ONCE):
        here = np.minimum(np.arange(first, first + _STARTS_AT_ONCE), len(items) - 1)
        moved, mode = _displaced(key, jnp.asarray(items[here]), jnp.asarray(x[here]), low, high)
        starts.append(np.asarray(moved))
        directions.append(np.asarray(mode))
    drawn = slice(0, len(items))
    return Climb(
        retract_rows(system.space, np.concatenate(starts)[drawn]),
        np.concatenate(directions)[drawn],
    )


def climbs_at(saddles: Sequence[TransitionState]) -> Climb:
    """Climbs that begin at transition states of another energy, along their directions."""
    points, directions = [], []
    for saddle in saddles:
        assert saddle.x is not None
        assert saddle.direction is not None
        points.append(saddle.x)
        directions.append(saddle.direction)
    return Climb(jnp.asarray(np.stack(points)), jnp.asarray(np.stack(directions)))


class Links:
    """Chooses pairs of minima to connect; remembers aligned distances from round to round."""

    def __init__(self, system: System):
        """Know no minimum yet."""
        self.system = system
        self._points = np.zeros((0, system.space.dof))
        self._distances: PairDistances | None = None

    def _exact(self, i: int, j: int) -> float:
        return self.system.symmetry.align(self._points[i], self._points[j])[1]

    def learn(self, points: Float[np.ndarray, "minima dof"]) -> PairDistances:
        """Distances of these minima; those known from the last time are kept."""
        new = points[len(self._points) :]
        self._points = points
        features = fingerprints(self.system.symmetry, new)
        features = features if features.shape[1] else new
        if self._distances is None:
            self._distances = PairDistances(features, self._exact)
        elif len(new):
            self._distances.extend(features)
        return self._distances

    def choose(
        self,
        network: TransitionNetwork,
        points: Float[np.ndarray, "minima dof"],
        tried: Int[np.ndarray, "trials 2"],
        limit: int,
    ) -> Int[np.ndarray, "pairs 2"]:
        """Pairs whose connection would make the landscape more of one piece.

        First the gaps on the way from the lowest minimum to the lowest one that it is not
        connected with; then the minima that seem trapped behind too high a barrier, as many; then
        the nearest pairs between pieces.
        """
        distances = self.learn(points)
        components = network.components
        lowest = network.global_minimum
        apart = np.flatnonzero(components != components[lowest])
        if not len(apart):
            return np.zeros((0, 2), int)
        goal = int(apart[np.argmin(network.energies[apart])])
        gaps = missing_links(components, distances, (lowest, goal), tried)[: limit // 2]
        barriers = network.lowest_barriers(lowest)
        trapped = untrap(network.energies, barriers, distances, tried, limit // 2)
        near = between_components(components, distances, tried, limit)
        pairs = np.sort(np.concatenate([gaps, trapped, near]), axis=1)
        _, first = np.unique(pairs, axis=0, return_index=True)
        return pairs[np.sort(first)][:limit]


def band_climbs(
    system: System,
    points: Float[np.ndarray, "minima dof"],
    energies: Float[np.ndarray, " minima"],
    pairs: Int[np.ndarray, "pairs 2"],
) -> tuple[Climb, Int[np.ndarray, " climbs"]]:
    """Relax a band between each pair and start a climb at each of its maxima.

    Returns:
        The starts, and for each the row of `pairs` that it belongs to.
    """
    aligned = [system.symmetry.align(points[a], points[b]) for a, b in pairs.tolist()]
    counts = np.array([images_for(distance, system) for _, distance in aligned])
    starts: list[Climb] = []
    owner: list[int] = []
    for images in np.unique(counts).tolist():
        rows = np.flatnonzero(counts == images)
        ends = np.stack([points[pairs[rows, 0]], np.stack([aligned[r][0] for r in rows])])
        path = interpolate(system, ends[0].T, ends[1].T, images)
        start = BandStart(np.moveaxis(np.asarray(path), -1, 0), energies[pairs[rows]])
        bands = solve_many(system, Band(), start, width=_BAND_LANES)
        for row, stops, values in zip(rows, bands.extra.path, bands.extra.values, strict=True):
            if np.all(np.isfinite(stops)):
                found, _ = maxima(system, stops, values)
                starts.append(jax.tree.map(np.asarray, found))
                owner.extend([int(row)] * len(found.x))
    if not owner:
        empty = np.zeros((0, system.space.dof))
        return Climb(empty, empty), np.zeros(0, int)
    return jax.tree.map(lambda *a: np.concatenate(a), *starts), np.array(owner)
