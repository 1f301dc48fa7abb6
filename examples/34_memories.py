"""How well memories remember: a classical and a modern Hopfield network against theory.

Left: 600 units store random patterns; a descent from each pattern ends with a share of wrong units
that follows the replica-symmetric theory of Amit, Gutfreund & Sompolinsky, Phys. Rev. Lett. 55,
1530 (1985), up to the load 0.138, where it jumps. Middle: a modern network stores 2,000 patterns in
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
from scipy.optimize import brentq
from scipy.special import erf

import thalweg as tw
from thalweg.core import FreeSpace, NormalStart
from thalweg.energies import DenseMemory, memory_states, random_directions, retrieval
from thalweg.landscape import stationary_points
from thalweg.search import quench_many

SMOKE = bool(os.environ.get("SMOKE"))
UNITS, COLD = 600, 50
LOADS = (0.05, 0.2) if SMOKE else (0.02, 0.05, 0.08, 0.1, 0.12, 0.13, 0.15, 0.17, 0.2)
CAPACITY = 0.138


def theory(load):
    """Share of wrong units at zero temperature: `erf(y) = y (√(2α) + 2/√π e^(-y²))`."""

    def off(y):
        return erf(y) - y * (math.sqrt(2 * load) + 2 / math.sqrt(math.pi) * math.exp(-y * y))

    grid = np.linspace(10.0, 0.1, 2000)
    signs = np.sign([off(y) for y in grid])
    change = np.flatnonzero(np.diff(signs))
    if not len(change):
        return math.nan
    return 0.5 * (1.0 - erf(brentq(off, grid[change[0] + 1], grid[change[0]])))


def classical():
    """Mean share of wrong units after a descent from each pattern, for each load."""
    wrong = []
    for load in LOADS:
        count = round(load * UNITS)
        system = tw.system(f"hopfield{UNITS}-p{count}-b{COLD}")
        ended = quench_many(system, np.eye(count))
        units = np.sign(jax.vmap(system.energy.units)(jnp.asarray(ended.x)))
        share = np.mean(units != np.asarray(system.energy.patterns), axis=1)
        wrong.append((share.mean(), share.std() / math.sqrt(count)))
        print(
            f"load {load:.2f}: wrong {wrong[-1][0]:.4f} +- {wrong[-1][1]:.4f}, {theory(load):.4f}"
        )
    return np.array(wrong)


def modern():
    """One update from noisy patterns, against the bound."""
    patterns = 8.0 * random_directions(2000, 64, 0)
    noise = 0.05 * jax.random.normal(jax.random.key(1), patterns.shape)
    return retrieval(DenseMemory(patterns, 1.0), np.asarray(patterns + noise))


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
        print(f"beta {gain:.3g}:", ", ".join(states.kinds))
        rows += [(gain, kind, n) for kind, n in zip(states.kinds, states.effective, strict=True)]
    return rows


def check_transition():
    """Three orthonormal patterns and their average are equally deep at beta = 4 ln 2."""
    system = tw.system(f"potts-memory3-b{4 * math.log(2):.12f}")
    found = stationary_points(system, 300)
    low = found.indices == 0
    names = memory_states(system.energy, found.x[low]).kinds
    print("at 4 ln 2:", dict(zip(names, found.energies[low], strict=True)))
    assert sorted(names) == ["average", "pattern"]
    np.testing.assert_allclose(found.energies[low], -0.5629072918, atol=1e-9)


def main():
    """Measure, compare with theory, draw."""
    tw.enable_float64()
    mpl.use("agg")
    check_transition()
    wrong, update, minima = classical(), modern(), kinds()
    for load, (share, error) in zip(LOADS, wrong, strict=True):
        if load <= 0.1:
            assert abs(share - theory(load)) < 3 * error + 0.002
        if load >= 0.17:
            assert share > 0.1
    assert np.all(update.after <= update.bound + 1e-12)
    assert {kind for _, kind, _ in minima} == {"average", "mixture", "pattern"}
    draw(wrong, update, minima)


def draw(wrong, update, minima):
    """Three panels."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
    left.errorbar(LOADS, wrong[:, 0], 2 * wrong[:, 1], fmt="o", capsize=3, label="measured, 95 %")
    loads = np.linspace(0.005, 0.2, 400)
    left.plot(loads, [theory(load) for load in loads], label="theory")
    left.axvline(CAPACITY, ls=":", color="0.4")
    left.set(xlabel="Patterns per unit", ylabel="Share of wrong units")
    left.legend()
    middle.loglog(update.bound, update.after, ".", markersize=3)
    ends = np.array([update.after.min(), update.after.max()])
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
