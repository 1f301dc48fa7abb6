"""Sampling: what a system does at a temperature, without assuming that its wells are harmonic.

A tour:

- `parallel_tempering`: Metropolis walkers at many temperatures that exchange configurations, in
  several independent replicas, for any energy that can be evaluated exactly; `TemperingSamples`
  holds what they saw, and how well they mixed.
- `Container`: keeps the particles of a cluster together, as superposition does by itself.
- `basin_volume`: how big a state is, when only a yes/no oracle can tell what belongs to it;
  `thalweg.sampling.volume` opens with a tour of memberships, regions and the ladders behind it.

```python
samples = parallel_tempering(
    system, np.geomspace(0.1, 0.4, 12), jax.random.key(0), constraint=Container(7, 2.5)
)
samples.energies.mean(axis=(0, 2))   # one mean for each temperature
samples.exchange                     # acceptance of exchanges between neighbours
```

`thalweg.thermo.reweight` makes heat capacities with error bars of the samples.
"""

from ._container import Container as Container
from ._tempering import TemperingSamples as TemperingSamples
from ._tempering import parallel_tempering as parallel_tempering
from .volume import BasinMembership as BasinMembership
from .volume import BasinVolume as BasinVolume
from .volume import Box as Box
from .volume import FlowMembership as FlowMembership
from .volume import FunctionOracle as FunctionOracle
from .volume import HostOracle as HostOracle
from .volume import NoisyDescent as NoisyDescent
from .volume import SkirtOracle as SkirtOracle
from .volume import SteepestDescent as SteepestDescent
from .volume import basin_volume as basin_volume
from .volume import softness_ladder as softness_ladder
