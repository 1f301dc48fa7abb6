"""The doubly nudged elastic band: a chain of images that settles on a path between two points."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from thalweg.core import (
    RUNNING,
    AbstractSolver,
    AbstractState,
    ArgumentError,
    Count,
    Outcome,
    System,
    Value,
    rms,
    value_and_grad,
)

from ._eigenvector_following import Climb
from ._lbfgs import SecantPairs

Path = Float[Array, "stops dof *lanes"]
Hops = Float[Array, "hops dof *lanes"]
Lengths = Float[Array, "hops *lanes"]
Images = Float[Array, "images dof *lanes"]
ImageValues = Float[Array, "images *lanes"]
Chain = Float[Array, "chain *lanes"]
Profile = Float[Array, "stops *lanes"]
HostPath = Float[np.ndarray, "stops dof"]
HostProfile = Float[np.ndarray, " stops"]
GivenPoint = Float[Array | np.ndarray, "dof *lanes"]
# Lanes come last inside the engine and items first in its queue.
Given = Float[Array | np.ndarray, "..."]

IMAGE_COUNTS = (7, 11, 17, 25, 37)
"""Numbers of images that are used: each is a shape, and each shape is compiled once."""

# Stands for any energy that is not finite or larger; its square is still a number.
_WALL = 1e100


class BandStart(eqx.Module):
    """A first path and the energies of its two ends, which stay where they are.

    Attributes:
        path: Both ends and the images between them, `(stops, dof, *lanes)`, `stops = images + 2`;
            the second end is in the image that is close to the first (see `Symmetry.align`).
        end_values: Energies of the first and the last stop, `(2, *lanes)`.
    """

    path: Given
    end_values: Given


class Profiled(eqx.Module):
    """What a band returns besides the engine's columns: its path and the energies along it."""

    path: Path
    values: Profile


class BandState(AbstractState):
    """The band, its perpendicular gradient, the step just taken and the memory of earlier ones.

    `x` is the flattened chain of images, `value` the highest energy on it and `grad` the
    flattened gradient across the path.
    """

    x: Chain
    value: Value
    grad: Chain
    path: Path
    profile: Profile
    next_path: Path
    move: Chain
    force: Chain
    stiffness: Value
    age: Count
    pairs: SecantPairs


