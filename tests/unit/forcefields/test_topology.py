"""Topologies: what follows from bonds, and what is refused."""

import numpy as np
import pytest

from thalweg.core import ArgumentError, FreeSpace
from thalweg.forcefields import BondedSpace, Topology

METHANE = [(0, 1), (0, 2), (0, 3), (0, 4)]
BUTANE = [(0, 1), (1, 2), (2, 3)]


def _methane(numbers=(6, 1, 1, 1, 1), bonds=METHANE, masses=(12.0, 1.0, 1.0, 1.0, 1.0)):
    return Topology.from_bonds(numbers, bonds, masses=masses)


def test_terms_follow_from_bonds():
    chain = Topology.from_bonds([6] * 4, BUTANE, masses=[12.0] * 4)
    assert chain.angles.tolist() == [[0, 1, 2], [1, 2, 3]]
    assert chain.propers.tolist() == [[0, 1, 2, 3]]
    assert chain.pairs14.tolist() == [[0, 3]]
    assert {tuple(pair) for pair in chain.excluded.tolist()} >= {(0, 1), (0, 2)}
    assert len(_methane().angles) == 6
    assert len(set(_methane().ranks.tolist())) == 2


def test_bonds_may_come_from_numpy():
    assert _methane(bonds=np.array(METHANE)) == _methane()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bonds": [(0, 1), (0, 5)]}, r"bond \(0, 5\) does not join two of the 5 atoms"),
        ({"bonds": [(0, -1)]}, r"bond \(0, -1\) does not join"),
        ({"bonds": [(2, 2)]}, r"bond \(2, 2\) does not join"),
        ({"bonds": [(0, 1), (1, 0)]}, r"bond \(1, 0\) is given twice"),
        ({"bonds": [(0, 1, 2)]}, r"bond \(0, 1, 2\) is no pair of atoms"),
        ({"masses": [12.0, 1.0, 1.0, np.nan, 1.0]}, r"masses\[3\]=nan"),
        ({"masses": [12.0, 1.0, 1.0, -1.0, 1.0]}, r"masses\[3\]=-1"),
        ({"numbers": [6, 1, 200, 1, 1]}, r"numbers\[2\]=200"),
    ],
)
def test_a_wrong_topology_is_refused_by_bond_or_atom(wrong, message):
    with pytest.raises(ArgumentError, match=message):
        _methane(**wrong)


def test_a_molecule_whose_bonds_are_broken_is_another():
    chain = Topology.from_bonds([6] * 4, BUTANE, masses=[12.0] * 4)
    x = 0.15 * np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [2, 1, 0.0]])
    space = BondedSpace.of(chain, x, extent=1.0)
    broken, bent, far = x.copy(), x.copy(), x + 2.0
    broken[3, 0] += 0.06
    bent[3] = x[2] + 0.15 * np.array([0, 0, 1.0])
    points = np.stack([x, broken, bent, far, x * np.nan]).reshape(5, -1)
    assert space.contains(points).tolist() == [True, False, True, False, False]
    assert FreeSpace((4, 3)).contains(points[:4]).all()
