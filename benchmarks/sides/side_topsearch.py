"""topsearch: a Lennard-Jones landscape with its own classes and its own example's settings."""

import functools
import signal
import time

import numpy as np
import numpy.random as global_draws  # noqa: TID251  topsearch draws from the global generator
from serve import serve
from topsearch.data.coordinates import AtomicCoordinates, StandardCoordinates
from topsearch.data.kinetic_transition_network import KineticTransitionNetwork
from topsearch.global_optimisation.basin_hopping import BasinHopping
from topsearch.global_optimisation.perturbations import AtomicPerturbation, StandardPerturbation
from topsearch.minimisation import lbfgs
from topsearch.potentials.atomic import LennardJones
from topsearch.potentials.potential import Potential
from topsearch.sampling.exploration import NetworkSampling
from topsearch.similarity.molecular_similarity import MolecularSimilarity
from topsearch.similarity.similarity import StandardSimilarity
from topsearch.transition_states.hybrid_eigenvector_following import HybridEigenvectorFollowing
from topsearch.transition_states.nudged_elastic_band import NudgedElasticBand
from triatomic_loss import Loss


class OutOfTimeError(Exception):
    """The CPU time is used up."""


def _start(atoms: int, potential: LennardJones) -> np.ndarray:
    """A quenched random cluster: from a raw random start the first quench is given up."""
    while True:
        x = 0.7 * atoms ** (1 / 3) * global_draws.uniform(-1, 1, 3 * atoms)  # noqa: NPY002
        for _ in range(20):
            x, value, _ = lbfgs.minimise(
                func_grad=potential.function_gradient,
                initial_position=x,
                bounds=[(-100.0, 100.0)] * x.size,
                conv_crit=1e-5,
            )
        if value < -2.1 * atoms and np.abs(x).max() < 2.0 * atoms ** (1 / 3):
            return x


def _sampling(atoms: int, network: KineticTransitionNetwork) -> NetworkSampling:
    """Objects with the settings of the example that the package's authors publish for LJ7."""
    potential = LennardJones()
    coords = AtomicCoordinates(["C"] * atoms, _start(atoms, potential), bond_cutoff=1.5)
    similarity = MolecularSimilarity(distance_criterion=0.1, energy_criterion=5e-2)
    step = AtomicPerturbation(max_displacement=0.5, max_atoms=3)
    return NetworkSampling(
        ktn=network,
        coords=coords,
        global_optimiser=BasinHopping(network, potential, similarity, step),
        single_ended_search=HybridEigenvectorFollowing(
            potential,
            ts_conv_crit=1e-4,
            ts_steps=150,
            pushoff=0.1,
            max_uphill_step_size=0.3,
            positive_eigenvalue_step=0.3,
        ),
        double_ended_search=NudgedElasticBand(
            potential, force_constant=50.0, image_density=10.0, max_images=20, neb_conv_crit=1e-2
        ),
        similarity=similarity,
    )


def landscape(atoms: int, seed: int, hops: int, budget: float) -> dict:
    """Minima by basin hopping, then one cycle of connections, within CPU seconds `budget`."""
    global_draws.seed(seed)  # noqa: NPY002
    network, began, hopping, ended = KineticTransitionNetwork(), time.process_time(), None, True

    def stop(*_: object) -> None:
        raise OutOfTimeError

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, budget)
    try:
        sampling = _sampling(atoms, network)
        sampling.get_minima(sampling.coords, hops, 1e-5, 1.0, test_valid=True)
        hopping = time.process_time() - began
        sampling.get_transition_states("ClosestEnumeration", 4)
    except OutOfTimeError:
        ended = False
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
    return {
        "cpu": time.process_time() - began,
        "ended": ended,
        "hopping": hopping,
        "minima": network.n_minima,
        "transition_states": network.G.number_of_edges(),
    }


class NetworkLoss(Potential):
    """A network's loss with its gradient: more than the package's own fits give it."""

    def __init__(self, data: str, l2: float):
        super().__init__()
        self.loss = Loss(data, l2)

    def function(self, position: np.ndarray) -> float:
        return self.loss.value_and_grad(position)[0]

    def gradient(self, position: np.ndarray, displacement: float = 1e-6) -> np.ndarray:
        return self.loss.value_and_grad(position)[1]

    def function_gradient(self, position: np.ndarray) -> tuple[float, np.ndarray]:
        return self.loss.value_and_grad(position)


def loss(data: str, l2: float, dof: int, hops: int, budget: float, out: str) -> dict:
    """Minima of a loss by basin hopping, then connections, within CPU seconds `budget`."""
    global_draws.seed(0)  # noqa: NPY002
    network, began, ended = KineticTransitionNetwork(), time.process_time(), True

    def stop(*_: object) -> None:
        raise OutOfTimeError

    # Its quenches give up after 200 steps, and would find nothing here.
    lbfgs.minimise = functools.partial(lbfgs.minimise, n_steps=20_000)
    potential = NetworkLoss(data, l2)
    coords = StandardCoordinates(dof, [(-30.0, 30.0)] * dof)
    coords.position = global_draws.normal(size=dof)  # noqa: NPY002
    similarity = StandardSimilarity(0.1, 1e-4)
    sampling = NetworkSampling(
        ktn=network,
        coords=coords,
        global_optimiser=BasinHopping(network, potential, similarity, StandardPerturbation(2.0)),
        single_ended_search=HybridEigenvectorFollowing(potential, 1e-4, 150, 0.1),
        double_ended_search=NudgedElasticBand(potential, 50.0, 10.0, 20, 1e-2),
        similarity=similarity,
    )
    hopping = None
    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, budget)
    try:
        sampling.get_minima(coords, hops, 1e-5, 0.1, test_valid=True)
        hopping = time.process_time() - began
        sampling.get_transition_states("ClosestEnumeration", 4)
    except OutOfTimeError:
        ended = False
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
    spent = time.process_time() - began
    minima = [row["coords"] for _, row in network.G.nodes(data=True)]
    saddles = [row["coords"] for *_, row in network.G.edges(data=True)]
    for name, rows in (("minima", minima), ("saddles", saddles)):
        np.save(f"{out}-{name}.npy", np.array(rows, float).reshape(-1, dof))
    return {"cpu": spent, "ended": ended, "hopping": hopping}


if __name__ == "__main__":
    serve({"landscape": landscape, "loss": loss})
