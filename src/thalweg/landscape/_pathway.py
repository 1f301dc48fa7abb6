"""From two minima to the continuous path of steepest descent between them."""

import dataclasses
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from thalweg.core import ArgumentError, Operation, Outcome, SolveError, System
from thalweg.search import Descent, descend

from ._identity import Tolerance
from ._landscape import Landscape
from ._network import TransitionNetwork
from ._path_record import Correction, Pathway
from ._route import lowest_route, route_via

Branches = dict[int, tuple[Descent, Descent]]


def pathway(
    system: System,
    landscape: Landscape | TransitionNetwork,
    a: int,
    b: int,
    *,
    via: Sequence[int] | None = None,
    tol: float = 1e-5,
    max_step: float = 0.08,
) -> Pathway:
    """The path of steepest descent between two minima, through every transition state on it.

    Without `via` it is the path over the lowest barrier; among those the one with the least sum
    of barriers (see `lowest_route`). From each transition state both branches of steepest
    descent are followed to their minima, and the pieces are put together by operations of the
    symmetry group, so that the trajectory is continuous.

    Steepest descent may end in another minimum than the quenches that built the store. Such a
    transition state then counts as joining the minima that steepest descent reaches, the path
    is planned again, and `Pathway.corrections` says so.

    Args:
        system: What the landscape is of.
        landscape: The landscape, or a network with coordinates (`points` and `ts_points`).
        a: Id of the first minimum.
        b: Id of the last.
        via: Ids of the transition states to cross, in order, instead of the lowest path.
        tol: Largest error of one step of the integration, in units of the system's `length`.
        max_step: Longest step, in the same units.

    Returns:
        The path, beginning at minimum `a` as it is stored.

    Raises:
        ArgumentError: if there is no such minimum or path, `via` is no chain from `a` to `b`, or
            the network has no coordinates.
        PrecisionError: if float64 is switched off.
        SolveError: if a branch does not end in a minimum, or not where `via` needs it.
    """
    network = _with_points(landscape)
    if network.points is None or network.points.shape[1] != system.space.dof:
        raise ArgumentError(
            f"{system.name} has {system.space.dof} coordinates, and the points of the landscape "
            f"have {0 if network.points is None else network.points.shape[1]}",
            "is it the system that was mapped?",
        )
    start, end = _position(network, a), _position(network, b)
    branches: Branches = {}
    corrections: list[Correction] = []
    while True:
        route = (
            lowest_route(network, start, end)
            if via is None
            else route_via(network, start, end, via)
        )
        _follow(system, network, route[1], branches, (tol, max_step))
        wrong = _contradiction(system, network, route[1], branches)
        if wrong is None:
            break
        edge, correction = wrong
        if via is not None:
            raise SolveError(*_explain(correction))
        corrections.append(correction)
        network = _corrected(network, edge, correction)
    return _assemble(system, network, route, branches, corrections)


def _with_points(landscape: Landscape | TransitionNetwork) -> TransitionNetwork:
    if isinstance(landscape, Landscape):
        landscape = landscape.store.load_network(points=True)
    if landscape.points is None or landscape.ts_points is None:
        raise ArgumentError(
            "the network has no coordinates, and a path needs them",
            "pass the landscape itself, or store.load_network(points=True)",
        )
    return landscape


def _position(network: TransitionNetwork, minimum: int) -> int:
    found = np.flatnonzero(network.ids == minimum)
    if not len(found):
        known = f"{network.ids.min()}…{network.ids.max()}" if network.n_minima else "none"
        raise ArgumentError(f"there is no minimum with the id {minimum} (known: {known})")
    return int(found[0])


def _follow(
    system: System,
    network: TransitionNetwork,
    edges: list[int],
    branches: Branches,
    accuracy: tuple[float, float],
) -> None:
    """Both branches of every transition state on the route, those not known yet in one batch."""
    assert network.ts_points is not None
    new = [edge for edge in dict.fromkeys(edges) if edge not in branches]
    tol, max_step = accuracy
    found = descend(system, network.ts_points[np.array(new, int)], tol=tol, max_step=max_step)
    for edge, pair in zip(new, found, strict=True):
        for branch in pair:
            if branch.outcome is Outcome.wrong_index:
                raise SolveError(
                    f"transition state {network.ts_ids[edge]} is no index-1 saddle of "
                    f"{system.name}, or a branch from it ends in no minimum",
                    "is it the system that was mapped?",
                )
            if branch.outcome is not Outcome.success:
                raise SolveError(
                    f"the descent from transition state {network.ts_ids[edge]} did not end in a "
                    f"minimum: {branch.outcome.message}"
                )
        branches[edge] = pair


