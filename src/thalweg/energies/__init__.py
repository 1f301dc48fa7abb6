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
  `WeeksChandlerAndersen`, `LennardJonesMixture`;
- triples: `AxilrodTeller`;
- directions: `SphereEnergy` of any of them (the Thomson problem);
- a few variables: `mueller_brown`, `double_well`, `wolfe_quapp`, `three_hole`, `rastrigin`,
  `schwefel`, `rosenbrock`.

A new pair term is a record with a table of parameters and one function of the squared distance
(`docs/how-to/add-an-energy.md`); the compiled CPU kernel and the JAX sums come with it.
"""

from ._catalogue import CatalogueEntry as CatalogueEntry
from ._catalogue import names as names
from ._catalogue import system as system
from ._family import Family as Family
from ._pair import PairEnergy as PairEnergy
from ._pair_terms import AbstractPairTerm as AbstractPairTerm
from ._pair_terms import InversePower as InversePower
from ._pair_terms import LennardJones as LennardJones
from ._pair_terms import LennardJonesMixture as LennardJonesMixture
from ._pair_terms import Morse as Morse
from ._pair_terms import WeeksChandlerAndersen as WeeksChandlerAndersen
from ._pair_terms import kob_andersen as kob_andersen
from ._sphere import SphereEnergy as SphereEnergy
from ._surfaces import double_well as double_well
from ._surfaces import mueller_brown as mueller_brown
from ._surfaces import rastrigin as rastrigin
from ._surfaces import rosenbrock as rosenbrock
from ._surfaces import schwefel as schwefel
from ._surfaces import three_hole as three_hole
from ._surfaces import wolfe_quapp as wolfe_quapp
from ._triples import AxilrodTeller as AxilrodTeller
