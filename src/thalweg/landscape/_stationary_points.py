"""Stationary points of every index at once, and the count that topology allows.

A map follows valleys and passes: minima and transition states. For small systems one may ask for
all points, whatever their index. Newton's method from many starts finds them, certificates say
what they are, and the Poincaré-Hopf theorem checks the sum: `Σ (-1)^index` over all stationary
points is the Euler characteristic of the space, so that another sum proves that some are missing.
"""

import dataclasses
from collections import Counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from thalweg.core import (
    ArgumentError,
    Certificate,
    FreeSpace,
    Outcome,
    PeriodicSpace,
    PRNGKey,
    SphereSpace,
    System,
    as_key,
    start_points,
    value_and_grad,
)
from thalweg.search import Certified, certify_many, newton_many, quench_many

from ._identity import PointIndex

_DIRECTIONS = 256
"""Directions in which the energy must rise for a space without bounds to count as confined."""

_FAR = 10.0
"""How far out that is asked, in units of the largest coordinate of any point or start."""


@dataclasses.dataclass(frozen=True, eq=False)
class StationaryPoints:
    """What a search for stationary points of every index found; the lowest energy first.

    Attributes:
        system: Name of the system.
        x: One representative of each distinct point, `(k, dof)`.
        energies: `(k,)`.
        indices: Number of negative curvatures of each, `(k,)`.
        copies: Number of images of each under the discrete symmetry, `(k,)`.
        hits: Number of starts that led to each, `(k,)`.
        certificates: One a point.
        degenerate: Energies of points with zero modes that the symmetry does not explain, `(m,)`,
            one for each that is no image of another: parts of continua, or bifurcations. They are
            not counted.
        degenerate_x: Those points, `(m, dof)`.
        degenerate_hits: Number of starts that led to each, `(m,)`.
        outcomes: How many starts ended how, by the name of the `Outcome`.
        starts: Number of starts.
        euler: What the Morse sum of a complete set is: the Euler characteristic of the space
            without its continuous symmetry; `None` where it is not known.
    """

    system: str
    x: Float[np.ndarray, "points dof"]
    energies: np.ndarray
    indices: np.ndarray
    copies: np.ndarray
    hits: np.ndarray
    certificates: tuple[Certificate, ...]
    degenerate: np.ndarray
    degenerate_x: Float[np.ndarray, "others dof"]
    degenerate_hits: np.ndarray
    outcomes: dict[str, int]
    starts: int
    euler: int | None

    def __len__(self) -> int:
        return len(self.energies)

    @property
    def counts(self) -> dict[int, int]:
        """How many points there are of each index, every image counted."""
        return {int(k): int(self.copies[self.indices == k].sum()) for k in np.unique(self.indices)}

    @property
    def distinct(self) -> dict[int, int]:
        """How many there are of each index, images of one another counted once."""
        return {int(k): int(np.sum(self.indices == k)) for k in np.unique(self.indices)}

    @property
    def morse_sum(self) -> int:
        """`Σ (-1)^index` over all points and images."""
        return int(np.sum((-1) ** self.indices * self.copies))

    @property
    def coverage(self) -> float:
        """Good and Turing's estimate of the share of Newton's basins that was found."""
        total = int(self.hits.sum())
        return 1.0 - float(np.sum(self.hits == 1)) / total if total else 0.0

    @property
    def missing(self) -> bool | None:
        """True where the Morse sum proves that points are missing; `None` where it cannot tell."""
        if self.euler is None or len(self.degenerate):
            return None
        return self.morse_sum != self.euler

    def statement(self) -> str:
        """What is known about completeness, in a sentence."""
        if len(self.degenerate):
            return (
                f"{len(self.degenerate)} degenerate points (zero modes that the symmetry does not "
                f"explain) belong to continua or bifurcations: isolated points alone need not "
                f"sum to an Euler characteristic"
            )
        if self.euler is None:
            return "the Euler characteristic is not known here: nothing says that none is missing"
        if self.missing:
            return (
                f"the Morse sum is {self.morse_sum}, a complete set has {self.euler}: points are "
                f"missing; use more starts"
            )
        return (
            f"the Morse sum is {self.morse_sum}, as of a complete set; {100 * self.coverage:.1f} % "
            f"of Newton's basins were found by estimate (neither is a proof)"
        )

    def table(self) -> list[dict[str, Any]]:
        """One row a distinct point: energy, index, copies, hits, gradient, lowest curvature."""
        return [
            {
                "energy": float(self.energies[k]),
                "index": int(self.indices[k]),
                "copies": int(self.copies[k]),
                "hits": int(self.hits[k]),
                "gradient": certificate.gradient_norm,
                "lowest_curvature": certificate.curvatures[0] if certificate.curvatures else None,
            }
            for k, certificate in enumerate(self.certificates)
        ]


