"""Force fields anywhere between molecular mechanics and machine learning.

A `ForceField` is a `Topology` (who is bonded to whom) and a sum of blocks, each an `AbstractBlock`
with its parameters as arrays. It is an energy like any other: every command and function of this
package takes it. Energies are in kJ/mol, lengths in nm, charges in elementary charges, masses in
dalton.

    from thalweg.forcefields import ForceField, HarmonicBonds, Topology

- Bonds and angles: `HarmonicBonds`, `HarmonicAngles`, `MorseBonds`, `QuarticBonds`,
  `QuarticAngles`, `LinearAngles`, `UreyBradley`; with all couplings of class II
  `ClassTwoTerms`.
- Torsions: `PeriodicTorsions`, `RyckaertBellemans`, `HarmonicImpropers`, `OutOfPlane`,
  `CorrectionMaps`.
- Repulsion and dispersion, over the pairs of a `PairRule`: `LennardJones`, `LennardJones96`,
  `Buckingham`, `Buffered147`, `DoubleExponential`, `TangToennies`.
- Charges: `Coulomb`, `Ewald`, `ChargeEquilibration`, `InducedDipoles`.
- A box of many atoms: `with_neighbours`. A structure that cannot be right: `check_structure`.
- The landscape of one: `forcefield_system`.
- Learned: `PairSplines`, `SymmetryFunctions`, `InvariantMessages`, `EquivariantMessages`,
  `LatentCharges`; molecular mechanics whose parameters are learned: `AssignedParameters`. Walls for
  them: `ZBLRepulsion`, `ExponentialRepulsion`.
- Made of others: `Weighted`, `Total`, `Mixture`, `Region`; `Committee`, `doubled`.
- In a file: `save_forcefield`, `load_forcefield`. What it keeps: `check_forcefield`.
"""

from ._anharmonic import LinearAngles as LinearAngles
from ._anharmonic import MorseBonds as MorseBonds
from ._anharmonic import QuarticAngles as QuarticAngles
from ._anharmonic import QuarticBonds as QuarticBonds
from ._anharmonic import UreyBradley as UreyBradley
from ._assigned import AssignedParameters as AssignedParameters
from ._assigned import AssignedTerms as AssignedTerms
from ._block import COULOMB as COULOMB
from ._block import AbstractBlock as AbstractBlock
from ._block import Geometry as Geometry
from ._block import Quantity as Quantity
from ._bonded import HarmonicAngles as HarmonicAngles
from ._bonded import HarmonicBonds as HarmonicBonds
from ._bonded_space import BondedSpace as BondedSpace
from ._check import check_positions as check_positions
from ._check import check_structure as check_structure
from ._cmap import CorrectionMaps as CorrectionMaps
from ._committee import Committee as Committee
from ._committee import CommitteeNoise as CommitteeNoise
from ._composition import Mixture as Mixture
from ._composition import Region as Region
from ._composition import Total as Total
from ._composition import Weighted as Weighted
from ._copies import doubled as doubled
from ._coulomb import Coulomb as Coulomb
from ._cross import ClassTwoTerms as ClassTwoTerms
from ._dispersion import Buckingham as Buckingham
from ._dispersion import Buffered147 as Buffered147
from ._dispersion import DoubleExponential as DoubleExponential
from ._dispersion import LennardJones as LennardJones
from ._dispersion import LennardJones96 as LennardJones96
from ._dispersion import TangToennies as TangToennies
from ._equilibration import ChargeEquilibration as ChargeEquilibration
from ._equilibration import InducedDipoles as InducedDipoles
from ._equivariant import EquivariantMessages as EquivariantMessages
from ._ewald import Ewald as Ewald
from ._file import StoredForceField as StoredForceField
from ._file import load_forcefield as load_forcefield
from ._file import save_forcefield as save_forcefield
from ._forcefield import ForceField as ForceField
from ._invariant import InvariantMessages as InvariantMessages
from ._kinds import class_means as class_means
from ._kinds import numbered as numbered
from ._kinds import side_kinds as side_kinds
from ._kinds import term_kinds as term_kinds
from ._latent_charges import LatentCharges as LatentCharges
from ._learned import transferred as transferred
from ._neighbours import neighbour_pairs as neighbour_pairs
from ._neighbours import with_neighbours as with_neighbours
from ._properties import PROPERTIES as PROPERTIES
from ._properties import Property as Property
from ._properties import PropertyReport as PropertyReport
from ._properties import check_forcefield as check_forcefield
from ._radial import BesselBasis as BesselBasis
from ._radial import ChebyshevBasis as ChebyshevBasis
from ._radial import GaussianBasis as GaussianBasis
from ._radial import bump_envelope as bump_envelope
from ._radial import cosine_envelope as cosine_envelope
from ._radial import polynomial_envelope as polynomial_envelope
from ._repulsion import ExponentialRepulsion as ExponentialRepulsion
from ._repulsion import ZBLRepulsion as ZBLRepulsion
from ._rule import PairRule as PairRule
from ._splines import PairSplines as PairSplines
from ._symmetry_functions import SymmetryDescriptor as SymmetryDescriptor
from ._symmetry_functions import SymmetryFunctions as SymmetryFunctions
from ._system import TorsionStart as TorsionStart
from ._system import forcefield_system as forcefield_system
from ._topology import Topology as Topology
from ._torsions import HarmonicImpropers as HarmonicImpropers
from ._torsions import OutOfPlane as OutOfPlane
from ._torsions import PeriodicTorsions as PeriodicTorsions
from ._torsions import RyckaertBellemans as RyckaertBellemans
