"""Basin hopping: a random walk over minima, many walkers at once."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from thalweg.core import (
    AbstractSolver,
    Finished,
    Lanes,
    Outcome,
    PRNGKey,
    System,
    retract_rows,
    solve_many,
    start_points,
)

from ._lbfgs import LBFGS

_GAIN = 0.1
"""How fast steps adapt: a hop changes the logarithm of its walker's step by at most this."""

_STEP_RANGE = (0.02, 2.0)
"""Steps stay within these, in units of the system's `length`."""

_EXCHANGE = 2**31 - 1
"""Hop numbers from here downwards name the random numbers of exchanges."""

_DRAWN = 64
"""Walkers whose random numbers one compiled call draws; the last block is padded."""


@dataclasses.dataclass(frozen=True)
class BasinHopping:
    """Metropolis over quenched minima.

    A hop displaces every coordinate of a walker's minimum uniformly within its step, quenches,
    and is accepted with probability `min(1, exp(-ΔE / T))`. Each walker adapts its own step
    towards the target acceptance. Walkers form ladders of `replicas` temperatures, evenly spaced
    in their logarithm from `temperature` to `top_temperature`; neighbours on a ladder exchange
    their minima with the parallel-tempering probability whenever `exchange` is called.

    Attributes:
        temperature: Lowest temperature, in the energy unit; 0 accepts only what is not higher.
        top_temperature: Highest temperature of a ladder.
        replicas: Walkers on a ladder; 1 means no exchange.
        step: First step, in units of the system's `length`.
        acceptance: Share of hops that the steps are adapted to.
        minimiser: How hops are quenched.

    Source: Li & Scheraga, PNAS 84, 6611 (1987); Wales & Doye, J. Phys. Chem. A 101, 5111 (1997);
    exchange as in Strodel, Lee, Whittleston & Wales, J. Am. Chem. Soc. 132, 13300 (2010).
    """

    temperature: float = 0.8
    top_temperature: float = 2.0
    replicas: int = 1
    step: float = 0.4
    acceptance: float = 0.5
    minimiser: AbstractSolver = dataclasses.field(default_factory=lambda: LBFGS(tol=1e-5))

    def temperatures(self, walkers: int) -> Float[np.ndarray, " walkers"]:
        """Temperature of every walker: ladders one after another."""
        rung = np.arange(walkers) % self.replicas / max(1, self.replicas - 1)
        low = max(self.temperature, 1e-300)
        ladder = low * (self.top_temperature / low) ** rung
        return np.where(rung == 0, self.temperature, ladder)

    def begin(
        self, system: System, key: PRNGKey, walkers: int, seeds: Float[np.ndarray, "n dof"] | None
    ) -> "Walkers":
        """Walkers at quenched starts: the seeds in turn, or random starts."""
        if seeds is None or not len(seeds):
            starts = np.asarray(start_points(system, key, 0, walkers))
        else:
            starts = np.asarray(seeds)[np.arange(walkers) % len(seeds)]
        quenched = solve_many(system, self.minimiser, starts)
        good = quenched.outcome == Outcome.success
        return Walkers(
            name=np.arange(walkers),
            x=np.where(good[:, None], quenched.x, starts),
            energy=np.where(good, quenched.value, np.inf),
            step=np.full(walkers, self.step),
            hop=np.zeros(walkers, int),
        )

    def hop(
        self,
        system: System,
        key: PRNGKey,
        walkers: "Walkers",
        hops: int,
        *,
        width: int | None = None,
    ) -> tuple["Walkers", Finished]:
        """Let every walker make `hops` hops.

        Walkers do not wait for one another, and what a walker does depends on the key and its own
        past alone.

        Args:
            system: What is explored.
            key: Root key; hop `h` of walker `w` uses `fold_in(fold_in(key, w), h)`.
            walkers: Where they are.
            hops: Hops of each.
            width: Lanes.

        Returns:
            The walkers afterwards, and all quenches, `(walkers, hops, …)`.
        """
        count = len(walkers.energy)
        temperature = self.temperatures(int(walkers.name.max()) + 1)[walkers.name]
        lanes = Lanes(system, self.minimiser, width)
        now = jax.tree.map(np.copy, walkers)
        ids, parts = [], []

        uniform = np.zeros(count)

        def feed(who: Int[np.ndarray, " n"]) -> None:
            if len(who):
                noise, uniform[who] = _draws(key, now.name[who], now.hop[who], system.space.dof)
                moved = now.x[who] + system.length * now.step[who, None] * noise
                lanes.feed(who, retract_rows(system.space, moved))

        feed(np.arange(count))
        while lanes.busy:
            who, finished = lanes.poll()
            if not len(who):
                continue
            chance = uniform[who]
            accepted = self._accept(finished, now.energy[who], temperature[who], chance)
            now.x[who[accepted]] = finished.x[accepted]
            now.energy[who[accepted]] = finished.value[accepted]
            # A geometric random walk whose fixed point is the target acceptance.
            rate = np.where(accepted, 1.0 - self.acceptance, -self.acceptance)
            now.step[who] = np.clip(now.step[who] * np.exp(_GAIN * rate), *_STEP_RANGE)
            ids.append(who * hops + now.hop[who] - walkers.hop[who])
            parts.append(finished)
            now.hop[who] += 1
            feed(who[now.hop[who] < walkers.hop[who] + hops])
        order = np.argsort(np.concatenate(ids))

        def rows(*pieces: np.ndarray) -> np.ndarray:
            joined = np.concatenate(pieces)[order]
            return joined.reshape(count, hops, *joined.shape[1:])

        return now, jax.tree.map(rows, *parts)

    @staticmethod
    def _accept(
        finished: Finished,
        energy: Float[np.ndarray, " n"],
        temperature: Float[np.ndarray, " n"],
        uniform: Float[np.ndarray, " n"],
    ) -> Bool[np.ndarray, " n"]:
        rise = np.where(np.isfinite(energy), finished.value - energy, -np.inf)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            chance = np.where(rise <= 0, 1.0, np.exp(-rise / temperature))
        return (finished.outcome == Outcome.success) & (uniform < chance)

    def exchange(self, key: PRNGKey, walkers: "Walkers") -> "Walkers":
        """Swap minima between neighbours on each ladder, even and odd pairs in turn."""
        if self.replicas == 1:
            return walkers
        x, energy = walkers.x.copy(), walkers.energy.copy()
        temperature = self.temperatures(len(energy))
        turn = int(walkers.hop.max())
        _, uniform = _draws(key, walkers.name, np.full(len(energy), _EXCHANGE - turn), 1)
        for low in range(len(energy) - 1):
            rung = low % self.replicas
            if rung == self.replicas - 1 or rung % 2 != turn % 2:
                continue
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                cold, hot = 1.0 / temperature[low], 1.0 / temperature[low + 1]
                gain = (cold - hot) * (energy[low] - energy[low + 1])
                swap = uniform[low] < np.exp(np.minimum(0.0, gain))
            if swap:
                x[[low, low + 1]] = x[[low + 1, low]]
                energy[[low, low + 1]] = energy[[low + 1, low]]
        return dataclasses.replace(walkers, x=x, energy=energy)


