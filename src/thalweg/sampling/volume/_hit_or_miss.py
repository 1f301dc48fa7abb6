r"""Hit or miss with Gaussians of several widths: a volume without a chain.

Points are drawn independently from normal laws $g_k$ of widths $\sigma_k$ about the centre, $N_k$
from each, and every point is asked for. With the balance heuristic

$$ \hat V = \sum_{\text{hits } i} \frac{1}{\sum_k N_k\, g_k(x_i)}, $$

which is MBAR with the free energies known, $\hat V$ is unbiased for $\int p$. A pilot finds the
narrowest width, at which nine of ten points pass, and the widest, at which hits die out.

Sources: Veach & Guibas, SIGGRAPH 1995, 419, for the balance heuristic; Owen & Zhou, J. Am. Stat.
Assoc. 95, 135 (2000), for mixtures as stratified proposals; the choice of the narrowest width after
Martiniani, Schrenk, Stevenson, Wales & Frenkel, Phys. Rev. E 93, 012906 (2016).
"""

import dataclasses
import math
import time
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from thalweg.core import AbstractOracle, ArgumentError, PRNGKey

from ._oracles import AbstractBatchOracle, Region, ask_many, inside, padded

_CHUNK = 65_536
"""Points in hand at once."""

_NARROW = (0.85, 0.95)
"""Hit rate wanted at the narrowest width."""

_PILOT_SHARE = 0.1
_LEAST_SEEN = 20
"""Hits of the widest pilot among which none lies outside, if the pilot is to end there."""

_SPARE = 1.15
"""The widest Gaussian is so much wider than the last of the pilot's that had a hit."""


def _reach(sigma: float, dim: int) -> float:
    """Distance that few draws of a Gaussian exceed: the mean and two standard deviations of it."""
    return sigma * (math.sqrt(dim) + math.sqrt(2.0))


class Interrupted(Exception):
    """Somebody asked to stop."""


@dataclasses.dataclass
class Questions:
    """Asks an oracle about displacements from a centre, and counts the calls.

    Attributes:
        oracle: Who is asked.
        centre: Flat point of the ambient space.
        directions: Orthonormal rows that span the displacements, `(dim, dof)`.
        region: Where points count; elsewhere the answer is no, without a call.
        stop: Looked at between batches; true ends the run.
        calls: Calls so far.
        seconds: Time spent with the oracle.
    """

    oracle: AbstractOracle
    centre: Float[np.ndarray, " dof"]
    directions: Float[np.ndarray, "dim dof"]
    region: Region | None = None
    stop: Callable[[], bool] | None = None
    calls: int = 0
    seconds: float = 0.0

    @property
    def dim(self) -> int:
        """Dimension of the volume."""
        return len(self.directions)

    @property
    def on_host(self) -> bool:
        """Whether the oracle answers outside compiled code."""
        return isinstance(self.oracle, AbstractBatchOracle)

    def __call__(self, key: PRNGKey, u: Float[np.ndarray, "points dim"]) -> np.ndarray:
        """Answers for displacements `(points, dim)`.

        Raises:
            Interrupted: if somebody asked to stop.
        """
        if self.stop is not None and self.stop():
            raise Interrupted
        began = time.perf_counter()
        x = self.centre + u @ self.directions
        counts = inside(self.region, x)
        answers = np.zeros(len(x), bool)
        answers[counts] = ask_many(self.oracle, key, x[counts])
        self.calls += int(counts.sum())
        self.seconds += time.perf_counter() - began
        return answers


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class HitOrMiss:
    """What independent draws from Gaussians of several widths say.

    Attributes:
        dim: Dimension of the volume.
        widths: Standard deviations of a coordinate, ascending, `(widths,)`.
        draws: Points drawn with each width, `(widths,)`; those outside the region were not asked.
        hits: How many passed, `(widths,)`.
        log_volume: Logarithm of the estimate.
        log_volume_se: Its standard error.
        mean_square: Mean square distance of the basin's points from the centre.
        mean_square_se: Its standard error.
        largest: Share of the estimate that its heaviest hit carries.
        beyond: Share of it from hits farther out than the widest Gaussian typically reaches.
        points: The hits, `(hits, dim)`: exact draws from `p g` for whatever comes next.
        log_weights: Logarithm of the inverse density of draws at each hit.
    """

    dim: int
    widths: Float[np.ndarray, " widths"]
    draws: Int[np.ndarray, " widths"]
    hits: Int[np.ndarray, " widths"]
    log_volume: float
    log_volume_se: float
    mean_square: float
    mean_square_se: float
    largest: float
    beyond: float
    points: Float[np.ndarray, "hits dim"]
    log_weights: Float[np.ndarray, " hits"]

    @property
    def log_reference(self) -> tuple[float, float]:
        """Logarithm of `∫ p exp(-r²/2σ²)` at the narrowest width, and its standard error.

        From the draws of all widths, as the volume itself.
        """
        tilt = -0.5 * np.sum(self.points**2, axis=1) / self.widths[0] ** 2
        return _log_sum(self.log_weights + tilt)