class Band(AbstractSolver[BandState]):
    """A doubly nudged elastic band, relaxed by L-BFGS, all images evaluated as one block.

    Of the true gradient the images feel the part across the path, of the springs between them the
    part along it, and of the springs' other part only what is perpendicular to both: enough to
    keep the band from kinking, too little to pull it off the valley. The result serves as a set
    of guesses for a climb (`maxima`), so a loose tolerance will do. The springs' stiffness
    follows from the gradients met at the start and is adapted until the spacing is even.

    Images on which the energy is infinite or not a number (overlapping atoms on a straight line
    between two structures) are moved by their neighbours until it is.

    Attributes:
        tol: Root-mean-square gradient across the path at which a band has converged.
        max_step: Longest root-mean-square displacement of an image, in units of the system's
            `length`.
        stiffness: First stiffness of the springs: at this stretch, in units of the mean spacing's
            inverse, they would balance the median gradient.
        uneven: Relative spread of the spacing that is put up with; above it the springs stiffen.
        adapt: Factor by which the stiffness grows or falls in an iteration.
        memory: Secant pairs.
        max_steps: Iterations before giving up; the path is of use then, too.

    Source: Trygubenko & Wales, J. Chem. Phys. 120, 2082 (2004) (double nudging, L-BFGS, adapted
    springs); tangent of Henkelman & Jónsson, J. Chem. Phys. 113, 9978 (2000); switching off the
    second nudge at convergence, Sheppard, Terrell & Henkelman, J. Chem. Phys. 128, 134106 (2008).
    """

    tol: float = 0.05
    max_step: float = 0.05
    stiffness: float = 1.0
    uneven: float = 0.2
    adapt: float = 1.1
    memory: int = eqx.field(static=True, default=4)
    max_steps: int = eqx.field(static=True, default=150)

    def init(self, system: System, start: BandStart) -> BandState:
        """The first step evaluates the images as they are given."""
        del system
        path = jnp.asarray(start.path)
        ends = jnp.asarray(start.end_values)
        lanes = path.shape[2:]
        chain = path[1:-1].reshape(-1, *lanes)
        zeros = jnp.zeros_like(chain)
        inside = jnp.full((path.shape[0] - 2, *lanes), jnp.inf, path.dtype)
        return BandState(
            x=chain,
            value=jnp.full(lanes, jnp.inf, path.dtype),
            grad=zeros,
            path=path,
            profile=jnp.concatenate([ends[:1], inside, ends[1:]]),
            next_path=path,
            move=zeros,
            force=zeros,
            stiffness=jnp.zeros(lanes, path.dtype),
            age=jnp.zeros(lanes, jnp.int32),
            pairs=SecantPairs.empty(self.memory, chain, 1.0),
        )

    def step(self, system: System, state: BandState) -> BandState:
        """Evaluate all images, nudge them, and choose their next places."""
        path = state.next_path
        images, dof, lanes = path.shape[0] - 2, path.shape[1], path.shape[2:]
        values, grads = _evaluate(system, path[1:-1])
        profile = jnp.concatenate([state.profile[:1], values, state.profile[-1:]])
        hops = system.space.difference(jnp.moveaxis(path[:-1], 0, 1), jnp.moveaxis(path[1:], 0, 1))
        hops = jnp.moveaxis(hops, 1, 0)
        lengths = _norm(hops)
        tangents = _tangents(hops, profile)
        across = grads - _dot(grads, tangents)[:, None] * tangents
        spacing = jnp.mean(lengths, axis=0)
        first = self.stiffness * jnp.median(_norm(grads), axis=0) / jnp.maximum(spacing, 1e-300)
        spread = jnp.std(lengths, axis=0) / jnp.maximum(spacing, 1e-300)
        adapted = state.stiffness * jnp.where(spread > self.uneven, self.adapt, 1.0 / self.adapt)
        stiffness = jnp.where(state.age == 0, first, adapted)
        springs = _springs(hops, lengths, tangents, across)
        force = (across + stiffness * springs).reshape(-1, *lanes)

        pairs = state.pairs.push(state.move, force - state.force, state.age > 0, state.age < 0)
        cap = self.max_step * system.length
        scale = jnp.where(state.age == 0, 0.2 * cap / jnp.maximum(rms(force), 1e-300), pairs.scale)
        pairs = eqx.tree_at(lambda p: p.scale, pairs, scale)
        move = pairs.descent(force)
        move = jnp.where(jnp.sum(move * force, axis=0) > 0, -move, move)
        move = move.reshape(images, dof, *lanes)
        size = jnp.sqrt(jnp.mean(move * move, axis=1, keepdims=True))
        move = move * jnp.minimum(1.0, cap / jnp.maximum(size, 1e-300))
        moved = system.space.retract(jnp.moveaxis(path[1:-1] + move, 0, 1))
        return BandState(
            x=path[1:-1].reshape(-1, *lanes),
            value=jnp.max(values, axis=0),
            grad=across.reshape(-1, *lanes),
            path=path,
            profile=profile,
            next_path=path.at[1:-1].set(jnp.moveaxis(moved, 1, 0)),
            move=move.reshape(-1, *lanes),
            force=force,
            stiffness=stiffness,
            age=state.age + 1,
            pairs=pairs,
        )

    def terminate(self, system: System, state: BandState) -> Count:
        """Converged when the gradient across the path is small and every energy a number."""
        del system
        flat = (rms(state.grad) < self.tol) & (state.value < _WALL)
        return jnp.where(flat, int(Outcome.success), RUNNING)

    def extra(self, state: BandState) -> Profiled:
        """The path with its ends and the energies along it."""
        return Profiled(state.path, state.profile)


def _dot(a: Images, b: Images) -> ImageValues:
    return jnp.sum(a * b, axis=1)


def _norm(a: Images) -> ImageValues:
    return jnp.sqrt(jnp.sum(a * a, axis=1))