def _ends(
    system: System, network: TransitionNetwork, edge: int, branches: Branches
) -> tuple[int, int]:
    """Positions of the minima that the two branches end in, -1 where it is not known."""
    likely = [int(end) for end in network.ts_minima[edge]]
    first, second = (_which(system, network, branch, likely) for branch in branches[edge])
    return first, second


def _which(system: System, network: TransitionNetwork, branch: Descent, likely: list[int]) -> int:
    """Position of the minimum that a branch ends in; likely ones are tried first."""
    energy = branch.energies[-1]
    # Hundred times the window of the store: the match decides, the window only saves work.
    window = 100.0 * Tolerance().energy * (1.0 + abs(energy))
    near = np.flatnonzero(np.abs(network.energies - energy) <= window)
    for position in sorted(map(int, near), key=lambda p: (p not in likely, p)):
        if _operation(system, _point(network, position), branch) is not None:
            return position
    return -1


def _point(network: TransitionNetwork, position: int) -> Float[np.ndarray, " dof"]:
    assert network.points is not None
    return network.points[position]


def _operation(system: System, x: Float[np.ndarray, " dof"], branch: Descent) -> Operation | None:
    """The operation that brings the end of a branch on `x`."""
    tol = Tolerance().position * system.length
    return system.symmetry.operation(x, branch.points[-1], tol)


def _contradiction(
    system: System, network: TransitionNetwork, edges: list[int], branches: Branches
) -> tuple[int, Correction] | None:
    """The first transition state whose branches end elsewhere than the network says."""
    for edge in edges:
        found = _ends(system, network, edge, branches)
        stored = (int(network.ts_minima[edge, 0]), int(network.ts_minima[edge, 1]))
        if sorted(found) != sorted(stored):
            names = [int(network.ids[end]) if end >= 0 else -1 for end in (*stored, *found)]
            return edge, Correction(
                transition_state=int(network.ts_ids[edge]),
                stored=(names[0], names[1]),
                found=(names[2], names[3]),
            )
    return None


def _explain(correction: Correction) -> tuple[str, str]:
    found = " and ".join(
        "a minimum that is not in the store" if end < 0 else f"minimum {end}"
        for end in correction.found
    )
    return (
        f"steepest descent from transition state {correction.transition_state} ends in {found}, "
        f"not in minima {correction.stored[0]} and {correction.stored[1]} as the store says",
        "leave `via` out and the path is planned around it, or choose other transition states",
    )


def _corrected(network: TransitionNetwork, edge: int, correction: Correction) -> TransitionNetwork:
    """The network with the true ends of a transition state; without it if one is unknown."""
    ends = network.ts_minima.copy()
    if min(correction.found) < 0:
        # It leads out of the known network: as a loop it joins no pair.
        ends[edge] = ends[edge, 0]
    else:
        ends[edge] = [_position(network, end) for end in correction.found]
    return dataclasses.replace(network, ts_minima=ends)


