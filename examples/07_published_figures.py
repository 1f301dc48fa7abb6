"""The problems of the paper on stochastic weights, reproduced: four panels with exact references.

A. ⟨r²⟩ of a disk and of a square with fading rims, against the size: drops of a cloud follow the
   exact curves, the backbone must not be used.
B. Acceptance of a cloud against the distance of its backbone, for clouds of several widths and
   numbers of drops.
C. The logarithm of the volume of the fading ball against the dimension: what can be trusted, and
   what is flagged.
D. A search for a transition state that starts where five shots in a million pass: more drops take
   fewer steps, and as many calls.

Writes `published_figures.png`. `SMOKE=1` runs short chains.

Source of the problems: Frenkel, Schrenk & Martiniani, PNAS 114, 6924 (2017).
"""

import os

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib as mpl
import numpy as np

import thalweg as tw
from thalweg import sampling as ts

mpl.use("agg")
import matplotlib.pyplot as plt

tw.enable_float64()
SMOKE = bool(os.environ.get("SMOKE"))
SIZES = (1.0, 4.0, 10.0) if SMOKE else (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0)
DIMENSIONS = (2, 10, 20) if SMOKE else (2, 4, 6, 8, 10, 12, 15, 20)


def fading(size, cubic=False):
    """A disk or square of the given (half) width, whose rim decays over a length of 1."""
    return ts.SkirtOracle(size, 1.0, cubic)


def as_data(oracle):
    """The oracle with its numbers as arrays, so that one program serves all sizes."""
    return jax.tree.map(jnp.asarray, oracle)


def square_norm(x):
    """What panel A averages."""
    return jnp.sum(x * x)


@eqx.filter_jit
def follow(target, kernel, key, start, steps):
    """Backbones before every step, and whether it was accepted: `(steps, dof, chains)`."""

    def step(state, number):
        new, info = kernel.step(target, jax.random.fold_in(key, number), state)
        return new, (state.x, info.accepted)

    begin = kernel.init(target, jax.random.fold_in(key, steps), start)
    return jax.lax.scan(step, begin, jnp.arange(steps))[1]


def panel_a(axis):
    """⟨r²⟩ of drops against the exact curves, and of backbones."""
    chains, steps = (200, 200) if SMOKE else (500, 1_000)
    fine = np.linspace(1, 10, 91)
    for name, cubic in (("disk", False), ("square", True)):
        moment = np.vectorize(lambda size, cubic=cubic: fading(size, cubic).mean_square(2))
        rows = []
        for size in SIZES:
            target = tw.Oracle(as_data(fading(size, cubic)), shape=(2,))
            kernel = ts.Cloud(drops=10, radius=1.0, scale=jnp.asarray(1.5 * size))
            found = ts.sample(
                target,
                kernel,
                chains=chains,
                steps=steps,
                start=np.zeros(2),
                observe=square_norm,
                key=3,
            )
            rows.append((found.mean[0], found.error[0]))
            assert abs(found.mean[0] - moment(size)) < 5 * found.error[0], (name, size)
        mean, error = np.array(rows).T
        line = axis.plot(fine, moment(fine), lw=0.8, label=f"{name}, exact")[0]
        axis.errorbar(SIZES, mean, 2 * error, fmt="o", ms=3, color=line.get_color())
        print(f"A {name}: largest |z| {np.max(np.abs(mean - moment(np.array(SIZES))) / error):.1f}")
    backbone = np.array([fading(size).mean_square(2) for size in SIZES]) + 0.5
    axis.plot(SIZES, backbone, "k:", lw=0.8, label="backbone of the disk: r_c²/2 too large")
    axis.set(xscale="log", yscale="log", xlabel="R / λ", ylabel="⟨r²⟩ / λ²", title="A")


