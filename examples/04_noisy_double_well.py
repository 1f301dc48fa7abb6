"""What noise costs, kernel by kernel: bias and effective samples in a tilted double well.

Writes `noisy_double_well.png`: above, the error of P(x > 0) of every kernel against the noise's
amplitude s, with the naive rule that draws its weights again; below, effective samples for each
evaluation. `SMOKE=1` runs short chains.
"""

import os

import jax
import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
from jax.tree_util import Partial

import thalweg as tw
from thalweg import sampling as ts

mpl.use("agg")
import matplotlib.pyplot as plt

tw.enable_float64()
SMOKE = bool(os.environ.get("SMOKE"))

RIGHT = 0.28243  # P(x > 0), by quadrature
AMPLITUDES = (0.5, 1.5) if SMOKE else (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
RUN = {"chains": 300, "steps": 500} if SMOKE else {"chains": 1_000, "steps": 4_000}


class Redraw(ts.StoredWeight):
    """The naive rule, for comparison: the current weight is drawn again in every step."""

    def step(self, target, key, state):
        again, rest = jax.random.split(key)
        fresh = self.fresh(target, again, state)
        return super().step(target, rest, ts.Walk(state.x, fresh, state.log_prior))


FREQUENCY = jnp.linspace(0.5, 4.0, 16)


def smooth_noise(s, u, x):
    """The same lognormal noise as a smooth random function of the point."""
    field = jnp.sum(u[0] * jnp.cos(FREQUENCY * x) + u[1] * jnp.sin(FREQUENCY * x)) / 4
    return s * field - s * s / 2 - 4 * (x * x - 1) ** 2 - 0.5 * x


def replayable(s):
    """A target whose noise can be played again; `s` is data, so one program serves them all."""
    return tw.NoisyWeight(replay=Partial(smooth_noise, jnp.asarray(s)), noise_shape=(2, 16))


def right(x):
    """Whether a point lies in the right well."""
    return x > 0


KERNELS = {
    "stored weight": (lambda s: ts.double_well("lognormal", s).target, ts.StoredWeight(scale=1.0)),
    "4 weights averaged": (
        lambda s: ts.double_well("lognormal", s).target,
        ts.StoredWeight(scale=1.0, replicates=4),
    ),
    "cloud of 8": (
        lambda s: ts.double_well("lognormal", s).target,
        ts.Cloud(scale=1.0, drops=8, radius=0.5),
    ),
    "split, ρ = 0.9": (replayable, ts.CorrelatedWeight(scale=1.0)),
    "exchange, 4 replicas": (
        lambda s: ts.double_well("lognormal", s).target,
        ts.Exchange.geometric(4, 0.1, scale=1.0),
    ),
    "penalty": (lambda s: ts.double_well("energy", s).target, ts.Penalty(scale=1.0)),
    "penalty, estimated": (
        lambda s: ts.double_well("energy-unknown", s).target,
        ts.Penalty(scale=1.0, replicates=8),
    ),
    "naive (wrong)": (lambda s: ts.double_well("lognormal", s).target, Redraw(scale=1.0)),
}

density = np.exp(-4 * (np.linspace(-3, 3, 2401) ** 2 - 1) ** 2 - np.linspace(-3, 3, 2401) / 2)
quantiles = (np.arange(RUN["chains"]) + 0.5) / RUN["chains"]
starts = np.interp(quantiles, np.cumsum(density) / density.sum(), np.linspace(-3, 3, 2401))

figure, (above, below) = plt.subplots(2, 1, figsize=(7, 8), sharex=True, layout="constrained")
results = {}
for number, (name, (make, kernel)) in enumerate(KERNELS.items()):
    rows = []
    for s in AMPLITUDES:
        found = ts.sample(
            make(s),
            kernel,
            warmup=100,
            key=number,
            start=starts[:, None],
            observe=right,
            **RUN,
        )
        rows.append((found.mean[0] - RIGHT, found.error[0], found.ess_per_evaluation[0]))
    bias, error, efficiency = np.array(rows).T
    results[name] = rows
    above.errorbar(AMPLITUDES, bias, 2 * error, label=name, capsize=2)
    below.semilogy(AMPLITUDES, efficiency, marker=".", label=name)
above.axhline(0.0, color="black", lw=0.5)
above.set_ylabel("error of P(x > 0), ± 2 s.e.")
below.set_ylabel("effective samples for each evaluation")
below.set_xlabel("noise amplitude s")
above.legend(fontsize="small")
figure.savefig("noisy_double_well.png", dpi=150)

for name, rows in results.items():
    print(f"{name:22}", *(f"{b:+.4f}({e:.4f}) {eff:.4f}" for b, e, eff in rows), sep="  ")
    if name != "naive (wrong)":
        assert all(abs(b) < 5 * e + 0.02 * SMOKE + 0.002 for b, e, _ in rows[:2]), name
assert results["naive (wrong)"][1][0] > 10 * results["naive (wrong)"][1][1]