def _assemble(
    system: System,
    network: TransitionNetwork,
    route: tuple[list[int], list[int]],
    branches: Branches,
    corrections: list[Correction],
) -> Pathway:
    """Put the pieces together, each carried to where the one before it ended."""
    minima, edges = route
    here = _point(network, minima[0])
    pieces: list[_Piece] = []
    for i, edge in enumerate(edges):
        assert network.ts_points is not None
        first, second = branches[edge]
        ends = _ends(system, network, edge, branches)
        if ends[0] != minima[i]:
            first, second = second, first
        saddle = network.ts_points[edge], float(network.ts_energies[edge])
        operation = _operation(system, here, first)
        if operation is None:
            raise SolveError(
                f"the path over transition state {network.ts_ids[edge]} cannot be joined at "
                f"minimum {network.ids[minima[i]]}: no operation of "
                f"{type(system.symmetry).__name__} brings its end there"
            )
        pieces.append(_Piece.over(saddle, first, second, operation))
        here = pieces[-1].points[-1]
    joined = _Piece.joined(pieces)
    halves = np.array([length for piece in pieces for length in piece.halves])
    return Pathway(
        minima=tuple(int(network.ids[m]) for m in minima),
        transition_states=tuple(int(network.ts_ids[e]) for e in edges),
        points=joined.points,
        energies=joined.energies,
        lengths=_arc_lengths(joined.points, joined.tangents),
        tangents=joined.tangents,
        slopes=joined.slopes,
        rows=np.concatenate([[0], np.cumsum(halves)]),
        shape=_particles(system),
        labels=system.labels or (),
        energy_unit=system.units.energy,
        length_unit=system.units.length,
        corrections=tuple(corrections),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _Piece:
    """The path over one transition state, or a chain of them."""

    points: np.ndarray
    energies: np.ndarray
    tangents: np.ndarray
    slopes: np.ndarray
    halves: tuple[int, int]

    @classmethod
    def over(
        cls,
        saddle: tuple[Float[np.ndarray, " dof"], float],
        first: Descent,
        second: Descent,
        operation: Operation,
    ) -> "_Piece":
        """Up the first branch, over the saddle and down the second, carried by an operation."""
        points = np.concatenate([first.points[::-1], saddle[0][None], second.points])
        uphill = np.concatenate([first.gradients[::-1], -second.gradients])
        size = np.linalg.norm(uphill, axis=1)
        uphill = uphill / np.where(size > 0, size, 1.0)[:, None]
        top = len(first.points)
        sides = points[top - 1], points[top + 1]
        tangents = np.insert(uphill, top, _unit(sides[1] - sides[0]), axis=0)
        # At a minimum the gradient has no direction; the last chord has the path's.
        tangents[0], tangents[-1] = _unit(points[1] - points[0]), _unit(points[-1] - points[-2])
        sign = np.where(np.arange(len(size)) < top, 1.0, -1.0)
        return cls(
            points=operation(points),
            energies=np.concatenate([first.energies[::-1], [saddle[1]], second.energies]),
            tangents=operation.directions(tangents),
            slopes=np.insert(sign * size, top, 0.0),
            halves=(top, len(second.points)),
        )

    @classmethod
    def joined(cls, pieces: "list[_Piece]") -> "_Piece":
        """Pieces in a row; the minimum between two is kept once."""

        def chain(name: str) -> np.ndarray:
            rest = [getattr(piece, name)[1:] for piece in pieces[1:]]
            return np.concatenate([getattr(pieces[0], name), *rest])

        return cls(chain("points"), chain("energies"), chain("tangents"), chain("slopes"), (0, 0))


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-300)


def _arc_lengths(points: np.ndarray, tangents: np.ndarray) -> Float[np.ndarray, " n"]:
    """Arc length at each point: of the cubic Hermite curve, by three-point Gauss quadrature."""
    chords = np.diff(points, axis=0)
    size = np.linalg.norm(chords, axis=1, keepdims=True)
    left, right = size * tangents[:-1], size * tangents[1:]
    total = np.zeros(len(chords))
    for node, weight in ((-math.sqrt(0.6), 5 / 18), (0.0, 8 / 18), (math.sqrt(0.6), 5 / 18)):
        u = 0.5 + 0.5 * node
        speed = (
            6.0 * u * (1.0 - u) * chords
            + (1.0 - 4.0 * u + 3.0 * u**2) * left
            + (3.0 * u**2 - 2.0 * u) * right
        )
        total += weight * np.linalg.norm(speed, axis=1)
    # A kink between two points (a minimum) makes the cubic wander; the chord bounds it.
    total = np.clip(total, size[:, 0], 1.1 * size[:, 0])
    return np.concatenate([[0.0], np.cumsum(total)])


def _particles(system: System) -> tuple[int, int]:
    """Number of particles and of coordinates each; every coordinate is one if there are none."""
    dof = system.space.dof
    value = jax.eval_shape(system.space.unravel, jax.ShapeDtypeStruct((dof,), jnp.float64))
    shape = getattr(value, "shape", ())
    return (int(shape[0]), int(shape[1])) if len(shape) == 2 else (dof, 1)