def _evaluate(system: System, images: Images) -> tuple[ImageValues, Images]:
    """Energies and gradients of the images of all lanes, made harmless where they are not finite.

    Gradients are bounded by ten times the median over the band, so that one overlap does not
    decide what every other image does.
    """
    count, dof, *lanes = images.shape
    block = jnp.moveaxis(images, 0, 1).reshape(dof, -1)
    values, grads = value_and_grad(system.energy, block)
    values = values.reshape(count, *lanes)
    grads = jnp.moveaxis(grads.reshape(dof, count, *lanes), 1, 0)
    values = jnp.clip(jnp.where(jnp.isnan(values), _WALL, values), -_WALL, _WALL)
    sound = jnp.all(jnp.isfinite(grads), axis=1, keepdims=True)
    grads = jnp.where(sound, jnp.clip(grads, -_WALL, _WALL), 0.0)
    size = _norm(grads)
    median = jnp.median(size, axis=0)
    limit = 10.0 * jnp.where(median > 0, median, jnp.max(size, axis=0))
    return values, grads * jnp.minimum(1.0, limit / jnp.maximum(size, 1e-300))[:, None]


def _tangents(hops: Hops, profile: Profile) -> Images:
    """Unit tangents at the images: towards the higher neighbour, mixed at extrema."""
    back, ahead = hops[:-1], hops[1:]
    before = profile[:-2] - profile[1:-1]
    after = profile[2:] - profile[1:-1]
    rising, falling = (after > 0) & (before <= 0), (after <= 0) & (before > 0)
    large = jnp.maximum(jnp.abs(after), jnp.abs(before))
    small = jnp.minimum(jnp.abs(after), jnp.abs(before))
    share = small / jnp.where(large > 0, large, 1.0)
    weight = jnp.where(large > 0, share, 1.0)
    to_next = profile[2:] > profile[:-2]
    forward = jnp.where(rising, 1.0, jnp.where(falling, 0.0, jnp.where(to_next, 1.0, weight)))
    backward = jnp.where(rising, 0.0, jnp.where(falling, 1.0, jnp.where(to_next, weight, 1.0)))
    tangent = forward[:, None] * ahead + backward[:, None] * back
    return tangent / jnp.maximum(_norm(tangent), 1e-300)[:, None]


def _springs(hops: Hops, lengths: Lengths, tangents: Images, across: Images) -> Images:
    """Gradient of the springs of unit stiffness, nudged twice (Trygubenko & Wales, eq. 13)."""
    along = (lengths[:-1] - lengths[1:])[:, None] * tangents
    pull = hops[:-1] - hops[1:]
    pull = pull - _dot(pull, tangents)[:, None] * tangents
    steep = _norm(across)
    unit = across / jnp.maximum(steep, 1e-300)[:, None]
    second = pull - _dot(pull, unit)[:, None] * unit
    ratio = steep**2 / jnp.maximum(jnp.sum(pull**2, axis=1), 1e-300)
    return along + (2.0 / jnp.pi * jnp.arctan(ratio))[:, None] * second


def interpolate(
    system: System, a: GivenPoint, b: GivenPoint, images: int, bulge: float = 0.02
) -> Path:
    """A straight path from `a` to `b` with equally spaced images, and a slight bulge.

    The bulge, a fixed direction that looks random, keeps two atoms that exchange places from
    meeting exactly; it is the same for both senses of travel.

    Args:
        system: Gives the space and the length unit.
        a: First end, `(dof, *lanes)`.
        b: Last end, aligned with `a`.
        images: Number of images between them.
        bulge: Root-mean-square displacement of the middle from the straight line, in units of the
            system's `length`.

    Returns:
        Both ends and the images, `(images + 2, dof, *lanes)`.
    """
    start, end = jnp.asarray(a)[:, None], jnp.asarray(b)[:, None]
    share = np.arange(1, images + 1) / (images + 1)
    # Fractional parts of multiples of √2: spread, fixed, and the same on every machine.
    side = np.sqrt(12.0) * (np.arange(1, start.shape[0] + 1) * np.sqrt(2.0) % 1.0 - 0.5)
    side = bulge * system.length * side[:, None] * np.sin(np.pi * share)
    trail = (1,) * (start.ndim - 2)
    share, side = (jnp.asarray(z.reshape(*z.shape, *trail), start.dtype) for z in (share, side))
    inside = system.space.retract(start + share * system.space.difference(start, end) + side)
    return jnp.moveaxis(jnp.concatenate([start, inside, end], axis=1), 1, 0)


def images_for(distance: float, system: System, spacing: float = 0.3) -> int:
    """Number of images for a path of a given length, one of `IMAGE_COUNTS`.

    Args:
        distance: Euclidean length of the path, or the distance of its ends.
        system: Gives the length unit.
        spacing: Wanted distance between images, in units of the system's `length`.
    """
    wanted = distance / (spacing * system.length)
    return next((count for count in IMAGE_COUNTS if count >= wanted), IMAGE_COUNTS[-1])