@dataclasses.dataclass(frozen=True, eq=False)
class Draws:
    """Independent draws, all widths together.

    Attributes:
        width: Number of the width, `(draws,)`.
        radius: Distance from the centre.
        hit: Whether it passed.
        points: Displacements of those that did, `(hits, dim)`, in order.
    """

    width: np.ndarray
    radius: np.ndarray
    hit: np.ndarray
    points: np.ndarray

    def joined(self, other: "Draws") -> "Draws":
        """Both."""
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return Draws(*(np.concatenate(pair) for pair in pairs))


@eqx.filter_jit
def _normal(key: PRNGKey, count: int, dim: int) -> Float[Array, "count dim"]:
    return jax.random.normal(key, (count, dim), jnp.float64)


def _gaussian(key: PRNGKey, sigma: np.ndarray, dim: int) -> np.ndarray:
    """One displacement for each width of the list, `(points, dim)`."""
    return sigma[:, None] * np.asarray(_normal(key, padded(len(sigma)), dim))[: len(sigma)]


def find_widths(
    ask: Questions, key: PRNGKey, calls: int, scale: float, count: int
) -> Float[np.ndarray, " count"]:
    """Widths from where nearly all points pass to where hits die out.

    Args:
        ask: Who is asked.
        key: Random key.
        calls: Calls of the whole run; the pilot takes about a tenth.
        scale: First guess of a width.
        count: How many widths.

    Raises:
        ArgumentError: if there are no hits however near the centre.
    """
    batch = int(np.clip(calls * _PILOT_SHARE / 25, 64, 20_000))
    keys = iter(jax.random.split(key, 1_000))

    def trial(sigma: float) -> tuple[np.ndarray, np.ndarray]:
        draw_key, ask_key = jax.random.split(next(keys))
        u = _gaussian(draw_key, np.full(batch, sigma), ask.dim)
        return np.linalg.norm(u, axis=1), ask(ask_key, u)

    sigma = _narrowest(lambda s: float(trial(s)[1].mean()), scale)
    # Radii of a Gaussian spread by 1/√(2 dim) about their mean: steps that are not wider overlap.
    factor = 1.0 + 1.0 / math.sqrt(ask.dim)
    wide, last = sigma, sigma
    for _ in range(200):
        wide *= factor
        radius, hit = trial(wide)
        if not hit.any():
            if wide > last * factor**1.5:
                break
            continue
        last = wide
        outside = hit & (radius > wide * math.sqrt(ask.dim))
        if hit.sum() >= _LEAST_SEEN and not outside.any():
            break
    return np.geomspace(sigma, max(_SPARE * last, factor * sigma), count)


