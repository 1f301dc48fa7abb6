"""The outside world's files.

- `read_pathsample`, `write_pathsample`: the Wales group's `min.data`, `ts.data`, `points.min` and
  `points.ts`; `thalweg.landscape.import_network` puts what was read into a store.
- `write_xyz`: structures as extended xyz, for viewers and other codes.
- `save_network`, `load_network`: a network as one npz file.
- `write_pathway`: a path as a trajectory (xyz), a table (csv) or arrays (npz).
- `write_csv`: the tables of a landscape for spreadsheets.
- `forcefield_from_openmm`, `topology_from_openmm`: force fields from AMBER, CHARMM and GROMACS
  files through OpenMM; `to_openmm` brings them back.
- `ase_calculator`, `openmm_force`: any force field in ASE and in OpenMM.
- `topology_from_smiles`, `topology_from_xyz`, `topology_from_ase`: molecules, by RDKit.
- `forcefield_from_mmff`, `generic_forcefield`: a force field for any organic molecule.
- `system_from_structure`: a file of atoms and the name of a force field as a system.

Energies and forces of molecules, in kJ/mol and nm:

- `Xtb`, `Pyscf`, `OpenmmSystem`, `AseCalculator`, `EnergyLabels`: methods; `label_method` finds one
  by name.
- `label`: energies and forces of many geometries, kept in a file as they come (`LabelProgress`).
- `label_energy`, `label_system`: a method as an energy, and as a system to map.
- `molecule` (`Molecule`): one from a file or by name, with its bonds.
- `read_dataset`, `write_dataset`: labelled geometries as npz or extended xyz.
- `read_point`: the parameters of a trained model from an npz, npy or Equinox file.
"""

from ._ase import system_from_ase as system_from_ase
from ._bridges import ase_calculator as ase_calculator
from ._bridges import openmm_force as openmm_force
from ._datasets import read_dataset as read_dataset
from ._datasets import write_dataset as write_dataset
from ._formats import load_network as load_network
from ._formats import save_network as save_network
from ._formats import write_csv as write_csv
from ._formats import write_xyz as write_xyz
from ._label_methods import AbstractLabelMethod as AbstractLabelMethod
from ._label_methods import AseCalculator as AseCalculator
from ._label_methods import EnergyLabels as EnergyLabels
from ._label_methods import OpenmmSystem as OpenmmSystem
from ._label_methods import Pyscf as Pyscf
from ._label_methods import Xtb as Xtb
from ._label_methods import label_method as label_method
from ._label_system import label_energy as label_energy
from ._label_system import label_system as label_system
from ._labels import LabelProgress as LabelProgress
from ._labels import label as label
from ._mmff import forcefield_from_mmff as forcefield_from_mmff
from ._mmff import generic_forcefield as generic_forcefield
from ._molecule import Molecule as Molecule
from ._molecule import molecule as molecule
from ._molecules import topology_from_ase as topology_from_ase
from ._molecules import topology_from_smiles as topology_from_smiles
from ._molecules import topology_from_structure as topology_from_structure
from ._molecules import topology_from_xyz as topology_from_xyz
from ._openmm import forcefield_from_openmm as forcefield_from_openmm
from ._openmm import topology_from_openmm as topology_from_openmm
from ._pathsample import principal_moments as principal_moments
from ._pathsample import read_pathsample as read_pathsample
from ._pathsample import write_pathsample as write_pathsample
from ._pathway import PATHWAY_SUFFIXES as PATHWAY_SUFFIXES
from ._pathway import write_pathway as write_pathway
from ._points import POINT_SUFFIXES as POINT_SUFFIXES
from ._points import read_point as read_point
from ._structures import FORCEFIELDS as FORCEFIELDS
from ._structures import amber_from_file as amber_from_file
from ._structures import system_from_structure as system_from_structure
from ._to_openmm import to_openmm as to_openmm
