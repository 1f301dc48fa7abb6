"""Campaigns: a laboratory, or a high-throughput screen, as a Monte Carlo sampler.

Each measurement of a condition fluctuates; its *average* says how good the condition is. A
campaign visits conditions with probability proportional to that average, exactly, however large
the fluctuations are (Frenkel, Schrenk & Martiniani, PNAS 114, 6924 (2017)). This is not
optimisation: the answer is a distribution, with error bars.

A tour:

- `Campaign.create(url, conditions, outcome=…)` makes one in a database; `Campaign.open(url)`.
- Conditions: `Range` (bounds, unit, periodic or logarithmic), `Levels` (a grid), `Choice`.
- `Outcome`: a weight that is never negative, pass or fail, or a signed number.
- Kernels: `Single` (planned replicates of one condition), `Cloud` (many points at once).
- `ask` offers wells as `Request`s; `tell`, `tell_many` take `Measurement`s in any order, partly,
  late, or twice, and say in a `Told` what became of them; `ConflictError`, if an id has another
  result already.
- `samples` are `CampaignSamples`: the same steps of every chain; their `average` is an `Estimate`.
- `status` is a `CampaignStatus` with warnings; `verify` is an `Audit` that recomputes everything
  from the log.
- `write_requests`, `read_results`: plates as CSV files.

```python
campaign = Campaign.create("lab.db", [Range("pH", 4, 9)], outcome="pass", layout=96)
plate = campaign.ask()
campaign.tell_many((well.id, measure(well.conditions)) for well in plate)
campaign.samples().average(lambda c: c["pH"] > 7)
```

State is the fold of an append-only log whose events are chained by their hashes; random numbers
belong to (campaign, chain, step, purpose), so a campaign that was killed goes on as if it had not
been.
"""

from ._audit import Audit as Audit
from ._campaign import Campaign as Campaign
from ._campaign import ConflictError as ConflictError
from ._plan import Cloud as Cloud
from ._plan import Outcome as Outcome
from ._plan import Plan as Plan
from ._plan import Single as Single
from ._records import Measurement as Measurement
from ._records import Purpose as Purpose
from ._records import Request as Request
from ._records import Status as Status
from ._records import Told as Told
from ._samples import CampaignSamples as CampaignSamples
from ._samples import Estimate as Estimate
from ._space import Choice as Choice
from ._space import Levels as Levels
from ._space import Range as Range
from ._space import Space as Space
from ._status import CampaignStatus as CampaignStatus
from ._table import read_results as read_results
from ._table import write_requests as write_requests
