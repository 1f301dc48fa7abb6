r"""Targets out of what people have: minibatches, committees, quenches, inner runs, data sets.

Each says which of the three noisy types it makes, because that decides what is sampled:

| you have | adapter | type | law |
|---|---|---|---|
| a loss that is a sum over data | `minibatch_energy` | noisy energy | $e^{-\sum_i\ell_i/kT}$ |
| a committee of energies | `committee_energy` | noisy energy | $e^{-\langle E\rangle/kT}$ |
| the same | `committee_weight` | noisy weight | $\langle e^{-E/kT}\rangle$ |
| a stochastic descent | `basin_oracle` | oracle | probability to end in the basin |
| an inner simulation | `inner_weight` | noisy weight | its average result |
| a function outside JAX | `host_weight` | noisy weight | its average result |
| repeated measurements | `Replicates` | noisy weight | mean of each condition's repeats |
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from thalweg.core import ArgumentError, Array, Bool, Float, PRNGKey, Scalar, host_call

from ._support import AbstractSupport
from ._targets import NoisyEnergy, NoisyWeight, Oracle
from .kernels import StateMove, StoredWeight

Chains = Float[Array, "dof chains"]


def minibatch_energy(
    terms: Callable,
    data: Any,
    shape: tuple[int, ...],
    *,
    batch: int,
    kt: float = 1.0,
    prior: Callable | None = None,
) -> NoisyEnergy:
    r"""A loss that is a sum over data, seen through minibatches.

    $\hat E = \frac{N}{b}\sum_{i \in B}\ell(x, d_i)$ over a batch drawn with replacement is unbiased
    for the sum over all data; its variance is estimated from the batch, $N^2 s_\ell^2/b$. By the
    central limit theorem the noise is close to Gaussian for large batches, as the penalty method
    needs.

    Args:
        terms: `(x, datum) → ℓ`: the loss of one datum.
        data: Array or pytree of arrays whose first axis counts the data.
        shape: Shape of a point.
        batch: Data in a batch.
        kt: Temperature in the unit of the loss.
        prior: Exact log-density of a point.

    Raises:
        ArgumentError: if `batch` is below 2, or arrays disagree about how many data there are.
    """
    arrays = jax.tree.map(jnp.asarray, data)
    counts = {len(leaf) for leaf in jax.tree.leaves(arrays)}
    if len(counts) != 1:
        raise ArgumentError(f"data holds arrays of {sorted(counts)} items, expected one length")
    (total,) = counts
    if batch < 2:
        raise ArgumentError(f"batch={batch} must be at least 2: its variance is estimated")

    def energy(key: PRNGKey, x: Array) -> tuple[Scalar, Scalar]:
        chosen = jax.random.randint(key, (batch,), 0, total)
        some = jax.tree.map(lambda leaf: leaf[chosen], arrays)
        losses = jax.vmap(lambda datum: terms(x, datum))(some)
        variance = total**2 * jnp.var(losses, ddof=1) / batch
        return total * jnp.mean(losses), variance

    return NoisyEnergy(energy, shape, variance="returned", samples=batch, kt=kt, prior=prior)


def committee_energy(
    members: Sequence[Callable],
    shape: tuple[int, ...],
    *,
    draws: int = 4,
    kt: float = 1.0,
    support: AbstractSupport | None = None,
) -> NoisyEnergy:
    """A committee of energies as one noisy energy: members drawn at random are repeats.

    It samples the weight at the committee's *mean energy*. The variance is estimated from the
    members drawn.

    Args:
        members: Energies of one point.
        shape: Shape of a point.
        draws: Members drawn, with replacement, for one energy.
        kt: Temperature in the unit of the energies.
        support: Where walkers may go.

    Raises:
        ArgumentError: if there are fewer than two members or draws.
    """
    _check_committee(members, draws)

    def energy(key: PRNGKey, x: Array) -> tuple[Scalar, Scalar]:
        chosen = jax.random.randint(key, (draws,), 0, len(members))
        values = jnp.stack([jnp.asarray(member(x)) for member in members])[chosen]
        return jnp.mean(values), jnp.var(values, ddof=1) / draws

    return NoisyEnergy(energy, shape, variance="returned", samples=draws, kt=kt, support=support)


def committee_weight(
    members: Sequence[Callable],
    shape: tuple[int, ...],
    *,
    kt: float = 1.0,
    support: AbstractSupport | None = None,
) -> NoisyWeight:
    """A committee of energies as a noisy weight: each draw is one member's Boltzmann weight.

    It samples the committee's *mean weight*, which members with low energies dominate: what one
    believes if one of the members is right and nobody knows which.

    Args:
        members: Energies of one point.
        shape: Shape of a point.
        kt: Temperature in the unit of the energies.
        support: Where walkers may go.

    Raises:
        ArgumentError: if there are fewer than two members.
    """
    _check_committee(members, 2)

    def weight(key: PRNGKey, x: Array) -> Scalar:
        one = jax.random.randint(key, (), 0, len(members))
        return -jnp.stack([jnp.asarray(member(x)) for member in members])[one] / kt

    return NoisyWeight(weight, shape, support=support)


def basin_oracle(
    descend: Callable,
    reference: Any,
    *,
    tolerance: float,
    shape: tuple[int, ...],
    support: AbstractSupport | None = None,
) -> Oracle:
    """Membership in a basin of attraction under a descent that may be stochastic.

    Args:
        descend: `(key, x) → x_end`. It is part of the definition of the basin: another minimiser
            has other basins.
        reference: The minimum, of the shape of a point.
        tolerance: Distance from it within which an end point counts.
        shape: Shape of a point.
        support: Where walkers may go.

    Raises:
        ArgumentError: if the tolerance is not positive.
    """
    if not tolerance > 0:
        raise ArgumentError(f"tolerance={tolerance} must be positive")
    centre = jnp.asarray(reference).reshape(shape)

    def ask(key: PRNGKey, x: Array) -> Bool[Array, ""]:
        away = descend(key, x) - centre.astype(x.dtype)
        return jnp.sqrt(jnp.sum(away * away)) < tolerance

    return Oracle(ask, shape, support=support)


def inner_weight(
    simulate: Callable,
    shape: tuple[int, ...],
    *,
    runs: int = 1,
    support: AbstractSupport | None = None,
    prior: Callable | None = None,
) -> NoisyWeight:
    """The average result of an inner simulation as a weight.

    Args:
        simulate: `(key, x) → result`, one number that is never negative. A negative one makes a
            NaN, which `sample` refuses.
        shape: Shape of a point.
        runs: Inner runs that are averaged into one weight.
        support: Where walkers may go.
        prior: Exact log-density of a point.

    Raises:
        ArgumentError: if there is no run.
    """
    if runs < 1:
        raise ArgumentError(f"runs={runs} must be at least 1")

    def weight(key: PRNGKey, x: Array) -> Scalar:
        results = jax.vmap(lambda key: simulate(key, x))(jax.random.split(key, runs))
        lowest, mean = jnp.min(results), jnp.mean(results)
        return jnp.log(jnp.where(lowest < 0, jnp.nan, mean))

    return NoisyWeight(weight, shape, support=support, prior=prior)


def host_weight(
    function: Callable[[int, np.ndarray], float],
    shape: tuple[int, ...],
    *,
    support: AbstractSupport | None = None,
    prior: Callable | None = None,
) -> NoisyWeight:
    """A Python function outside JAX as a noisy weight.

    All chains of a step are one visit to the host. For a laboratory, or anything that answers
    late or not at all, chains in a loop are the wrong tool.

    Args:
        function: `(seed, x) → weight`, never negative. All its randomness must come from the
            seed, so that a run can be repeated. It must not call JAX.
        shape: Shape of a point.
        support: Where walkers may go.
        prior: Exact log-density of a point.
    """

    def visit(seeds: np.ndarray, x: np.ndarray) -> np.ndarray:
        points = np.moveaxis(x, -1, 0)
        pairs = zip(seeds, points, strict=True)
        values = [float(function(int(seed), one.reshape(shape))) for seed, one in pairs]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(np.array(values)).astype(x.dtype)

    def block(key: PRNGKey, x: Chains) -> Float[Array, " chains"]:
        seeds = jax.random.randint(key, x.shape[1:], 0, 2**31 - 1, jnp.int32)
        out = jax.ShapeDtypeStruct(x.shape[1:], x.dtype)
        return host_call(visit, out, seeds, x)

    return NoisyWeight(block=block, shape=shape, support=support, prior=prior)


@dataclasses.dataclass(frozen=True, eq=False)
class Replicates:
    """Repeated measurements of several conditions, to be sampled in proportion to their means.

    A draw of a condition's weight is one of its measurements, picked at random, so nothing is
    averaged away; a chain visits conditions in proportion to their average measurement.

    Attributes:
        conditions: One row for each condition, in the order of the states; with the columns
            `repeats`, `mean` and `error`.
        target: The noisy weight over the numbers of the conditions.
        kernel: A kernel whose moves go from any condition to any other.
    """

    conditions: pd.DataFrame
    target: NoisyWeight
    kernel: StoredWeight

    @classmethod
    def read(
        cls, data: str | Path | pd.DataFrame, value: str, by: Sequence[str] | None = None
    ) -> "Replicates":
        """Read a CSV file or a data frame with one measurement a row.

        Args:
            data: The table.
            value: Column of the measurements; none may be negative.
            by: Columns that make a condition; default all others.

        Raises:
            ArgumentError: if a column is missing, a value is negative or not a number, or there
                are fewer than two conditions.
        """
        table = data if isinstance(data, pd.DataFrame) else pd.read_csv(data)
        columns = list(by) if by is not None else [c for c in table.columns if c != value]
        missing = [name for name in [value, *columns] if name not in table.columns]
        if missing or not columns:
            raise ArgumentError(
                f"data has no column {', '.join(missing) or 'besides the value'}",
                f"it has {', '.join(map(str, table.columns))}",
            )
        measured = np.asarray(pd.to_numeric(table[value], errors="coerce"), dtype=float)
        if not np.isfinite(measured).all() or (measured < 0).any():
            row = int(np.flatnonzero(~(np.isfinite(measured) & (measured >= 0)))[0])
            raise ArgumentError(
                f"value column {value!r}, row {row}: {table[value].iloc[row]!r} is no weight",
                "a weight is a finite number that is not negative; do not set negative ones to "
                "zero, which would bias the mean: subtract less background, or use a threshold",
            )
        groups = table.assign(**{value: measured}).groupby(columns, sort=True)[value]
        summary = groups.agg(["size", "mean", "sem"]).reset_index()
        summary.columns = pd.Index([*columns, "repeats", "mean", "error"])
        if len(summary) < 2:
            raise ArgumentError(f"data holds {len(summary)} condition, expected at least two")
        lists = [part.to_numpy() for _, part in groups]
        most = max(map(len, lists))
        padded = jnp.asarray(np.stack([np.resize(one, most) for one in lists]))
        counts = jnp.asarray([len(one) for one in lists])

        def block(key: PRNGKey, x: Chains) -> Float[Array, " chains"]:
            state = x[0].astype(int)
            u = jax.random.uniform(key, state.shape, x.dtype)
            pick = jnp.floor(u * counts[state].astype(x.dtype)).astype(int)
            return jnp.log(padded[state, jnp.minimum(pick, counts[state] - 1)]).astype(x.dtype)

        kernel = StoredWeight(proposal=StateMove(len(lists)))
        return cls(summary, NoisyWeight(block=block), kernel)


def _check_committee(members: Sequence[Callable], draws: int) -> None:
    if len(members) < 2 or draws < 2 or not all(callable(member) for member in members):
        raise ArgumentError(
            f"members holds {len(members)} items and draws={draws}: a committee is at least two "
            "functions of a point, of which at least two are drawn"
        )


__all__ = [
    "Replicates",
    "basin_oracle",
    "committee_energy",
    "committee_weight",
    "host_weight",
    "inner_weight",
    "minibatch_energy",
]
