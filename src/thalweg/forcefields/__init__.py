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
"""

from ._anharmonic import LinearAngles as LinearAngles
from ._anharmonic import MorseBonds as MorseBonds
from ._anharmonic import QuarticAngles as QuarticAngles
from ._anharmonic import QuarticBonds as QuarticBonds
from ._anharmonic import UreyBradley as UreyBradley
from ._block import COULOMB as COULOMB
from ._block import AbstractBlock as AbstractBlock
from ._block import Geometry as Geometry
from ._block import Quantity as Quantity
from ._bonded import HarmonicAngles as HarmonicAngles
from ._bonded import HarmonicBonds as HarmonicBonds
from ._check import check_structure as check_structure
from ._cmap import CorrectionMaps as CorrectionMaps
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
from ._ewald import Ewald as Ewald
from ._forcefield import ForceField as ForceField
from ._kinds import class_means as class_means
from ._kinds import numbered as numbered
from ._kinds import side_kinds as side_kinds
from ._kinds import term_kinds as term_kinds
from ._neighbours import neighbour_pairs as neighbour_pairs
from ._neighbours import with_neighbours as with_neighbours
from ._rule import PairRule as PairRule
from ._system import TorsionStart as TorsionStart
from ._system import forcefield_system as forcefield_system
from ._topology import Topology as Topology
from ._torsions import HarmonicImpropers as HarmonicImpropers
from ._torsions import OutOfPlane as OutOfPlane
from ._torsions import PeriodicTorsions as PeriodicTorsions
from ._torsions import RyckaertBellemans as RyckaertBellemans
