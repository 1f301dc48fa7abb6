"""How big a state is: volumes of basins whose members only a yes/no oracle can tell.

A tour:

- `basin_volume`: independent draws from Gaussians of several widths first, then, if they do not
  suffice, walkers on springs with replica exchange and MBAR; `BasinVolume` holds the logarithm
  of the volume, its 95 % interval, and whether to believe it.
- Memberships, which make an oracle: `BasinMembership` (a quench by `SteepestDescent`, the gradient
  flow, or by L-BFGS or FIRE), `NoisyDescent` (Langevin or minibatch descent), `FlowMembership` (any
  dynamics, fixed steps), `AttractionMembership` (any dynamics or map, steps that adapt),
  `FunctionOracle` (any JAX function), `HostOracle` (any Python function).
- `box_shares`: where the known minima own a box between them, starts drawn evenly and counted.
- `BoxRegion`, and `thalweg.sampling.Container`: regions to count in.
- `softness_ladder`: replicas that ask the same question less strictly, for oracles that hardly ever
  pass, such as the finder of a transition state.

```python
membership = BasinMembership(system, minimum)
volume = basin_volume(membership, None, jax.random.key(0), calls=50_000)
print(volume)       # log volume 3.21 ± 0.04 …
volume.trusted, volume.reasons, volume.difficulty
```
"""

from ._attraction import AttractionMembership as AttractionMembership
from ._difficulty import Difficulty as Difficulty
from ._flow import SteepestDescent as SteepestDescent
from ._hit_or_miss import HitOrMiss as HitOrMiss
from ._membership import AbstractMembership as AbstractMembership
from ._membership import BasinMembership as BasinMembership
from ._membership import FlowMembership as FlowMembership
from ._membership import NoisyDescent as NoisyDescent
from ._oracles import AbstractBatchOracle as AbstractBatchOracle
from ._oracles import BoxRegion as BoxRegion
from ._oracles import FunctionOracle as FunctionOracle
from ._oracles import HostOracle as HostOracle
from ._oracles import ask_many as ask_many
from ._shares import BoxShares as BoxShares
from ._shares import box_shares as box_shares
from ._softness import SoftnessSamples as SoftnessSamples
from ._softness import softness_ladder as softness_ladder
from ._tether import TetheredLadder as TetheredLadder
from ._volume import BasinVolume as BasinVolume
from ._volume import basin_volume as basin_volume
