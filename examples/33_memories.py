"""How well memories remember: a classical and a modern Hopfield network against theory.

Left: 1,000 graded units store random patterns; a descent from each pattern ends at an overlap with
it that follows the self-consistent signal-to-noise analysis of Shiino & Fukai, J. Phys. A 25, L375
(1992), up to the load where retrieval ends. Middle: a modern network stores 2,000 patterns in
64 dimensions; the error of one update stays below the bound of Ramsauer et al. (ICLR 2021). Right:
the three kinds of minima, stored patterns, mixtures of similar ones and the average of all, as the
gain grows. For three orthonormal patterns pattern and average are equally deep at beta = 4 ln 2,
as in the three-state Potts model.

Writes one figure; `SMOKE=1` takes fewer loads.
"""

import math
import os

import jax
import jax.numpy as jnp
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw
from thalweg.core import FreeSpace, NormalStart
from thalweg.energies import DenseMemory, memory_states, random_directions, retrieval
from thalweg.landscape import stationary_points
from thalweg.search import quench_many

SMOKE = bool(os.environ.get("SMOKE"))
UNITS, GAIN = 1000, 5
LOADS = (0.02, 0.2) if SMOKE else (0.01, 0.02, 0.04, 0.06, 0.08, 0.09, 0.1, 0.12, 0.15, 0.2)
NODES = np.linspace(-8.0, 8.0, 4001)
WEIGHTS = np.exp(-0.5 * NODES**2)


def theory(load):
    """Overlap with the retrieved pattern: units `Y = tanh(β(m + σz + ΓY))`, z normal.

    Self-consistent: `m = <Y>`, `σ² = α<Y²>/(1-U)²`, `U = <dY/dh>`, `Γ = α/(1-U)`, in which every
    unit's coupling to itself counts.
    """
    weights = WEIGHTS / WEIGHTS.sum()
    overlap, sigma, gamma = 1.0, math.sqrt(load), load
    for _ in range(2000):
        field, units = overlap + sigma * NODES, np.ones(len(NODES))
        for _ in range(12):  # Newton steps for every z
            y = np.tanh(GAIN * (field + gamma * units))
            slope = GAIN * gamma * (1 - y * y)
            units = np.clip(units - (units - y) / (1 - slope), -1, 1)
        response = GAIN * (1 - units**2) / (1 - GAIN * gamma * (1 - units**2))
        before, susceptible = overlap, weights @ response
        overlap = weights @ units
        sigma = math.sqrt(load * (weights @ units**2)) / (1 - susceptible)
        gamma = load / (1 - susceptible)
        if susceptible >= 1 or GAIN * gamma >= 1 or overlap < 0.3:
            return math.nan
        if abs(overlap - before) < 1e-10:
            return overlap
    return math.nan


def classical():
    """Mean overlap with the pattern from which a descent began, for each load."""
    found = []
    for load in LOADS:
        count = round(load * UNITS)
        system = tw.system(f"hopfield{UNITS}-p{count}-b{GAIN}")
        ended = quench_many(system, np.eye(count))
        overlaps = np.diagonal(np.asarray(ended.x))
        found.append((overlaps.mean(), overlaps.std() / math.sqrt(count)))
        measured = f"{found[-1][0]:.4f} +- {found[-1][1]:.4f}"
        expected = theory(load)
        foreseen = f"{expected:.4f}" if math.isfinite(expected) else "forgets"
        print(f"load {load:.2f}: overlap {measured}, theory {foreseen}")
    return np.array(found)


def modern():
    """One update from noisy patterns, against the bound."""
    patterns = 8.0 * random_directions(2000, 64, 0)
    noise = 0.05 * jax.random.normal(jax.random.key(1), patterns.shape)
    return retrieval(DenseMemory(patterns, 0.5), np.asarray(patterns + noise))


def kinds():
    """Minima of a memory of four single and four similar patterns, as its gain grows."""
    single = 3.0 * np.eye(8)[:4]
    offset = np.eye(8)[[5, 5, 6, 6]] * np.array([[1.0], [-1.0], [1.0], [-1.0]])
    similar = 3.0 * (np.eye(8)[4] + 0.12 * offset)
    patterns = np.concatenate([single, similar])
    rows = []
    for gain in np.geomspace(0.02, 40.0, 4 if SMOKE else 16):
        memory = DenseMemory(jnp.asarray(patterns), jnp.asarray(gain))
        system = tw.System(
            memory,
            name="kinds",
            space=FreeSpace((8,), extent=100.0),
            start=NormalStart(jnp.zeros(8), scale=2.0),
        )
        found = stationary_points(system, patterns, quenches=60)
        states = memory_states(memory, found.x[found.indices == 0])
        print(f"beta {gain:.3g}:", {k: states.kinds.count(k) for k in sorted(set(states.kinds))})
        rows += [(gain, kind, n) for kind, n in zip(states.kinds, states.effective, strict=True)]
    return rows


def check_transition():
    """Three orthonormal patterns and their average are equally deep at beta = 4 ln 2."""
    system = tw.system(f"potts-memory3-b{4 * math.log(2):.12f}")
    found = stationary_points(system, 300)
    low = found.indices == 0
    names = memory_states(system.energy, found.x[low]).kinds
    print("at 4 ln 2:", dict(zip(names, found.energies[low].tolist(), strict=True)))
    assert sorted(names) == ["average", "pattern"]
    np.testing.assert_allclose(found.energies[low], -0.5629072918, atol=1e-9)


def main():
    """Measure, compare with theory, draw."""
    tw.enable_float64()
    mpl.use("agg")
    check_transition()
    overlap, update, minima = classical(), modern(), kinds()
    for load, (mean, error) in zip(LOADS, overlap, strict=True):
        if load <= 0.08:
            assert abs(mean - theory(load)) < 4 * error + 3e-4
        if load >= 0.2:
            assert mean < 0.7
    assert np.all(update.after <= update.bound + 1e-12)
    assert {kind for _, kind, _ in minima} == {"average", "mixture", "pattern"}
    draw(overlap, update, minima)


def draw(overlap, update, minima):
    """Three panels."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
    lost = 1.0 - overlap[:, 0]
    left.errorbar(LOADS, lost, 2 * overlap[:, 1], fmt="o", capsize=3, label="measured, 95 %")
    loads = np.linspace(0.005, 0.15, 60)
    left.semilogy(loads, [1.0 - theory(load) for load in loads], label="theory")
    left.set_xticks([0.0, 0.05, 0.1, 0.15, 0.2])
    left.set(xlabel="Patterns per unit", ylabel="1 - overlap with the retrieved pattern")
    left.legend()
    middle.loglog(update.bound, update.after, ".", markersize=3)
    ends = np.array([update.bound.min(), update.bound.max()])
    middle.loglog(ends, ends, color="0.4", lw=1, label="bound")
    middle.set(xlabel="Bound on the error", ylabel="Error after one update")
    middle.legend()
    for kind, marker in (("pattern", "o"), ("mixture", "s"), ("average", "^")):
        some = [(gain, n) for gain, name, n in minima if name == kind]
        right.semilogx(*zip(*some, strict=True), marker, label=kind)
    right.set(xlabel="Gain β", ylabel="Patterns that take part in a minimum")
    right.legend()
    tw.save_figure(figure, "memories.png")


if __name__ == "__main__":
    main()
