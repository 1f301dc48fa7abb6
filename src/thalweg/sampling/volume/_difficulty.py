r"""How many calls a volume costs: the difficulty of an oracle, measured while it is asked.

For an oracle that passes with probability $p(x)$,

$$ C = \frac{(\int \sqrt{p})^2}{(\int p)^2}, \qquad
   C' = \frac{(\int \sqrt{p(1-p)})^2}{(\int p)^2}. $$

An importance estimate of $V = \int p$ from $N$ independent yes/no answers has a relative variance
of at least $(C-1)/N$, whatever the proposal (the best is $\propto \sqrt p$), and no method at all,
chains included, can do better than $C'/N$ when nothing is known of $p$ beforehand: that is the
Cramér-Rao bound of one coin at each point, with the calls spread best. $C'$ is zero for a sharp
basin. With $N < 100\,C'$ a relative error of 10 % is out of reach.

**Estimator.** Points are sorted into thin shells about the centre. In a shell, the mean of $p$ is
the weighted hit rate $q$; a second, independent call at points that passed agrees with probability
$\langle p^2\rangle/\langle p\rangle$, which gives the correlation $\phi$ of two calls at one point,
1 if every point has an answer of its own and 0 if all points of the shell are alike. The law of
$p$ in the shell is taken as the Beta law with that mean and that correlation: $\langle\sqrt
p\rangle$ and $\langle\sqrt{p(1-p)}\rangle$ are then exact at both extremes. Beyond the farthest
hits $\log q$ is continued along a straight line fitted to the outer shells; without that, a tail
that nobody has reached would make an oracle look easy.

Source: the bounds follow from Cauchy and Schwarz, and from the information in a Bernoulli trial.
"""

import dataclasses

import numpy as np
from jaxtyping import Float
from scipy import special

_SHELLS = 60
_OUTER = 10
"""Shells that the continuation of the tail is fitted to, at most."""

_LEAST_HITS = 4
"""Hits that a shell needs in order to take part in that fit."""

_REPEATS = 20.0
"""Second calls that could have disagreed, over which a correlation is pooled at least."""

_RULE_OF_THREE = 3.0
"""Expected hits that are refuted, at 95 %, by having had none."""