def arc_lengths(system: System, path: HostPath) -> HostProfile:
    """Length of the path from its first stop to every stop."""
    hops = np.asarray(_host_hops(system, path))
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(hops, axis=1))])


def _host_hops(system: System, path: HostPath) -> Float[np.ndarray, "hops dof"]:
    return np.asarray(system.space.difference(jnp.asarray(path[:-1].T), jnp.asarray(path[1:].T))).T


def redistribute(
    system: System, path: HostPath, values: HostProfile, images: int, emphasis: float = 1.0
) -> Float[np.ndarray, "new_stops dof"]:
    """The same path with another number of images, denser where the energy is high.

    For a band that has stretched: `images_for(arc_lengths(...)[-1], system)` says how many.

    Args:
        system: Gives the space.
        path: Stops of the old band.
        values: Energies there.
        images: New number of images.
        emphasis: Density at the highest energy is `1 + emphasis` times that at the lowest.

    Returns:
        `(images + 2, dof)`.

    Source: energy-weighted spacing as in Henkelman, Uberuaga & Jónsson, J. Chem. Phys. 113,
    9901 (2000), applied to the density of images instead of to the springs.
    """
    hops = _host_hops(system, path)
    lengths = np.linalg.norm(hops, axis=1)
    # Walls are cut to the highest energy of a sound stop, so that they do not take all images.
    values = np.minimum(values, np.max(values[values < _WALL], initial=values[0]))
    height = (values - values.min()) / max(np.ptp(values), 1e-300)
    weights = lengths * (1.0 + emphasis * 0.5 * (height[1:] + height[:-1]))
    ticks = np.concatenate([[0.0], np.cumsum(weights)])
    wanted = np.linspace(0.0, ticks[-1], images + 2)[1:-1]
    left = np.clip(np.searchsorted(ticks, wanted, side="right") - 1, 0, len(hops) - 1)
    share = (wanted - ticks[left]) / np.maximum(weights[left], 1e-300)
    inside = path[left] + share[:, None] * hops[left]
    inside = np.asarray(system.space.retract(jnp.asarray(inside.T))).T
    return np.concatenate([path[:1], inside, path[-1:]])


def maxima(
    system: System, path: HostPath, values: HostProfile
) -> tuple[Climb, Float[np.ndarray, " maxima"]]:
    """Guesses of transition states: the local maxima along a path, highest first.

    A parabola through each highest stop and its neighbours gives the place and the direction.

    Args:
        system: Gives the space.
        path: Stops of the band, `(stops, dof)`.
        values: Energies there.

    Returns:
        Starts of climbs, one row each, and the energies that the parabolas predict.

    Raises:
        ArgumentError: if the path has fewer than three stops.
    """
    if len(path) < 3:
        raise ArgumentError(f"a path of {len(path)} stops has no inner maximum; got {path.shape}")
    hops = _host_hops(system, path)
    lengths = np.maximum(np.linalg.norm(hops, axis=1), 1e-300)
    inner = values[1:-1]
    tops = 1 + np.flatnonzero((inner >= values[:-2]) & (inner > values[2:]) & (inner < _WALL))
    back, ahead = lengths[tops - 1], lengths[tops]
    down, up = (values[tops] - values[tops - 1]) / back, (values[tops + 1] - values[tops]) / ahead
    bend = 2.0 * (up - down) / (back + ahead)
    slope = (down * ahead + up * back) / (back + ahead)
    shift = np.clip(-slope / np.where(bend < 0, bend, -1.0), -0.5 * back, 0.5 * ahead)
    shift = np.where(bend < 0, shift, 0.0)
    low = hops[tops - 1] / back[:, None]
    high = hops[tops] / ahead[:, None]
    curve = 2.0 * (high - low) / (back + ahead)[:, None]
    tangent = (low * ahead[:, None] + high * back[:, None]) / (back + ahead)[:, None]
    points = path[tops] + shift[:, None] * tangent + 0.5 * (shift**2)[:, None] * curve
    directions = tangent + shift[:, None] * curve
    heights = values[tops] + slope * shift + 0.5 * bend * shift**2
    order = np.argsort(-heights, kind="stable")
    points = system.space.retract(jnp.asarray(points[order].T)).T
    return Climb(x=points, direction=jnp.asarray(directions[order])), heights[order]
