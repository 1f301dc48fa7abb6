"""Monte Carlo steps per CPU-second: a thousand chains in a one-dimensional double well, float32.

Everything runs in this process, in turns; the best of nine turns counts, since a busy neighbour
only ever slows. Thalweg's figures include its diagnostics, its kept draws
and its self-checks; BlackJAX's random walk has an exact weight and keeps nothing but the chain's
state; the Python loop is one chain with a weight from a callback. Compilation is not counted.
"""

import importlib.util
import math
import random
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from _report import Report, ratio

from thalweg import sampling as ts

CHAINS = 1_000


def run(*, quick: bool) -> Report:
    """All ways, in turns."""
    report = Report("sampling", "Steps per CPU-second, a thousand chains, one dimension, float32")
    steps = 2_000 if quick else 10_000
    ways = dict(_ours(steps))
    if importlib.util.find_spec("blackjax") is None:
        report.notes.append("BlackJAX is not installed")
    else:
        ways["BlackJAX random walk, exact"] = (1, _blackjax(steps))
    ways["Python loop over NumPy numbers"] = (1, _numpy(steps))
    ways["Python loop, standard library"] = (1, _python(steps))
    for _, work in ways.values():
        work()  # compiles
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(1 if quick else 9):
        for name, (_, work) in ways.items():
            began = time.process_time()
            done = work()
            taken[name].append(done / (time.process_time() - began))
    best = {name: max(rates) for name, rates in taken.items()}
    peer = best.get("BlackJAX random walk, exact")
    loop = best["Python loop over NumPy numbers"]
    base = best["Thalweg, Metropolis, exact"]
    for name, rate in best.items():
        calls = ways[name][0]
        report.add(
            code=name,
            **{
                "steps/s": rate,
                "BlackJAX ×": ratio(rate, peer),
                "Python loop ×": ratio(rate, loop),
                "cost of a call / Metropolis": ratio(base, rate * calls),
            },
        )
    return report


def _energy(x):
    return 4 * (x * x - 1) ** 2 + 0.5 * x


def _ours(steps: int) -> list[tuple[str, tuple[int, Callable[[], int]]]]:
    def noise(key, x):
        return jax.random.normal(key, x.shape[1:], x.dtype)

    exact = ts.ExactWeight(block=lambda x: -_energy(x[0]))
    weight = ts.NoisyWeight(block=lambda key, x: noise(key, x) - 0.5 - _energy(x[0]))
    mapped = ts.NoisyWeight(lambda key, x: jax.random.normal(key, (), x.dtype) - 0.5 - _energy(x))
    energy = ts.NoisyEnergy(block=lambda key, x: _energy(x[0]) + noise(key, x), variance=1.0)

    def way(target, kernel):
        def work() -> int:
            found = ts.sample(
                target, kernel, chains=CHAINS, steps=steps, warmup=0, start=-1.0, dtype=jnp.float32
            )
            return found.steps * CHAINS

        return work

    return [
        ("Thalweg, Metropolis, exact", (1, way(exact, ts.Metropolis(scale=1.0)))),
        ("Thalweg, stored weight", (1, way(weight, ts.StoredWeight(scale=1.0)))),
        ("Thalweg, stored weight, point by point", (1, way(mapped, ts.StoredWeight(scale=1.0)))),
        ("Thalweg, penalty", (2, way(energy, ts.Penalty(scale=1.0)))),
    ]


def _blackjax(steps: int) -> Callable[[], int]:
    """The library's own idiom: vmap over chains of a scan over steps."""
    import blackjax

    kernel = blackjax.additive_step_random_walk(
        lambda x: -_energy(x), blackjax.mcmc.random_walk.normal(jnp.float32(1.0))
    )

    @jax.jit
    def chains(key):
        def one(key):
            state = kernel.init(jnp.float32(-1.0))

            def step(state, key):
                return kernel.step(key, state)[0], None

            return jax.lax.scan(step, state, jax.random.split(key, steps))[0]

        return jax.vmap(one)(jax.random.split(key, CHAINS))

    def work() -> int:
        jax.block_until_ready(chains(jax.random.key(0)))
        return steps * CHAINS

    return work


def _numpy(steps: int) -> Callable[[], int]:
    """What a user's own script looks like: one chain, NumPy numbers, the weight a callback."""

    def log_weight(x, generator):
        return generator.normal() - 0.5 - _energy(x)

    def work() -> int:
        generator = np.random.default_rng(0)  # noqa: TID251 - a user's own loop
        x = np.array(-1.0)
        total = square = np.zeros(())
        accepted, trace = 0, []
        stored = log_weight(x, generator)
        for _ in range(2 * steps):
            trial = x + generator.normal()
            new = log_weight(trial, generator)
            if np.log(generator.uniform()) < new - stored:
                x, stored, accepted = trial, new, accepted + 1
            total, square = total + x, square + x * x
            trace.append(x)
        return 2 * steps

    return work


def _python(steps: int) -> Callable[[], int]:
    def log_weight(x, generator):
        return generator.gauss(0.0, 1.0) - 0.5 - _energy(x)

    def work() -> int:
        generator = random.Random(0)
        x, total, square, accepted, trace = -1.0, 0.0, 0.0, 0, []
        stored = log_weight(x, generator)
        for _ in range(4 * steps):
            trial = x + generator.gauss(0.0, 1.0)
            new = log_weight(trial, generator)
            if math.log(1.0 - generator.random()) < new - stored:
                x, stored, accepted = trial, new, accepted + 1
            total += x
            square += x * x
            trace.append(x)
        return 4 * steps

    return work