def _narrowest(rate: Callable[[float], float], scale: float) -> float:
    """A width at which about nine of ten points pass, by bisection of its logarithm."""
    low, high = 0.0, math.inf
    sigma = scale
    for _ in range(80):
        share = rate(sigma)
        if _NARROW[0] <= share <= _NARROW[1]:
            return sigma
        if share > _NARROW[1]:
            low = sigma
        else:
            high = sigma
        if low and high < math.inf:
            if high / low < 1.02:
                return low
            sigma = math.sqrt(low * high)
        else:
            sigma *= 2.0 if low else 0.5
        if sigma < 1e-9 * scale or sigma > 1e12 * scale:
            break
    if low and high == math.inf:
        raise ArgumentError(
            "points pass however far they lie from the centre: the volume is infinite",
            "give a region, such as Container(7, 2.5) for a cluster or BoxRegion(lower, upper)",
        )
    if low:
        return low
    # p never comes near one (a basin with chance everywhere): begin where hits are most frequent.
    best = max((scale * 2.0**k for k in range(-12, 1)), key=rate)
    if rate(best) == 0.0:
        raise ArgumentError(
            "no point near the centre passes",
            "is the centre in the basin? memberships take it from the minimum they were made with",
        )
    return best


def draw(ask: Questions, key: PRNGKey, widths: np.ndarray, calls: int) -> Draws:
    """About `calls` independent draws, the same number from each width; fewer if interrupted.

    Raises:
        Interrupted: if it was before the first batch was done.
    """
    each = max(1, calls // len(widths))
    batch = max(1, min(each, _CHUNK // len(widths), max(256, each // 10)))
    parts: list[Draws] = []
    number = np.repeat(np.arange(len(widths)), batch)
    done = 0
    while done < each:
        size = min(batch, each - done)
        at = number if size == batch else np.repeat(np.arange(len(widths)), size)
        draw_key, ask_key = jax.random.split(jax.random.fold_in(key, done))
        u = _gaussian(draw_key, widths[at], ask.dim)
        try:
            hit = ask(ask_key, u)
        except Interrupted:
            if not parts:
                raise
            break
        parts.append(Draws(at, np.linalg.norm(u, axis=1), hit, u[hit]))
        done += size
    return Draws(
        *(np.concatenate([getattr(p, f.name) for p in parts]) for f in dataclasses.fields(Draws))
    )


def log_weights(widths: np.ndarray, draws: np.ndarray, dim: int, radius: np.ndarray) -> np.ndarray:
    """`-log Σ_k N_k g_k` at distances from the centre."""
    level = np.log(draws) - dim * np.log(widths) - 0.5 * dim * math.log(2.0 * math.pi)
    parts = [a - 0.5 * (radius / s) ** 2 for a, s in zip(level, widths, strict=True)]
    total = parts[0]
    for part in parts[1:]:
        total = np.logaddexp(total, part)
    return -total


def _log_sum(log_terms: np.ndarray) -> tuple[float, float]:
    """Logarithm of a sum of independent contributions, and its standard error."""
    log_total = float(np.logaddexp.reduce(log_terms))
    return log_total, float(np.sqrt(np.sum(np.exp(2.0 * (log_terms - log_total)))))


def estimate(draws: Draws, widths: np.ndarray, dim: int) -> HitOrMiss:
    """The volume and its errors from draws; errors are of the stratified mean, width by width.

    Raises:
        ArgumentError: if there is no hit.
    """
    count = np.bincount(draws.width, minlength=len(widths))
    hits = np.bincount(draws.width[draws.hit], minlength=len(widths))
    if not hits.any():
        raise ArgumentError("no point passed", "give more calls")
    radius = draws.radius[draws.hit]
    log_w = log_weights(widths, count, dim, radius)
    log_volume = float(np.logaddexp.reduce(log_w))
    w = np.exp(log_w - log_volume)
    at = draws.width[draws.hit]
    square = radius**2
    mean_square = float(w @ square)

    def spread(value: np.ndarray) -> float:
        """Standard error of a sum over hits."""
        first = np.bincount(at, value, len(widths))
        second = np.bincount(at, value**2, len(widths))
        variance = (second - first**2 / count) * count / np.maximum(count - 1, 1)
        return float(np.sqrt(max(variance.sum(), 0.0)))

    return HitOrMiss(
        dim=dim,
        widths=widths,
        draws=count,
        hits=hits,
        log_volume=log_volume,
        log_volume_se=spread(w),
        mean_square=mean_square,
        mean_square_se=spread(w * (square - mean_square)),
        largest=float(w.max()),
        beyond=float(w[radius > _reach(widths[-1], dim)].sum()),
        points=draws.points,
        log_weights=log_w,
    )
