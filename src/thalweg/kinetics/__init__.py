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
  `nearest_core`, `commit` and `find_jumps` turn a continuous trajectory into states.

```python
chain = transition_rates(landscape, temperature=0.3)
chain.mfpt(0, 1)                           # mean first-passage time from minimum 0 to minimum 1
forward, back = chain.rate_constants(0, [1, 2])
chain.fastest_path(0, 1).ids
```
"""

from ._chain import MarkovChain as MarkovChain
from ._first_passage import RateConstants as RateConstants
from ._paths import RatePath as RatePath
from ._paths import lowest_path as lowest_path
from ._rates import kramers_transmission as kramers_transmission
from ._rates import langer_transmission as langer_transmission
from ._rates import transition_rates as transition_rates
from ._spectrum import Spectrum as Spectrum