def stationary_points(
    system: System,
    starts: int | Float[np.ndarray, "starts dof"] = 512,
    key: PRNGKey | int = 0,
    *,
    quenches: int = 0,
    euler: int | None = None,
    max_step: float = 0.5,
    max_steps: int = 300,
) -> StationaryPoints:
    """Find stationary points of every index from many starts.

    Args:
        system: What to search; small enough for dense Hessians.
        starts: Number of random starts by the system's own law, or the starts, `(starts, dof)`.
        key: Random key or seed of the starts.
        quenches: So many random starts more that a quench brings to a minimum first: Newton's
            method favours the indices that most points have, and minima may be few among them.
        euler: Euler characteristic of the space (without continuous symmetries), where it is not
            to be worked out from the kind of space.
        max_step: Longest Newton step, in units of the system's `length`.
        max_steps: Evaluations for each start.

    Returns:
        The distinct points, certified, with their Morse sum; nothing proves completeness.

    Raises:
        ArgumentError: if the starts do not fit the system.
    """
    if isinstance(starts, int):
        if starts < 1:
            raise ArgumentError(f"starts={starts} must be at least 1")
        points = np.asarray(start_points(system, as_key(key), 0, starts))
    else:
        points = np.asarray(starts, float)
    if quenches:
        more = np.asarray(start_points(system, as_key(key), len(points), quenches))
        low = quench_many(system, more)
        points = np.concatenate([points, np.asarray(low.x)])
    ended = newton_many(system, points, max_step=max_step, max_steps=max_steps)
    arrived = ended.outcome == int(Outcome.success)
    certified = certify_many(system, ended.x[arrived], None) if arrived.any() else []
    outcomes = Counter(Outcome(int(code)).name for code in ended.outcome[~arrived])
    outcomes.update(c.certificate.outcome.name for c in certified)
    sound = [c for c in certified if c.certificate.ok]
    loose = [c for c in certified if c.certificate.outcome is Outcome.unexplained_zero_modes]
    kept, hits = _distinct(system, sound)
    rest, rest_hits = _distinct(system, loose)
    group = system.symmetry.log_group_order()
    copies = [round(np.exp(group - np.log(c.certificate.order))) for c in kept]
    dof = system.space.dof
    return StationaryPoints(
        system=system.name,
        x=np.array([c.x for c in kept]).reshape(-1, dof),
        energies=np.array([c.value for c in kept], float),
        indices=np.array([c.certificate.index for c in kept], int),
        copies=np.array(copies, int),
        hits=hits,
        certificates=tuple(c.certificate for c in kept),
        degenerate=np.array([c.value for c in rest], float),
        degenerate_x=np.array([c.x for c in rest]).reshape(-1, dof),
        degenerate_hits=rest_hits,
        outcomes=dict(outcomes),
        starts=len(points),
        euler=_euler(system, points, kept) if euler is None else euler,
    )


def _distinct(system: System, found: list[Certified]) -> tuple[list[Certified], np.ndarray]:
    """The best of each class of images, by energy and index, and how often each was found."""
    if not found:
        return [], np.zeros(0, int)
    energies, x = np.array([c.value for c in found]), np.array([c.x for c in found])
    labels, _ = PointIndex(system.symmetry, system.length).group(energies, x)
    best: dict[int, int] = {}
    for row, label in enumerate(labels.tolist()):
        now = found[row].certificate.gradient_norm
        if label not in best or now < found[best[label]].certificate.gradient_norm:
            best[label] = row
    order = sorted(best, key=lambda a: (found[best[a]].value, found[best[a]].certificate.index, a))
    return [found[best[a]] for a in order], np.bincount(labels)[order]


def _euler(system: System, starts: np.ndarray, found: list[Certified]) -> int | None:
    """The Euler characteristic of the space modulo the continuous symmetry, where it is plain."""
    space, point = system.space, starts[0]
    modes = system.symmetry.expected_zero_modes(point)
    if isinstance(space, PeriodicSpace):
        # Translations act freely on a torus, and what is left is a torus.
        return 0 if space.dof > modes else None
    if isinstance(space, SphereSpace):
        free = modes == space.count  # the radial modes only
        return (1 + (-1) ** (space.dim - 1)) ** space.count if free else None
    if isinstance(space, FreeSpace) and modes == 0:
        return (
            1 if _confined(system, np.concatenate([starts, *(c.x[None] for c in found)])) else None
        )
    return None


def _confined(system: System, x: np.ndarray) -> bool:
    """Whether the energy rises outwards in many directions from far outside all points."""
    finite = x[np.all(np.isfinite(x), axis=1)]
    radius = _FAR * max(float(np.max(np.abs(finite), initial=0.0)), system.length)
    way = jax.random.normal(jax.random.key(1), (system.space.dof, _DIRECTIONS))
    way = way / jnp.linalg.norm(way, axis=0)
    slope = jnp.sum(value_and_grad(system.energy, radius * way)[1] * way, axis=0)
    return bool(jnp.all(slope > 0))
