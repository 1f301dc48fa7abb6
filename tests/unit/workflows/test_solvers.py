"""Which solvers a map takes, and why."""

import numpy as np
import pytest

from thalweg.energies import system
from thalweg.learning import LearningData, Mlp, network_system
from thalweg.search import LBFGS, EigenvectorFollowing, Newton
from thalweg.workflows import MapConfig
from thalweg.workflows._searches import Solvers


@pytest.fixture
def table():
    x = np.linspace(-1.0, 1.0, 20)
    return LearningData(x, (x > 0).astype(int))


def test_losses_follow_hessians(table):
    config = MapConfig.suited_to(network_system(Mlp((1, 3, 2)), table, l2=1e-3))
    assert config.hessian is True
    solvers = Solvers.of(config)
    assert [type(one) for one in solvers.quench] == [LBFGS, Newton]
    assert isinstance(solvers.climb, Newton)
    assert solvers.climb.index == 1
    assert solvers.valley is not None
    assert solvers.lanes == 16
    assert solvers.hopping(0.1).minimiser is solvers.quench[-1]
    assert Solvers.of(MapConfig(hessian=True, lanes=4)).lanes == 4


@pytest.mark.parametrize(
    "model", [Mlp((1, 3, 2), activation="relu"), Mlp((1, 100, 2))], ids=["kinks", "many"]
)
def test_some_losses_follow_gradients(table, model):
    assert not MapConfig.suited_to(network_system(model, table, l2=1e-3)).hessian


def test_clusters_follow_gradients():
    config = MapConfig.suited_to(system("lj13"))
    assert not config.hessian
    solvers = Solvers.of(config)
    assert isinstance(solvers.quench[0], LBFGS)
    assert isinstance(solvers.climb, EigenvectorFollowing)
    assert solvers.valley is None
    assert solvers.hopping(0.5).temperature == 0.5
    assert not MapConfig.suited_to(system("lj13"), hessian=False).hessian


def test_molecules_follow_hessians():
    """Bonds are a thousand times stiffer than torsions: gradients find few saddles of those."""
    pytest.importorskip("rdkit")
    from thalweg.forcefields import forcefield_system
    from thalweg.io import forcefield_from_mmff, topology_from_smiles

    topology, positions = topology_from_smiles("CCO")
    made = forcefield_system(forcefield_from_mmff(topology, positions), positions)
    config = MapConfig.suited_to(made)
    assert config.hessian == "climbs"
    assert config.temperature == MapConfig().temperature
    solvers = Solvers.of(config)
    assert isinstance(solvers.climb, Newton)
    assert isinstance(solvers.quench[0], LBFGS)
