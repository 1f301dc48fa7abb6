"""Which atoms a label method lets one exchange."""

import numpy as np
import pytest

from thalweg.io import EnergyLabels, Xtb, label_system, molecule

pytest.importorskip("rdkit")
pytest.importorskip("ase")


def _mmff(name):
    from thalweg.forcefields.fitting import Dataset
    from thalweg.workflows import ladder

    found = molecule(name)
    empty = Dataset.of(found.numbers, found.positions[None])
    return found, EnergyLabels(ladder("mmff").build(found, empty), "mmff")


def test_given_bonds_tell_atoms_of_an_element_apart():
    """Ethanol by mechanics: methyl's three hydrogens, and those of CH2, are alike; none else."""
    ethanol, method = _mmff("ethanol")
    species = label_system(ethanol.numbers, ethanol.positions, method).symmetry.species
    hydrogens = [species[k] for k in np.flatnonzero(ethanol.numbers == 1)]
    assert sorted(hydrogens.count(kind) for kind in set(hydrogens)) == [1, 2, 3]
    carbons = [species[k] for k in np.flatnonzero(ethanol.numbers == 6)]
    assert len(set(carbons)) == 2


def test_a_quantum_calculation_knows_only_elements():
    pytest.importorskip("tblite")
    ethanol = molecule("ethanol")
    symmetry = label_system(ethanol.numbers, ethanol.positions, Xtb()).symmetry
    assert len(set(symmetry.species)) == 3
    assert symmetry.inversion


def test_a_force_field_as_labels_is_evaluated_where_the_search_runs():
    """Labels outside compiled code must not call JAX: two threads of them waited for each other."""
    ethanol, method = _mmff("ethanol")
    system = label_system(ethanol.numbers, ethanol.positions, method)
    assert system.energy is method.energy
    assert system.energy.exact_derivatives
