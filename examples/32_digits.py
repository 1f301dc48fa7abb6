"""Solutions of a network that reads handwritten digits, and how they are connected.

A network of 10 hidden units reads the 8 x 8 digits that come with scikit-learn: 1,000 to train on,
797 to test with. Minima from random starts are certified and joined by transition states; their
barriers are small beside the loss of a bad minimum (one funnel), and minima that are far apart in
parameters, after the order and signs of hidden units have been aligned, still misread mostly the
same digits.

After Ballard, Das, Martiniani, Mehta, Sagun, Stevenson & Wales, Phys. Chem. Chem. Phys. 19, 12585
(2017), section V (there: MNIST). Writes a store, a tree and a scatter of distances; `SMOKE=1` maps
for a minute.
"""

import os
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw
from thalweg.learning import agreement_of, digits_data, parameter_distances, predictions_of

SMOKE = bool(os.environ.get("SMOKE"))
BUDGET = 60.0 if SMOKE else 900.0
NAME = "digits-h10-l1e-3"


def main():
    """Map, compare what minima predict with how far they are apart, and draw."""
    tw.enable_float64()
    mpl.use("agg")
    system, store = tw.system(NAME), Path(f"{NAME}.db")
    store.unlink(missing_ok=True)
    landscape = tw.explore(system, store, key=0, budget=BUDGET)
    network = landscape.network
    order = np.argsort(network.energies)[:60]
    points = landscape.points("minimum")[order]
    predictions = predictions_of(system.energy, points, digits_data()[1], network.ids[order])
    error, apart = predictions.scores().error, agreement_of(predictions).apart
    distance = parameter_distances(system, points)
    print(f"{NAME}: {network.n_minima} minima, {network.n_transition_states} transition states")
    print(f"  loss {network.energies[order[0]]:.5f} to {network.energies.max():.5f}")
    print(f"  share of misread digits {error.min():.3f} to {error.max():.3f}")
    pairs = np.triu_indices(len(order), 1)
    print(f"  aligned distances {distance[pairs].min():.2f} to {distance[pairs].max():.2f}")
    print(f"  misread by one of a pair only: {apart[pairs].min()} to {apart[pairs].max()}")
    assert len(order) > 5
    assert error[0] < 0.13
    assert distance[pairs].min() > 1e-3
    assert apart[pairs].max() < 0.15 * predictions.n_data
    if network.n_transition_states:
        tree = tw.disconnectivity_tree(network, levels=None)
        drawn = tw.plot_tree(tree, labels=3, energy_label="Loss")
        tw.save_figure(drawn.figure, f"{NAME}-tree.png")
    figure, axes = plt.subplots(figsize=(5, 4), layout="constrained")
    axes.plot(distance[pairs], apart[pairs], ".", markersize=3)
    axes.set(
        xlabel="Distance of parameters, hidden units aligned",
        ylabel=f"Of {predictions.n_data} digits, misread by one of two",
    )
    tw.save_figure(figure, f"{NAME}-distances.png")


if __name__ == "__main__":
    main()
