"""Built-in energies, and the catalogue that turns a name into a system.

```python
system("lj13")                             # free cluster with its starts, symmetry and units
system("blj60").energy                     # PairEnergy(term=LennardJonesMixture(...), ...)
[entry.name for entry in names()]          # what `thalweg systems` prints

PairEnergy(Morse(rho=14.0), species=(0,) * 13)          # a pair energy from its term
PairEnergy(kob_andersen(), species, box=(6.0, 6.0, 6.0))  # species and a periodic box
```

Energies of

- pairs: `PairEnergy` with one of the terms `LennardJones`, `Morse`, `InversePower`,
  `WeeksChandlerAndersen`, `LennardJonesMixture`, `Hertzian`;
- triples: `AxilrodTeller`;
- directions: `SphereEnergy` of any of them (the Thomson problem), `RieszEnergy` in any dimension;
- fields and spins: `Phi4`, `XYLattice`, `XYMeanField`, `PSpin` (`random_p_spin`);
- memories: `HopfieldMemory`, `DenseMemory`, `PolynomialMemory`, read by `memory_states` and
  `retrieval`; `BoltzmannMachine`; and `QaoaRing`, a quantum circuit's angles;
- a few variables: `mueller_brown`, `double_well`, `wolfe_quapp`, `three_hole`, `rastrigin`,
  `schwefel`, `rosenbrock`.

A new pair term is a record with a table of parameters and one function of the squared distance
(`docs/how-to/add-an-energy.md`); the compiled CPU kernel and the JAX sums come with it.
"""

from ._boltzmann import BoltzmannMachine as BoltzmannMachine
from ._boltzmann import QaoaRing as QaoaRing
from ._boltzmann import random_boltzmann_machine as random_boltzmann_machine
from ._catalogue import CatalogueEntry as CatalogueEntry
from ._catalogue import names as names
from ._catalogue import system as system
from ._family import Family as Family
from ._lattice import Phi4 as Phi4
from ._lattice import XYLattice as XYLattice
from ._lattice import XYMeanField as XYMeanField
from ._lattice import lattice_generators as lattice_generators
from ._lattice import permutation_generators as permutation_generators
from ._lattice import sign_flip as sign_flip
from ._memories import DenseMemory as DenseMemory
from ._memories import HopfieldMemory as HopfieldMemory
from ._memories import MemoryStates as MemoryStates
from ._memories import PolynomialMemory as PolynomialMemory
from ._memories import Retrieval as Retrieval
from ._memories import memory_states as memory_states
from ._memories import random_directions as random_directions
from ._memories import random_signs as random_signs
from ._memories import retrieval as retrieval
from ._pair import PairEnergy as PairEnergy
from ._pair_terms import AbstractPairTerm as AbstractPairTerm
from ._pair_terms import Hertzian as Hertzian
from ._pair_terms import InversePower as InversePower
from ._pair_terms import LennardJones as LennardJones
from ._pair_terms import LennardJonesMixture as LennardJonesMixture
from ._pair_terms import Morse as Morse
from ._pair_terms import WeeksChandlerAndersen as WeeksChandlerAndersen
from ._pair_terms import kob_andersen as kob_andersen
from ._sphere import RieszEnergy as RieszEnergy
from ._sphere import SphereEnergy as SphereEnergy
from ._spins import PSpin as PSpin
from ._spins import random_p_spin as random_p_spin
from ._surfaces import double_well as double_well
from ._surfaces import mueller_brown as mueller_brown
from ._surfaces import rastrigin as rastrigin
from ._surfaces import rosenbrock as rosenbrock
from ._surfaces import schwefel as schwefel
from ._surfaces import three_hole as three_hole
from ._surfaces import wolfe_quapp as wolfe_quapp
from ._triples import AxilrodTeller as AxilrodTeller
