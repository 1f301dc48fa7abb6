"""What is occupied at which temperature: equilibrium read off a landscape.

A tour:

- `HarmonicEnsemble`: the classical harmonic superposition: occupations, free energy, internal
  energy, entropy, heat capacity, and each minimum's part in it.
- `QuantumEnsemble`: the same with quantum oscillators; `vibrational_frequencies` computes all
  frequencies of every minimum.
- `heat_capacity_peaks`: where the heat capacity is highest, and which minima make it so.
- `with_missing_minima`: intervals for what has probably not been found.
- `free_energy_network`, `free_energy_groups`: free energies at a temperature, for
  `thalweg.landscape.disconnectivity_tree` to draw; regrouped by a barrier.
- `reweight`: curves with error bars from sampling, which assumes no harmonic wells.

```python
ensemble = HarmonicEnsemble.of(landscape)
ensemble.heat_capacity(np.linspace(0.1, 0.4, 100))
ensemble.occupations(0.3)
heat_capacity_peaks(ensemble, 0.1, 0.4)[0].falling
```
"""

from ._free_energy import free_energy_groups as free_energy_groups
from ._free_energy import free_energy_network as free_energy_network
from ._modes import flat_candidates as flat_candidates
from ._peaks import HeatCapacityPeak as HeatCapacityPeak
from ._peaks import heat_capacity_peaks as heat_capacity_peaks
from ._peaks import temperature_grid as temperature_grid
from ._peaks import temperature_range as temperature_range
from ._peaks import wide_range as wide_range
from ._quantum import QuantumEnsemble as QuantumEnsemble
from ._quantum import vibrational_frequencies as vibrational_frequencies
from ._reweight import Reweighted as Reweighted
from ._reweight import reweight as reweight
from ._superposition import AbstractEnsemble as AbstractEnsemble
from ._superposition import HarmonicEnsemble as HarmonicEnsemble
from ._superposition import Temperature as Temperature
from ._uncertainty import MissingMinima as MissingMinima
from ._uncertainty import with_missing_minima as with_missing_minima