class Walkers(eqx.Module):
    """Where basin hopping is; one row a walker.

    Attributes:
        name: Number of every walker; its random numbers belong to it.
        x: Current minimum, `(walkers, dof)`.
        energy: Its energy, infinite before the first success.
        step: Step, in units of the system's `length`.
        hop: Hops made so far.
    """

    name: Int[np.ndarray, " walkers"]
    x: Float[np.ndarray, "walkers dof"]
    energy: Float[np.ndarray, " walkers"]
    step: Float[np.ndarray, " walkers"]
    hop: Int[np.ndarray, " walkers"]

    def to_json(self) -> dict[str, Any]:
        """Plain values that `from_json` reads back exactly."""
        energy = [e if np.isfinite(e) else None for e in self.energy.tolist()]
        rest = {name: getattr(self, name).tolist() for name in ("name", "x", "step", "hop")}
        return rest | {"energy": energy}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> "Walkers":
        """The walkers that `to_json` wrote."""
        energy = np.array([np.inf if e is None else e for e in plain["energy"]])
        rest = {name: np.array(plain[name]) for name in ("name", "x", "step", "hop")}
        return cls(energy=energy, **rest)


@eqx.filter_jit
def _draw_block(key: PRNGKey, name: Array, hop: Array, like: Array) -> tuple[Array, Array]:
    def one(name: Array, hop: Array) -> tuple[Array, Array]:
        item = jax.random.fold_in(jax.random.fold_in(key, name), hop)
        noise_key, chance_key = jax.random.split(item)
        noise = jax.random.uniform(noise_key, like.shape, minval=-1.0, maxval=1.0)
        return noise, jax.random.uniform(chance_key)

    return jax.vmap(one)(name, hop)


def _draws(
    key: PRNGKey, name: Int[np.ndarray, " n"], hop: Int[np.ndarray, " n"], dof: int
) -> tuple[Float[np.ndarray, "n dof"], Float[np.ndarray, " n"]]:
    """Random displacements in [-1, 1) and numbers in [0, 1) of walkers at their hops."""
    noises, chances = [], []
    for first in range(0, len(name), _DRAWN):
        part = slice(first, first + _DRAWN)
        pad = (0, _DRAWN - len(name[part]))
        at = jnp.asarray(np.pad(name[part], pad)), jnp.asarray(np.pad(hop[part], pad))
        noise, chance = _draw_block(key, *at, jnp.zeros(dof))
        noises.append(np.asarray(noise)[: len(name[part])])
        chances.append(np.asarray(chance)[: len(name[part])])
    return np.concatenate(noises), np.concatenate(chances)
