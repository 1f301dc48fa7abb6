"""Molecular dynamics under any energy in kJ/mol over nm: many replicas, one compiled loop.

- `run_md` follows replicas (`Trajectory`, `MotionProgress`) by `VelocityVerlet` (constant energy),
  `Langevin` (BAOAB) or `Respa` (a cheap energy inside, the rest outside); `maxwell_velocities`.
- `estimate` (`Estimate`): an average with its error bar; `temperature`, `bond_distribution`,
  `pair_distribution`, `torsion_distribution`, `torsion_free_energy` (`Profile`).
- `survival` (`Survival`): when the first bond broke; `conservation` (`Conservation`): the drift of
  the total energy.

```python
path = run_md(energy, masses, positions, Langevin(300.0, step=0.5), steps=20_000, replicas=8)
print(temperature(path))
```
"""

from ._integrators import AbstractIntegrator as AbstractIntegrator
from ._integrators import Langevin as Langevin
from ._integrators import Motion as Motion
from ._integrators import Respa as Respa
from ._integrators import VelocityVerlet as VelocityVerlet
from ._observables import Estimate as Estimate
from ._observables import Profile as Profile
from ._observables import bond_distribution as bond_distribution
from ._observables import bond_lengths as bond_lengths
from ._observables import estimate as estimate
from ._observables import pair_distribution as pair_distribution
from ._observables import temperature as temperature
from ._observables import torsion_angles as torsion_angles
from ._observables import torsion_distribution as torsion_distribution
from ._observables import torsion_free_energy as torsion_free_energy
from ._run import MotionProgress as MotionProgress
from ._run import Trajectory as Trajectory
from ._run import maxwell_velocities as maxwell_velocities
from ._run import run_md as run_md
from ._stability import Conservation as Conservation
from ._stability import Survival as Survival
from ._stability import conservation as conservation
from ._stability import survival as survival
