"""How fast a system moves between its minima, and by which path.

A tour:

- `transition_rates`: harmonic transition-state theory over every transition state of a landscape,
  as a `MarkovChain`; `kramers_transmission` for friction.
- `MarkovChain`: first-passage times (`mfpt`, `mfpts`), `rate_constants` between sets of states,
  `committor`, `fastest_paths`, `spectrum` of slow modes and `metastable` groups. All come from
  elimination without subtraction and hold at any temperature. Names that begin with `log_` are
  natural logarithms.
- `rate`, `mean_first_passage_time`: the same in one line, by the ids of minima.
- `first_passages`, `simulate`: kinetic Monte Carlo; `PassageTimes`: the exact distribution.
- `estimate_generator`, `estimate_from_lag`: the most likely chain behind observed trajectories;
  `assign_basins`, `nearest_core`, `commit` and `find_jumps` turn a continuous trajectory into states.

```python
chain = transition_rates(landscape, temperature=0.3)
chain.mfpt(0, 1)                           # mean first-passage time from minimum 0 to minimum 1
forward, back = chain.rate_constants(0, [1, 2])
chain.fastest_path(0, 1).ids
```
"""

from ._chain import MarkovChain as MarkovChain
from ._first_passage import RateConstants as RateConstants
from ._inference import GeneratorEstimate as GeneratorEstimate
from ._inference import JumpStatistics as JumpStatistics
from ._inference import count_transitions as count_transitions
from ._inference import estimate_from_lag as estimate_from_lag
from ._inference import estimate_generator as estimate_generator
from ._inference import matrix_logarithm as matrix_logarithm
from ._monte_carlo import FirstPassages as FirstPassages
from ._monte_carlo import JumpTrajectories as JumpTrajectories
from ._monte_carlo import first_passages as first_passages
from ._monte_carlo import simulate as simulate
from ._passage_times import PassageTimes as PassageTimes
from ._paths import RatePath as RatePath
from ._paths import lowest_path as lowest_path
from ._rates import kramers_transmission as kramers_transmission
from ._rates import langer_transmission as langer_transmission
from ._rates import transition_rates as transition_rates
from ._short import mean_first_passage_time as mean_first_passage_time
from ._short import rate as rate
from ._spectrum import Spectrum as Spectrum
from ._trajectory import assign_basins as assign_basins
from ._trajectory import commit as commit
from ._trajectory import find_jumps as find_jumps
from ._trajectory import nearest_core as nearest_core
