"""Many chains in one compiled loop: warm-up, blocks of steps, checkpoints, and what came of it."""

import dataclasses
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import ArgumentError, PRNGKey, as_key

from . import _checkpoint
from ._advice import advise
from ._diagnostics import StoredCheck, compare_stored, summarise_check
from ._samples import Samples
from ._starts import begin
from ._stream import Draws, Record, advance, empty_record
from ._targets import NoisyEnergy, NoisyWeight, Oracle, Target, check_target
from ._warmup import WarmUp, warm_up, with_scale
from .kernels import AbstractKernel, check_pair, find_kernel

_BLOCKS = 20
"""Compiled calls of a run; between them there is progress, a checkpoint and Ctrl-C."""

_KEEP = 1_000
_MOST_NUMBERS = 50_000_000
"""Numbers kept at most, unless more are asked for."""

_CHECK_SHARE = 0.02
"""Share of the evaluations that on-line checks may take."""


@dataclasses.dataclass(frozen=True)
class SampleProgress:
    """Where a run stands.

    Attributes:
        phase: `warm-up` or `sampling`.
        steps: Steps done after warm-up.
        total: Steps wanted.
        acceptance: Share of moves accepted so far.
        seconds: Time since the call.
    """

    phase: str
    steps: int
    total: int
    acceptance: float
    seconds: float


class _Progress(eqx.Module):
    """All that a run needs to go on: what a checkpoint holds."""

    state: Any
    record: Record
    sums: np.ndarray
    evaluations: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Plan:
    """How steps are cut into compiled calls."""

    thin: int
    kept: int
    block: int
    fresh: int

    @property
    def steps(self) -> int:
        return self.thin * self.kept


