"""Force fields anywhere between molecular mechanics and machine learning.

A `ForceField` is a `Topology` (who is bonded to whom) and a sum of blocks, each an `AbstractBlock`
with its parameters as arrays. It is an energy like any other: every command and function of this
package takes it. Energies are in kJ/mol, lengths in nm, charges in elementary charges, masses in
dalton.

    from thalweg.forcefields import ForceField, HarmonicBonds, Topology
"""

from ._assigned import AssignedParameters as AssignedParameters
from ._assigned import AssignedTerms as AssignedTerms
from ._block import COULOMB as COULOMB
from ._block import AbstractBlock as AbstractBlock
from ._block import Geometry as Geometry
from ._block import Quantity as Quantity
from ._bonded import HarmonicAngles as HarmonicAngles
from ._bonded import HarmonicBonds as HarmonicBonds
from ._committee import Committee as Committee
from ._committee import CommitteeNoise as CommitteeNoise
from ._composition import Mixture as Mixture
from ._composition import Region as Region
from ._composition import Total as Total
from ._composition import Weighted as Weighted
from ._copies import doubled as doubled
from ._equivariant import EquivariantMessages as EquivariantMessages
from ._file import StoredForceField as StoredForceField
from ._file import load_forcefield as load_forcefield
from ._file import save_forcefield as save_forcefield
from ._forcefield import ForceField as ForceField
from ._invariant import InvariantMessages as InvariantMessages
from ._latent_charges import LatentCharges as LatentCharges
from ._learned import transferred as transferred
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
from ._splines import PairSplines as PairSplines
from ._symmetry_functions import SymmetryDescriptor as SymmetryDescriptor
from ._symmetry_functions import SymmetryFunctions as SymmetryFunctions
from ._topology import Topology as Topology