_RARE = 0.5
"""Hit rate below which a shell belongs to the tail."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Difficulty:
    """What the answers say about their own sufficiency.

    Attributes:
        sampling: `C`, the price of a hit-or-miss estimate; at least 1.
        noise: `C'`, the price for any method; 0 for an oracle without chance.
        radial: The same as `sampling` for proposals that know the distance from the centre only:
            `(∫√q)² / (∫q)²` with the mean `q` over each shell. What hit-or-miss pays.
        unseen: Share of the volume that the continued tail puts beyond the farthest hits.
        agreement: Share of second calls at points that passed that passed again; NaN without.
        repeats: How many such calls were made.
    """

    sampling: float
    noise: float
    radial: float
    unseen: float
    agreement: float
    repeats: int


def measure_difficulty(
    dim: int,
    radius: Float[np.ndarray, " draws"],
    weight: Float[np.ndarray, " draws"],
    hit: np.ndarray,
    repeated: np.ndarray,
    again: np.ndarray,
    *,
    deterministic: bool,
) -> Difficulty:
    """Estimate the difficulty from independent draws.

    Args:
        dim: Dimension of the space.
        radius: Distance of each draw from the centre.
        weight: Inverse density of draws there, so that sums over draws are integrals.
        hit: Whether each passed, `(draws,)`.
        repeated: Rows of the draws that passed and were asked once more.
        again: The second answers.
        deterministic: Whether there is no chance in the answers; then `repeated` may be empty.
    """
    edges = _edges(radius, radius[hit])
    shells = len(edges) - 1
    at = np.clip(np.searchsorted(edges, radius, side="right") - 1, 0, shells - 1)
    log_edges = np.log(np.maximum(edges, 1e-300))
    # Volumes in units of the largest ball, since only ratios count.
    share = np.diff(np.exp(dim * (log_edges - log_edges[-1])))
    total = np.bincount(at, weight, shells)
    passed = np.bincount(at, weight * hit, shells)
    q = np.where(total > 0, passed / np.maximum(total, 1e-300), 0.0)
    hits = np.bincount(at[hit], minlength=shells)
    phi = np.ones(shells)
    if not deterministic:
        phi = _correlation(q, np.bincount(at[repeated], minlength=shells), at[repeated], again)
    root, noise = beta_roots(q, phi)
    tail = _continued(dim, edges, q, hits, phi, radius)
    volume = share @ q + tail[0]
    return Difficulty(
        sampling=max(1.0, float(((share @ root + tail[1]) / volume) ** 2)),
        noise=float(((share @ noise + tail[2]) / volume) ** 2),
        radial=max(1.0, float(((share @ np.sqrt(q) + tail[3]) / volume) ** 2)),
        unseen=float(tail[0] / volume),
        agreement=float(np.mean(again)) if len(again) else float("nan"),
        repeats=len(again),
    )


def _edges(radius: np.ndarray, hits: np.ndarray) -> np.ndarray:
    """Radii between shells: alike numbers of hits within their reach, then of draws."""
    inner = np.quantile(hits, np.linspace(0.0, 1.0, _SHELLS // 2 + 1))[1:]
    reach = inner[-1]
    evenly = np.quantile(radius, np.linspace(0.0, 1.0, _SHELLS // 2 + 1))[1:]
    edges = np.unique(np.concatenate([[0.0], inner, evenly]))
    # No slivers: the rate in a shell needs draws.
    kept = [edges[0]]
    for edge in edges[1:]:
        if edge - kept[-1] > 0.005 * reach:
            kept.append(edge)
    kept[-1] = max(kept[-1], edges[-1])
    return np.array(kept)


def _correlation(
    q: np.ndarray, repeats: np.ndarray, at: np.ndarray, again: np.ndarray
) -> np.ndarray:
    """Correlation `φ = (⟨p²⟩/q - q)/(1 - q)` of two calls, pooled over neighbouring shells.

    Less two standard errors: where a few repeats cannot tell, the oracle counts as the harder one,
    whose points are all alike.
    """
    shells = len(q)
    agreed = np.bincount(at, again.astype(float), shells)
    above = agreed - repeats * q
    room = repeats * (1.0 - q)
    above, room, agreed, asked = (
        np.concatenate([[0.0], np.cumsum(a)]) for a in (above, room, agreed, repeats)
    )
    if room[-1] <= 0:
        return np.where(q >= 1.0, 1.0, 0.0)
    phi = np.empty(shells)
    for i in range(shells):
        reach = 2
        while True:
            low, high = max(i - reach, 0), min(i + reach + 1, shells)
            seen = room[high] - room[low]
            if seen >= _REPEATS or (low == 0 and high == shells):
                break
            reach += 1
        yes, tries = agreed[high] - agreed[low], asked[high] - asked[low]
        doubt = 2.0 * np.sqrt(yes * (1.0 - yes / tries))
        phi[i] = np.clip((above[high] - above[low] - doubt) / seen, 0.0, 1.0)
    return phi


def beta_roots(q: np.ndarray, phi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`⟨√p⟩` and `⟨√(p(1-p))⟩` for Beta laws with means `q` and correlations `φ`."""
    q = np.clip(q, 0.0, 1.0)
    inside = (q > 0) & (q < 1)
    safe = np.where(inside, q, 0.5)
    mixed = np.clip(phi, 1e-6, 1.0 - 1e-6)
    size = 1.0 / mixed - 1.0
    a, b = safe * size, (1.0 - safe) * size
    root = np.exp(special.betaln(a + 0.5, b) - special.betaln(a, b))
    noise = np.exp(special.betaln(a + 0.5, b + 0.5) - special.betaln(a, b))
    alike, apart = phi <= 1e-6, phi >= 1.0 - 1e-6
    root = np.where(alike, np.sqrt(safe), np.where(apart, safe, root))
    noise = np.where(alike, np.sqrt(safe * (1.0 - safe)), np.where(apart, 0.0, noise))
    return np.where(inside, root, q), np.where(inside, noise, 0.0)


def _continued(
    dim: int,
    edges: np.ndarray,
    q: np.ndarray,
    hits: np.ndarray,
    phi: np.ndarray,
    radius: np.ndarray,
) -> np.ndarray:
    """Integrals of `q`, `⟨√p⟩`, `⟨√(p(1-p))⟩` and `√q` beyond the farthest shell with hits.

    In units of the ball within the last edge. Zero if the tail does not fall, or if there are too
    few shells to tell. Draws out there that missed put a limit on the tail.
    """
    seen = np.flatnonzero(hits)
    if not len(seen):
        return np.zeros(4)
    last = seen[-1] + 1
    usable = np.flatnonzero((hits[:last] >= _LEAST_HITS) & (q[:last] < _RARE) & (q[:last] > 0))
    usable = usable[-_OUTER:]
    if len(usable) < 3:
        return np.zeros(4)
    middle = 0.5 * (edges[usable] + edges[usable + 1])
    slope, level = np.polyfit(middle, np.log(q[usable]), 1, w=np.sqrt(hits[usable]))
    if not slope < 0:
        return np.zeros(4)
    begin = edges[last]
    missed = np.exp(np.minimum(level + slope * radius[radius > begin], np.log(_RARE))).sum()
    level -= np.log(max(missed / _RULE_OF_THREE, 1.0))
    # The slowest integrand falls as exp(slope r / 2) against r^(dim - 1).
    end = begin + 2.0 * (dim + 40.0) / -slope
    r = np.linspace(begin, end, 20_001)
    tail = np.exp(np.minimum(level + slope * r, np.log(_RARE)))
    root, noise = beta_roots(tail, np.full_like(tail, phi[usable[-1]]))
    surface = dim * np.exp((dim - 1) * np.log(r) - dim * np.log(edges[-1]))
    return np.trapezoid(surface * np.stack([tail, root, noise, np.sqrt(tail)]), r)