def sample(  # noqa: PLR0913 - all but one have defaults
    target: Any,
    kernel: Any = "auto",
    *,
    chains: int = 1_000,
    steps: int = 4_000,
    warmup: int | None = None,
    key: PRNGKey | int = 0,
    start: Any = None,
    observe: Callable | None = None,
    keep: int | None = None,
    points: bool = False,
    checkpoint: str | Path | None = None,
    checkpoint_every: float = 30.0,
    report: Callable[[SampleProgress], None] | None = None,
    dtype: Any = None,
) -> Samples:
    """Sample an exact weight, a noisy weight, a noisy energy or an oracle with many chains.

    Everything that is adapted, the size of moves above all, is adapted in a warm-up that is thrown
    away, and then frozen. A run is fixed by its arguments: stopped and resumed from a checkpoint it
    gives the same bits. Ctrl-C ends it after the block in hand and returns what there is.

    Args:
        target: `ExactWeight`, `NoisyWeight`, `NoisyEnergy` or `Oracle`.
        kernel: A kernel, the name of one, or `"auto"`: chosen by a pilot of 32 × 8 draws
            (`thalweg.sampling.advise`), with the reason in `Samples.reason`.
        chains: Independent chains; error bars come from their scatter.
        steps: Steps of each after warm-up (rounded down to a multiple of the thinning).
        warmup: Steps before them; by default a quarter of `steps`, but at least 400.
        key: Random key, or a number to make one of.
        start: One point `(dof,)` or one for each chain, `(chains, dof)`. Default: uniform in the
            support, or standard normal without one. Weights of zero are drawn again.
        observe: Function of one point that returns a number or a vector: what to average over
            *all* steps. Default: the coordinates.
        keep: Draws to keep of each chain; by default 1,000, or what fits in memory.
        points: Also keep the weighted points of kernels that recycle waste (`Cloud`).
        checkpoint: File to go on from if it exists, and to write while running.
        checkpoint_every: Seconds between writes.
        report: Called with a `SampleProgress` after every block.
        dtype: Precision of points and weights; by default JAX's. `jnp.float32` is faster, and
            enough where log-weights stay below a thousand.

    Returns:
        Draws, averages and diagnostics.

    Raises:
        ArgumentError: if the kernel is not legal for the target, an argument is out of range, no
            start has a positive weight, or the target returns NaN.
        StoreError: if the checkpoint cannot be used, or belongs to another run.
    """
    began = time.perf_counter()
    check_target(target)
    _check(chains=chains, steps=steps)
    precision = jnp.dtype(
        dtype or (jnp.float64 if jax.config.read("jax_enable_x64") else "float32")
    )
    root = as_key(key)
    warm = max(400, steps // 4) if warmup is None else warmup
    if warm < 0:
        raise ArgumentError(f"warmup={warm} is negative")
    chosen, reason, pilot = _choose(kernel, target, jax.random.fold_in(root, 3), start)
    check_pair(chosen, target)
    state, rounds = begin(chosen, target, jax.random.fold_in(root, 0), start, chains, precision)
    plan = _plan(chosen, target, chains, steps, keep)
    facts = _facts(chosen, target, root, chains, plan, warm)
    run = _Run(chosen, target, observe, jax.random.fold_in(root, 2), plan, points)
    path = Path(checkpoint) if checkpoint is not None else None
    if path is not None and path.exists():
        run.resume(path, facts, state)
    else:
        if report:
            report(SampleProgress("warm-up", 0, plan.steps, math.nan, 0.0))
        frozen, state, story = warm_up(chosen, target, jax.random.fold_in(root, 1), state, warm)
        _refuse_bad(story.bad, "warm-up", state, frozen)
        spent = story.evaluations + pilot + rounds * chains * chosen.averaged
        run.start(frozen, state, dataclasses.replace(story, evaluations=spent))
    interrupted = run.drive(path, facts, checkpoint_every, report, began)
    return run.samples(reason, time.perf_counter() - began, interrupted=interrupted)


class _Run:
    """The mutable middle of a run."""

    def __init__(
        self,
        kernel: AbstractKernel,
        target: Target,
        observe: Callable | None,
        key: PRNGKey,
        plan: _Plan,
        points: bool,  # noqa: FBT001
    ):
        self.kernel = kernel
        self.target = target
        self.observe = observe
        self.key = key
        self.plan = plan
        self.points = points and kernel.recycles
        self.parts: list[Draws] = []
        self.done = 0

    def start(self, kernel: AbstractKernel, state: Any, story: WarmUp) -> None:
        """Begin after warm-up."""
        self.kernel = kernel
        self.story = story
        record = empty_record(kernel, self.target, self.observe, state)
        chains = kernel.position(state).shape[1]
        self.now = _Progress(state, record, np.zeros((6, chains)), np.zeros(chains, np.int64))
        self.visits = self.calls = 0

    def resume(self, path: Path, facts: dict[str, Any], state: Any) -> None:
        """Begin where a checkpoint left off."""
        self.start(self.kernel, state, WarmUp(0, 0, None, 0))
        header, now, kept = _checkpoint.load(path, facts, self.now)
        self.now = _Progress(
            now.state, now.record, np.asarray(now.sums), np.asarray(now.evaluations)
        )
        self.story = WarmUp(**header["warmup_story"])
        self.visits, self.calls = header["visits"], header["calls"]
        self.done = header["done"]
        scale = np.asarray(header["scale"]) if header["scale"] is not None else None
        if scale is not None:
            x = self.kernel.position(state)
            self.kernel = with_scale(self.kernel, scale.astype(x.dtype), x.dtype)
        if kept:
            points = kept[2:] if len(kept) > 2 else [None, None]
            self.parts = [Draws(kept[0], kept[1], points[0], points[1])]

    def drive(
        self,
        path: Path | None,
        facts: dict[str, Any],
        every: float,
        report: Callable[[SampleProgress], None] | None,
        began: float,
    ) -> bool:
        """Run the blocks that are left; whether somebody stopped it."""
        written = time.perf_counter()
        stopped = False
        try:
            while self.done < self.plan.kept:
                self._block()
                if path is not None and time.perf_counter() - written >= every:
                    self._save(path, facts)
                    written = time.perf_counter()
                if report:
                    report(self._where(began))
        except KeyboardInterrupt:
            stopped = True
        if path is not None:
            self._save(path, facts)
        return stopped

    def _block(self) -> None:
        size = min(self.plan.block, self.plan.kept - self.done)
        first = self.done * self.plan.thin
        state, record, draws = advance(
            self.kernel,
            self.target,
            self.observe,
            self.key,
            self.now.state,
            self.now.record,
            jnp.asarray(first),
            size,
            self.plan.thin,
            self.points,
        )
        _refuse_bad(int(np.sum(record.bad)), f"steps {first} to {first + size}", state, self.kernel)
        spent = self.now.evaluations + np.asarray(record.evaluations, dtype=np.int64)
        record = eqx.tree_at(lambda r: r.evaluations, record, jnp.zeros_like(record.evaluations))
        sums = self.now.sums
        if self.plan.fresh:
            # A stream of its own, beyond all step numbers.
            stream = jax.random.fold_in(jax.random.fold_in(self.key, 1 << 31), self.done)
            sums = sums + np.asarray(
                _check_block(self.kernel, self.target, stream, state, self.plan.fresh), np.float64
            )
            self.visits += self.plan.fresh
            self.calls += 2 * self.plan.fresh * sums.shape[1] * self.kernel.averaged
        self.parts.append(jax.tree.map(np.asarray, draws))
        # Nothing above is kept unless all of it came through.
        self.now = _Progress(state, record, sums, spent)
        self.done += size

    def _where(self, began: float) -> SampleProgress:
        record = self.now.record
        return SampleProgress(
            "sampling",
            self.done * self.plan.thin,
            self.plan.steps,
            float(jnp.mean(record.accepted / jnp.maximum(record.steps, 1))),
            time.perf_counter() - began,
        )

    def _save(self, path: Path, facts: dict[str, Any]) -> None:
        scale = self.kernel.scale
        _checkpoint.save(
            path,
            {
                **facts,
                "done": self.done,
                "visits": self.visits,
                "calls": self.calls,
                "scale": None if scale is None else np.asarray(scale).tolist(),
                "warmup_story": dataclasses.asdict(self.story),
            },
            self.now,
            self.parts,
        )

    def samples(self, reason: str, seconds: float, *, interrupted: bool) -> Samples:
        """What came of it."""
        if not self.parts:
            raise ArgumentError("stopped before the first block of steps was done")
        record = jax.tree.map(np.asarray, self.now.record)
        draws = jax.tree.map(lambda *all_: np.concatenate(all_), *self.parts)
        shifted = record.mean.astype(np.float64)
        square = record.square.astype(np.float64).mean(axis=1)
        letter = "x" if self.observe is None else "f"
        names = [letter] if len(shifted) == 1 else [f"{letter}[{i}]" for i in range(len(shifted))]
        return Samples(
            draws=np.moveaxis(draws.x, 1, 2).astype(np.float64),
            log_weights=draws.log_weight.astype(np.float64),
            points=None if draws.points is None else np.moveaxis(draws.points, 1, 3),
            weights=None if draws.weights is None else np.moveaxis(draws.weights, 1, 2),
            means=shifted + record.shift.astype(np.float64)[:, None],
            variance=np.maximum(square - shifted.mean(axis=1) ** 2, 0.0),
            names=tuple(names),
            steps=int(record.steps),
            thin=self.plan.thin,
            evaluations=self.now.evaluations,
            accepted=record.accepted,
            longest=record.longest,
            kernel=self.kernel,
            law=self.target.law,
            reason=reason,
            warmup=self.story,
            check=self._check(),
            seconds=seconds,
            interrupted=interrupted,
        )

    def _check(self) -> StoredCheck | None:
        if not self.visits:
            return None
        return summarise_check(self.now.sums, self.visits, self.calls)


@eqx.filter_jit
def _check_block(
    kernel: AbstractKernel, target: Target, key: PRNGKey, state: Any, visits: int
) -> jax.Array:
    """Sums over some comparisons of stored with fresh weights, `(six, chains)`."""

    def once(key: PRNGKey) -> jax.Array:
        one, two = jax.random.split(key)
        fresh, again = kernel.fresh(target, one, state), kernel.fresh(target, two, state)
        return compare_stored(kernel.log_weight(state), fresh, again)

    return jnp.sum(jax.lax.map(once, jax.random.split(key, visits)), axis=0)


def _choose(
    kernel: Any, target: Target, key: PRNGKey, start: Any
) -> tuple[AbstractKernel, str, int]:
    """The kernel, why, and what it cost to know."""
    if not (isinstance(kernel, str) and kernel == "auto"):
        return find_kernel(kernel), "", 0
    advice = advise(target, key, start=start)
    if advice.refused:
        raise ArgumentError(
            f"target cannot be sampled reliably: {advice.refused}",
            "bound the weights or make them less noisy; kernel=StoredWeight() runs it all the same",
        )
    return advice.kernel, advice.reason, advice.evaluations


def _plan(
    kernel: AbstractKernel, target: Target, chains: int, steps: int, keep: int | None
) -> _Plan:
    if keep is not None and keep < 1:
        raise ArgumentError(f"keep={keep} must be at least 1")
    room = max(4, _MOST_NUMBERS // (chains * (target.domain.dof + 1)))
    wanted = min(steps, keep or min(_KEEP, room))
    thin = math.ceil(steps / wanted)
    kept = steps // thin
    block = math.ceil(kept / _BLOCKS)
    fresh = 0
    if kernel.stored and isinstance(target, NoisyWeight | Oracle):
        fresh = int(_CHECK_SHARE * block * thin / 2)
        fresh = min(8, fresh) if fresh else int(block * thin >= 10)
    return _Plan(thin, kept, block, fresh)


def _facts(
    kernel: AbstractKernel, target: Target, key: PRNGKey, chains: int, plan: _Plan, warm: int
) -> dict[str, Any]:
    """What must be the same for a checkpoint to be gone on from."""
    return {
        "kernel": kernel.name,
        "target": type(target).__name__,
        "key": np.asarray(jax.random.key_data(key)).tolist(),
        "chains": chains,
        "steps": plan.steps,
        "thin": plan.thin,
        "warmup": warm,
        "first_weights": _fingerprint(target),
    }


def _fingerprint(target: Target) -> list[float]:
    """Weights at a few points with fixed noise: another function gives other numbers."""
    x = jnp.linspace(0.1, 0.9, 4 * target.domain.dof).reshape(target.domain.dof, 4)
    support = target.domain.support
    if support is not None:
        x = support.uniform(jax.random.key(7), target.domain.dof, 4)
    key = jax.random.key(11)
    if isinstance(target, NoisyWeight):
        value = target.draw(key, x)
    elif isinstance(target, Oracle):
        value = target.draw(key, x).astype(x.dtype)
    elif isinstance(target, NoisyEnergy):
        value = target.draw(key, x)[0]
    else:
        value = target.values(x)
    value = jnp.where(jnp.isfinite(value), value, 0.0)
    return [float(f"{v:.6g}") for v in np.asarray(value)]


def _refuse_bad(bad: int, when: str, state: Any, kernel: AbstractKernel) -> None:
    if bad:
        x = np.asarray(kernel.position(state))[:, 0]
        raise ArgumentError(
            f"target returned NaN or an infinite weight {bad} times in {when} (the first chain was "
            f"near x = {np.array2string(x, precision=4, threshold=6)})",
            "a weight of zero is -inf; NaN comes from the logarithm of a negative number, which no "
            "weight may be",
        )


def _check(**numbers: int) -> None:
    for name, value in numbers.items():
        if value < 1:
            raise ArgumentError(f"{name}={value} must be at least 1")