def panel_b(axis):
    """Acceptance of moves by where the backbone is."""
    chains, steps = (100, 300) if SMOKE else (200, 1_000)
    target = tw.Oracle(as_data(fading(5.0)), shape=(2,))
    bins = np.linspace(0, 20, 21)
    clouds = [(100, 0.5), (100, 1.0), (100, 2.0), (1, 1.0), (10, 1.0)]
    for drops, ratio in clouds:
        kernel = ts.Cloud(drops=drops, radius=5.0 * ratio, scale=jnp.asarray(3.0))
        x, accepted = follow(target, kernel, jax.random.key(5), jnp.zeros((2, chains)), steps)
        distance = np.linalg.norm(np.asarray(x), axis=1)[steps // 10 :].ravel()
        yes = np.asarray(accepted)[steps // 10 :].ravel()
        at = np.digitize(distance, bins) - 1
        count = np.bincount(at, minlength=len(bins))[:-1]
        share = np.bincount(at, yes, len(bins))[:-1] / np.maximum(count, 1)
        seen = count > 200
        axis.plot(0.5 * (bins[1:] + bins[:-1])[seen], share[seen], label=f"k={drops}, r_c={ratio}R")
        print(f"B k={drops}, r_c={ratio} R: acceptance {yes.mean():.3f}")
    axis.set(xlabel="distance of the backbone / λ", ylabel="acceptance", title="B: disk, R = 5 λ")


def panel_c(axis):
    """Volumes of the fading ball, R = 1, λ = 0.1."""
    oracle = ts.SkirtOracle(radius=1.0, decay=0.1)
    fine = np.arange(2, 21)
    axis.plot(fine, [oracle.log_volume(n) for n in fine], lw=0.8, label="exact")
    for trusted, marker in ((True, "o"), (False, "x")):
        axis.plot([], [], marker, color="C1", label="trusted" if trusted else "not to be trusted")
    for n in DIMENSIONS:
        found = ts.basin_volume(oracle, np.zeros(n), n, calls=50_000 if SMOKE else 1_000_000)
        exact = oracle.log_volume(n)
        axis.errorbar(
            n, found.log_volume, found.error, fmt="o" if found.trusted else "x", color="C1"
        )
        print(
            f"C n={n}: {found.log_volume:.4f} ± {found.error:.4f}, exact {exact:.4f}, "
            f"{'trusted' if found.trusted else 'NOT to be trusted'}"
        )
        assert not found.trusted or abs(found.log_volume - exact) < 2 * found.error
    axis.set(xlabel="dimension", ylabel="ln V", title="C: R = 1, λ = 0.1")


def panel_d(axis):
    """Backbones of clouds on their way to the top."""
    target = ts.transition_state().target
    steps, chains = (1_000, 4) if SMOKE else (20_000, 8)
    for drops in (1, 10, 25, 50, 75):
        kernel = ts.Cloud(drops=drops, radius=0.25, scale=jnp.asarray(0.15), scatter=ts.BallMove())
        x, _ = follow(target, kernel, jax.random.key(7), jnp.full((1, chains), 2.0 - 1e-9), steps)
        path = np.abs(np.asarray(x)[:, 0])
        there = np.where((path < 1).any(axis=0), (path < 1).argmax(axis=0), np.inf)
        axis.plot(np.arange(1, steps + 1), path[:, 0], lw=0.7, label=f"k={drops}")
        print(
            f"D k={drops}: median first passage {np.median(there):.0f} steps, "
            f"{np.median(there) * drops:.2g} calls"
        )
    axis.axhline(1.0, color="black", lw=0.5)
    axis.set(xscale="log", xlabel="step", ylabel="|x| / σ of a backbone", title="D")


figure, axes = plt.subplots(2, 2, figsize=(11, 9), layout="constrained")
for panel, axis in zip((panel_a, panel_b, panel_c, panel_d), axes.flat, strict=True):
    panel(axis)
    axis.legend(fontsize="x-small")
figure.savefig("published_figures.png", dpi=150)
