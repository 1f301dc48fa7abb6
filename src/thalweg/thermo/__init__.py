"""What is occupied at which temperature: equilibrium read off a landscape.

A tour:

- `HarmonicEnsemble`: the classical harmonic superposition: occupations, free energy, internal
  energy, entropy, heat capacity, and each minimum's part in it.

```python
ensemble = HarmonicEnsemble.of(landscape)
ensemble.heat_capacity(np.linspace(0.1, 0.4, 100))
ensemble.occupations(0.3)
```
"""

from ._superposition import AbstractEnsemble as AbstractEnsemble
from ._superposition import HarmonicEnsemble as HarmonicEnsemble
from ._superposition import Temperature as Temperature
