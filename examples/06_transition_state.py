"""A transition state found by an oracle that hardly ever passes: a cloud beside a softness ladder.

Particles fly from x with a random kinetic energy along a barrier of 12 kT; a point passes if the
energy carries it over. Where the search begins, at two widths of the barrier, five in a million
pass. A cloud of trial points finds the top after some 10⁵ oracle calls, however many points it has.
Replicas that ask for 1, 1/4, 1/16 and 1/64 of the energy, and exchange points with the draws that
they kept, need some fifty, and then sample the strict question exactly. `SMOKE=1` runs less.

Source of problem and cloud: Frenkel, Schrenk & Martiniani, PNAS 114, 6924 (2017).
"""

import math
import os

import jax
import jax.numpy as jnp
import numpy as np

import thalweg as tw
from thalweg.sampling import softness_ladder

tw.enable_float64()
SMOKE = bool(os.environ.get("SMOKE"))
TOP = 30.0 / math.sqrt(2.0 * math.pi)
START = 2.0 - 1e-9
EXACT = 0.06324  # ⟨x²⟩ under p(x) = erfc √(V(0) - V(x)), by quadrature


def cost(x):
    """Energy that is missing at x, in kT; infinite where a search may not go."""
    return jnp.where(jnp.abs(x) < 2.0, TOP - TOP * jnp.exp(-0.5 * x * x), jnp.inf)


def kinetic(key):
    """Kinetic energy of one degree of freedom, in kT."""
    return 0.5 * jax.random.normal(key, (), jnp.float64) ** 2


def crosses(x, energy, softness):
    """Whether the energy carries a particle over, asked with the given softness."""
    return softness * energy > cost(x[0])


def cloud(key, drops, steps, chains, width=0.25):
    """Oracle calls until the backbone of each cloud is within 1 of the top; infinity if never."""

    def passes(key, backbone):
        shift_key, energy_key = jax.random.split(key)
        shape = (chains, drops)
        x = backbone[:, None] + width * jax.random.uniform(shift_key, shape, minval=-1, maxval=1)
        energy = 0.5 * jax.random.normal(energy_key, shape) ** 2
        return jnp.sum(energy > cost(x), axis=1)

    def step(state, number):
        backbone, weight, first = state
        move_key, ask_key, accept_key = jax.random.split(jax.random.fold_in(key, number), 3)
        trial = backbone + width * jax.random.uniform(move_key, (chains,), minval=-1, maxval=1)
        new = passes(ask_key, trial)
        # The stored weight of the old cloud, never a new one; a cloud without a pass takes any.
        accept = jax.random.uniform(accept_key, (chains,)) * jnp.maximum(weight, 1e-300) < new
        backbone = jnp.where(accept, trial, backbone)
        weight = jnp.where(accept, new.astype(float), weight)
        arrived = (jnp.abs(backbone) < 1.0) & (weight > 0)
        first = jnp.where(arrived & jnp.isinf(first), (number + 1.0) * drops, first)
        return (backbone, weight, first), None

    begin = (jnp.full(chains, START), jnp.zeros(chains), jnp.full(chains, jnp.inf))
    run = jax.jit(lambda: jax.lax.scan(step, begin, jnp.arange(steps))[0][2])
    return np.asarray(run())


def main():
    """Both searches, then the law of the ladder's strict replica."""
    calls = cloud(jax.random.key(0), 75, 1_000 if SMOKE else 20_000, 8 if SMOKE else 48)
    print(f"cloud of 75: median first passage {np.median(calls):,.0f} oracle calls")
    samples = softness_ladder(
        crosses, kinetic, [START], jax.random.key(1), sweeps=3_000, chains=100 if SMOKE else 600
    )
    first = samples.first_calls(lambda x: np.abs(x[..., 0]) < 1.0)
    square = np.mean(samples.points[500:, :, 0] ** 2, axis=0)
    error = square.std(ddof=1) / math.sqrt(len(square))
    print(
        f"softness ladder: median {np.median(first):.0f} calls, 95 % within "
        f"{np.quantile(first, 0.95):.0f}; ⟨x²⟩ = {square.mean():.5f} ± {error:.5f} (exact {EXACT})"
    )
    assert np.median(first) < 100
    assert abs(square.mean() - EXACT) < 5 * error
    assert np.median(calls) > 500 * np.median(first)


if __name__ == "__main__":
    main()
