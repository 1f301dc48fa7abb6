"""What can be learnt about where three atoms settle, and what its solutions look like.

A network with 3 or 5 hidden units reads the three distances of a random start and predicts the
minimum that its quench ends in: the triangle, or the line with atom 1, 2 or 3 in the middle. Its
loss is mapped for penalties from 1e-3 to 1e-5: certified minima and transition states, the tree,
the heat capacity with the minima behind its peaks, and the accuracy and area under the ROC curve
of each minimum on 5,000 starts that it has not seen.

After Ballard, Das, Martiniani, Mehta, Sagun, Stevenson & Wales, Phys. Chem. Chem. Phys. 19, 12585
(2017), section III. Writes a store, a tree and a heat capacity of each loss. It takes some minutes
a loss; `SMOKE=1` maps the first alone, for two minutes at most.
"""

import os
from pathlib import Path

import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
from scipy.stats import rankdata

import thalweg as tw
from thalweg.core import hessian
from thalweg.learning import triatomic_data
from thalweg.thermo import heat_capacity_peaks, temperature_grid, temperature_range

SMOKE = bool(os.environ.get("SMOKE"))
LOSSES = [f"ljat3-h{h}-l{l2}" for h in (3, 5) for l2 in ("1e-3", "1e-4", "1e-5")]
BUDGET = 120.0 if SMOKE else 300.0


def scores(system, points, test):
    """Accuracy, and the area under the ROC curve of the triangle against the rest."""
    truth, found = np.asarray(test.targets), []
    for x in points:
        logits = np.asarray(system.energy.outputs(jnp.asarray(x), test.inputs))
        others = np.log(np.sum(np.exp(logits[:, 1:]), axis=1))
        ranks, mine = rankdata(logits[:, 0] - others), truth == 0
        wins = ranks[mine].sum() - mine.sum() * (mine.sum() + 1) / 2
        found.append((np.mean(logits.argmax(axis=1) == truth), wins / mine.sum() / (~mine).sum()))
    return np.array(found)


def check_identities(system, landscape, hidden, l2):
    """What holds at every stationary point of a penalised softmax loss, to rounding."""
    points = [*landscape.store.minima(), *landscape.store.transition_states()]
    matrices = hessian(system.energy, jnp.stack([jnp.asarray(point.x) for point in points]).T)
    *_, last = system.space.unravel(jnp.arange(system.space.dof, dtype=float))
    columns = [*np.asarray(last.weight, int).T, np.asarray(last.bias, int)]
    shifts = np.zeros((hidden + 1, system.space.dof))
    for shift, places in zip(shifts, columns, strict=True):
        shift[places] = 0.5  # four logits, a unit vector
    for point, matrix in zip(points, np.asarray(matrices), strict=True):
        assert point.certificate.ok
        # A common shift of all logits changes nothing, so the penalty makes it vanish ...
        assert np.abs(shifts @ point.x).max() < 1e-7
        # ... and is all that the Hessian sees in these H + 1 directions. (Where a unit saturates
        # on the rows that matter it sees nothing else in one direction more.)
        assert np.abs(matrix @ shifts.T - 2 * l2 * shifts.T).max() < 1e-9
        assert np.sum(np.abs(np.linalg.eigvalsh(matrix) - 2 * l2) < 1e-6 * l2) >= hidden + 1


def main():
    """Map, read, draw and assert."""
    tw.enable_float64()
    mpl.use("agg")
    for name in LOSSES[:1] if SMOKE else LOSSES:
        system, store = tw.system(name), Path(f"{name}.db")
        store.unlink(missing_ok=True)
        landscape = tw.explore(system, store, key=0, budget=BUDGET)
        network, points = landscape.network, landscape.store.points("minimum")
        order = np.argsort(network.energies)
        table = scores(system, points[order], triatomic_data(400)[1])
        print(f"{name}: {network.n_minima} minima, {network.n_transition_states} transition states")
        for energy, (accuracy, area) in zip(network.energies[order], table, strict=True):
            print(f"  loss {energy:.8f}  accuracy {accuracy:.3f}  AUC of the triangle {area:.3f}")
        assert table[0, 0] > 0.8
        assert table[0, 1] > 0.85
        tree = tw.disconnectivity_tree(network, levels=None)
        tw.save_figure(tw.plot_tree(tree, labels=5, energy_label="Loss").figure, f"{name}-tree.png")
        ensemble = tw.HarmonicEnsemble.of(landscape)
        low, high = temperature_range(ensemble)
        peaks = heat_capacity_peaks(ensemble, low, high)
        for peak in peaks:
            print(f"  heat capacity {peak.heat_capacity:.2f} at T = {peak.temperature:.5f}")
        curve = tw.plot_heat_capacity(ensemble, temperature_grid(low, high, 200), peaks=peaks)
        tw.save_figure(curve.figure, f"{name}-heat.png")
        check_identities(system, landscape, int(name[7]), float(name.split("-l")[1]))


if __name__ == "__main__":
    main()
