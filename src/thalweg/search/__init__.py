"""Finding points where the gradient vanishes.

| from | to | with |
|---|---|---|
| any point | the minimum of its basin | `quench`, `quench_many`: `LBFGS`, `FIRE`, `Newton` |
| anywhere | the lowest minimum | `BasinHopping` |
| any point | a transition state | `climb`: `EigenvectorFollowing`, `Dimer`, `Newton(index=1)` |
| any point | a stationary point of whatever index | `newton_many` |
| two minima | candidates for transition states between them | `Band` |
| a transition state | the two minima below it | `push_off`; along steepest descent: `descend` |
| a nearly stationary point | a certified one | `certify_many` |

Solvers are frozen records for the engine in `thalweg.core`; they know no concrete energy.
"""

from ._any_index import newton_many as newton_many
from ._band import Band as Band
from ._band import BandStart as BandStart
from ._band import images_for as images_for
from ._band import interpolate as interpolate
from ._band import maxima as maxima
from ._band import redistribute as redistribute
from ._basin_hopping import BasinHopping as BasinHopping
from ._basin_hopping import Walkers as Walkers
from ._certify import Certified as Certified
from ._certify import certify_many as certify_many
from ._descent import Descent as Descent
from ._descent import descend as descend
from ._dimer import Dimer as Dimer
from ._eigenvector_following import Climb as Climb
from ._eigenvector_following import EigenvectorFollowing as EigenvectorFollowing
from ._fire import FIRE as FIRE
from ._lbfgs import LBFGS as LBFGS
from ._lbfgs import SecantPairs as SecantPairs
from ._minimise import quench as quench
from ._minimise import quench_many as quench_many
from ._minimiser import AbstractMinimiser as AbstractMinimiser
from ._minimiser import MinimiserState as MinimiserState
from ._newton import Newton as Newton
from ._quench_track import quench_track as quench_track
from ._saddle import climb as climb
from ._saddle import push_off as push_off
from ._saddle import tolerance_beside as tolerance_beside
