"""The volume of a basin, in two stages, with an honest verdict on both."""

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Literal

import jax
import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from thalweg.core import AbstractOracle, ArgumentError, PRNGKey, as_key, require_x64

from ._difficulty import Difficulty, measure_difficulty
from ._hit_or_miss import (
    Draws,
    HitOrMiss,
    Interrupted,
    Questions,
    draw,
    estimate,
    find_widths,
    log_weights,
)
from ._oracles import Region
from ._tether import TetheredLadder, TooFewCalls, climb_ladder

Stage = Literal["hit-or-miss", "ladder"]

_NEEDED = 100.0
"""Calls, in units of `C'`, below which no method can reach 10 %."""

_LEAST_HITS = 200
_MOST_REPEATS = 4_000
_REPEAT_SHARE = 0.05
_LARGEST = 0.05
_BEYOND = 0.01
_UNSEEN = 0.01
_SHARP = 0.01
_GAIN = 3.0
"""Walkers can be better than draws at most by `radial / noise`; they begin to be at about this."""

_EXCHANGE = 0.05
_DRIFT = 4.0


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class BasinVolume:
    """How big a state is, and whether to believe it.

    The volume is `∫ p(x) dx`, the integral of the probability of belonging over displacements from
    the centre within the span of `directions`, in the length unit to the power `dim`. For a sharp
    basin that is its ordinary volume.

    Attributes:
        log_volume: Natural logarithm of the volume.
        error: Half the 95 % interval of `log_volume`.
        mean_square: Mean square distance of the basin's points from the centre.
        mean_square_error: Half its 95 % interval.
        dim: Dimension of the volume.
        calls: How often the oracle was asked, pilot and repeats included.
        trusted: Whether nothing speaks against the interval.
        reasons: What does, in words; empty if `trusted`.
        stage: Which stage the numbers are from, `"hit-or-miss"` or `"ladder"`.
        difficulty: Prices of the volume: see `Difficulty`.
        hit_or_miss: The independent draws.
        ladder: The tethered ladder, if it was needed.
        seconds: How long it took.
    """

    log_volume: float
    error: float
    mean_square: float
    mean_square_error: float
    dim: int
    calls: int
    trusted: bool
    reasons: tuple[str, ...]
    stage: Stage
    difficulty: Difficulty
    hit_or_miss: HitOrMiss
    ladder: TetheredLadder | None
    seconds: float

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of `log_volume`."""
        return self.log_volume - self.error, self.log_volume + self.error

    def __str__(self) -> str:
        verdict = "" if self.trusted else ", NOT to be trusted: " + "; ".join(self.reasons)
        return (
            f"log volume {self.log_volume:.4f} ± {self.error:.4f} ({self.dim} dimensions, "
            f"{self.calls:,} calls, {self.stage}){verdict}"
        )


def basin_volume(  # noqa: PLR0913 - all but three have defaults
    oracle: AbstractOracle,
    centre: ArrayLike | None,
    key: PRNGKey | int = 0,
    *,
    calls: int = 200_000,
    tolerance: float = 0.1,
    directions: ArrayLike | None = None,
    region: Region | None = None,
    scale: float | None = None,
    widths: int = 8,
    stage: Literal["auto", "hit-or-miss", "ladder"] = "auto",
    stop: Callable[[], bool] | None = None,
) -> BasinVolume:
    """Measure the volume of a basin whose members only an oracle can tell.

    Half of the calls go to independent draws from Gaussians of several widths about the centre.
    If they give the logarithm to within `tolerance` and nothing is wrong with them, the other half
    does the same. Otherwise it goes to a ladder of walkers on springs, unless it is the chance in
    the answers that makes it hard: no chain is a help against that, and draws have no memory.
    Neither stage invents volume, both may miss some: where they disagree, the larger is reported,
    with the gap as its error, and not to be trusted.

    Args:
        oracle: `(key, x) -> bool`: a membership, a `FunctionOracle`, or any `AbstractOracle`.
        centre: A point deep in the basin, flat. `None`: the minimum of a membership.
        key: Random key, or a number to make one of; with the other arguments it fixes the result.
        calls: About how often to ask, in all.
        tolerance: Half-width of the 95 % interval of the logarithm with which hit-or-miss is
            good enough.
        directions: Orthonormal rows that span the displacements, `(dim, dof)`. By default those
            of the membership (which leaves out translations and rotations), else all.
        region: Where volume is counted: `BoxRegion`, `Container`, or any function of a block
            `(dof, lanes)`. Points outside are not asked for.
        scale: First guess of a width; the membership's length, else 1.
        widths: How many Gaussian widths.
        stage: `"auto"`, or one of the two alone (`"ladder"` still begins with draws).
        stop: Looked at between batches; once true, the run ends with what it has.

    Raises:
        ArgumentError: if an argument is out of range, no point near the centre passes, or points
            pass at any distance.
        KeyboardInterrupt: if `stop` was true before there was anything to report.
        PrecisionError: if float64 is off.
    """
    require_x64()
    began = time.perf_counter()
    if calls < 1_000:
        raise ArgumentError(f"calls={calls} must be at least 1000")
    if not tolerance > 0 or widths < 2:
        raise ArgumentError(f"tolerance={tolerance} must be positive, widths={widths} at least 2")
    ask = _questions(oracle, centre, directions, region, stop)
    pilot_key, first_key, repeat_key, second_key, ladder_key = jax.random.split(as_key(key), 5)
    guess = float(getattr(oracle, "length", 1.0) if scale is None else scale)
    if not guess > 0:
        raise ArgumentError(f"scale={scale} must be positive")
    try:
        sigma = find_widths(ask, pilot_key, calls, guess, widths)
        left = max(calls - ask.calls, calls // 2)
        draws = draw(ask, first_key, sigma, left // 2)
    except Interrupted:
        raise KeyboardInterrupt from None
    run = _Run(ask, sigma, repeat_key, draws)
    run.judge(calls)
    ladder, stopped = None, False
    try:
        enough = 1.96 * run.first.log_volume_se <= tolerance and not run.reasons
        # Walkers pay off where distance alone says little; against chance they are no help.
        noisy = run.difficulty.radial < _GAIN * run.difficulty.noise
        if stage == "hit-or-miss" or (stage == "auto" and (enough or noisy)):
            run.draws = draws.joined(draw(ask, second_key, sigma, left - left // 2))
            run.judge(calls)
        else:
            try:
                ladder = climb_ladder(ask, run.first, ladder_key, left - left // 2)
            except TooFewCalls:
                if stage == "ladder":
                    raise
                run.draws = draws.joined(draw(ask, second_key, sigma, left - left // 2))
                run.judge(calls)
    except Interrupted:
        stopped = True
    return run.verdict(ladder, calls, time.perf_counter() - began, stopped=stopped)


def _questions(
    oracle: AbstractOracle,
    centre: ArrayLike | None,
    directions: ArrayLike | None,
    region: Region | None,
    stop: Callable[[], bool] | None,
) -> Questions:
    """The arguments, checked."""
    if centre is None:
        centre = getattr(oracle, "minimum", None)
        if centre is None:
            raise ArgumentError(
                "centre=None: this oracle does not say where its basin is",
                "give a point deep in it",
            )
    point = np.asarray(centre, float).reshape(-1)
    if not np.isfinite(point).all() or not point.size:
        raise ArgumentError("centre must hold finite numbers")
    if directions is None:
        own = getattr(oracle, "directions", None)
        directions = np.eye(point.size) if own is None else own()
    rows = np.asarray(directions, float)
    if rows.ndim != 2 or rows.shape[1] != point.size or not len(rows):
        raise ArgumentError(
            f"directions has shape {rows.shape}, expected (dim, {point.size})",
            "one orthonormal row for each dimension of the volume",
        )
    if not np.allclose(rows @ rows.T, np.eye(len(rows)), atol=1e-8):
        raise ArgumentError("the rows of directions must be orthonormal", "use numpy.linalg.qr")
    return Questions(oracle, point, rows, region, stop)


@dataclasses.dataclass
class _Run:
    """Draws so far and what they say; `judge` brings it up to date."""

    ask: Questions
    widths: Float[np.ndarray, " widths"]
    key: PRNGKey
    draws: Draws
    repeats: tuple[np.ndarray, np.ndarray] | None = None

    def judge(self, calls: int) -> None:
        """Estimate the volume and the difficulty, and look for trouble."""
        self.first: HitOrMiss = estimate(self.draws, self.widths, self.ask.dim)
        deterministic = bool(getattr(self.ask.oracle, "deterministic", False))
        if self.repeats is None:
            self.repeats = (np.zeros(0, int), np.zeros(0, bool))
            if not deterministic:
                self.repeats = self._ask_again(calls)
        radius, count = self.draws.radius, self.first.draws
        weight = np.empty(len(radius))
        for begin in range(0, len(radius), 500_000):
            part = slice(begin, begin + 500_000)
            weight[part] = _inverse_density(self.widths, count, self.ask.dim, radius[part])
        self.difficulty: Difficulty = measure_difficulty(
            self.ask.dim, radius, weight, self.draws.hit, *self.repeats, deterministic=deterministic
        )
        self.reasons = self._doubts()

    def _ask_again(self, calls: int) -> tuple[np.ndarray, np.ndarray]:
        """A second, independent call at some of the hits, evenly over their radii."""
        rows = np.flatnonzero(self.draws.hit)
        most = int(min(_MOST_REPEATS, max(200, _REPEAT_SHARE * calls)))
        order = np.argsort(self.draws.radius[rows], kind="stable")
        some = np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int))
        picked = order[some]
        # The farthest hits tell about the tail: ask for all of them.
        picked = np.unique(np.concatenate([picked, order[-most // 4 :]]))
        try:
            again = self.ask(self.key, self.draws.points[picked])
        except Interrupted:
            return np.zeros(0, int), np.zeros(0, bool)
        return rows[picked], again

    def _doubts(self) -> tuple[str, ...]:
        """What speaks against the independent draws."""
        first, hard, asked = self.first, self.difficulty, self.ask.calls
        error = 1.96 * first.log_volume_se
        doubts = []
        if asked < _NEEDED * hard.noise:
            doubts.append(
                f"{asked:,} calls, and the noise of the oracle (C' = {hard.noise:.2g}) asks for "
                f"{_NEEDED * hard.noise:.1g} whatever the method"
            )
        if first.beyond > max(_BEYOND, 0.5 * error):
            doubts.append(
                f"{100 * first.beyond:.2g} % of the volume lies beyond the reach of the widest "
                "Gaussian: a wider one would find more"
            )
        if hard.unseen > max(_UNSEEN, 0.5 * error):
            doubts.append(
                f"the tail has not been reached: its trend puts {100 * hard.unseen:.2g} % of the "
                "volume beyond the farthest point that passed"
            )
        if first.largest > _LARGEST:
            doubts.append(f"one hit carries {100 * first.largest:.2g} % of the estimate")
        if first.hits.sum() < _LEAST_HITS:
            doubts.append(f"only {first.hits.sum()} points passed")
        return tuple(doubts)

    def verdict(
        self, ladder: TetheredLadder | None, calls: int, seconds: float, *, stopped: bool
    ) -> BasinVolume:
        """The record; a ladder replaces independent draws where it is sound and agrees."""
        first, reasons = self.first, list(self.reasons)
        log_volume, error = first.log_volume, 1.96 * first.log_volume_se
        square, square_error = first.mean_square, 1.96 * first.mean_square_se
        stage: Stage = "hit-or-miss"
        if ladder is not None:
            # Walkers find the arms of a sharp basin by themselves; a tail of chance they cannot.
            noisy = self.difficulty.noise > _SHARP
            doubts = [*(reasons if noisy else ()), *_ladder_doubts(ladder)]
            gap = ladder.log_volume - log_volume
            apart = abs(gap) > 3.0 * math.hypot(ladder.log_volume_se, first.log_volume_se)
            heavy = first.largest > _LARGEST or first.hits.sum() < _LEAST_HITS
            # Where a few heavy hits are all there is, independent draws have no say.
            if gap > 0 or not apart or heavy:
                log_volume, error, reasons = ladder.log_volume, ladder.error, doubts
                square = float(ladder.mean_square[-1])
                square_error = 2.365 * ladder.mean_square_se
                stage = "ladder"
            if apart:
                reasons.append(
                    f"the stages disagree: hit-or-miss {first.log_volume:.3f}, "
                    f"ladder {ladder.log_volume:.3f}"
                )
                error = max(error, abs(gap))
        if stopped and self.ask.calls < calls // 4:
            reasons.append("stopped before it was done")
        if any(doubt.startswith("the tail") for doubt in reasons):
            error -= math.log1p(-min(self.difficulty.unseen, 0.99))
        return BasinVolume(
            log_volume=log_volume,
            error=error,
            mean_square=square,
            mean_square_error=square_error,
            dim=self.ask.dim,
            calls=self.ask.calls,
            trusted=not reasons,
            reasons=tuple(reasons),
            stage=stage,
            difficulty=self.difficulty,
            hit_or_miss=first,
            ladder=ladder,
            seconds=seconds,
        )


def _inverse_density(
    widths: np.ndarray, count: np.ndarray, dim: int, radius: np.ndarray
) -> np.ndarray:
    """Inverse density of draws, in units of its least value: only ratios within shells count."""
    log_w = log_weights(widths, count, dim, radius)
    return np.exp(np.minimum(log_w, 600.0))


def _ladder_doubts(ladder: TetheredLadder) -> list[str]:
    """What speaks against a ladder."""
    doubts = []
    if ladder.exchange.min() < _EXCHANGE:
        doubts.append(
            f"neighbours on the ladder exchange only {100 * ladder.exchange.min():.2g} % of the "
            "times they try"
        )
    if abs(ladder.drift) > _DRIFT:
        doubts.append(
            f"the halves of the run on the ladder differ by {abs(ladder.drift):.1f} standard errors"
        )
    if ladder.error > 1.0:
        doubts.append(f"the interval spans a factor of {math.exp(2 * ladder.error):.2g}")
    return doubts
