"""Recurrent circuits whose stability is certified.

- `Organics`: circuits that normalise their input, in every variant; `ring`, `OrganicsLayers` and
  `ThreeTypeOrganics` are built like it. `thalweg.dynamics.certify` asks them for their theorems.
- What is known in closed form: `Organics.normalised`, `scalar_fixed_points`, `principal_branch`,
  `iterate_fixed_point`, `effective_time_constants`.
- The linearised circuit as coupled oscillators (`oscillators`, `Oscillators`) and its energy
  (`circuit_energy`, `CircuitEnergy`, `energy_along`, `EnergyAlong`).
- Peers: `SupralinearNetwork` (`two_population_network`), `WilsonCowan`, `LeakyRNN`, `GRUMap`,
  `LSTMMap` (`gru`, `lstm`); networks of contracting networks: `assemble`, `Assembly`,
  `contraction_metric`.
- `circuit` and `circuit_names`: some of them by name; `save_circuit`, `load_circuit`: one file.
- `stack` makes one record of many circuits, for `thalweg.dynamics.certify_batch`; `trajectories`
  follows many states at once.
"""

from ._assembly import Assembly as Assembly
from ._assembly import assemble as assemble
from ._catalogue import circuit as circuit
from ._catalogue import circuit_names as circuit_names
from ._cells import GRUMap as GRUMap
from ._cells import LSTMMap as LSTMMap
from ._cells import gru as gru
from ._cells import lstm as lstm
from ._iteration import iterate_fixed_point as iterate_fixed_point
from ._layers import OrganicsLayers as OrganicsLayers
from ._organics import Organics as Organics
from ._organics import effective_time_constants as effective_time_constants
from ._organics import stack as stack
from ._oscillator import CircuitEnergy as CircuitEnergy
from ._oscillator import EnergyAlong as EnergyAlong
from ._oscillator import Oscillators as Oscillators
from ._oscillator import circuit_energy as circuit_energy
from ._oscillator import energy_along as energy_along
from ._oscillator import oscillators as oscillators
from ._oscillator import trajectories as trajectories
from ._peers import SupralinearNetwork as SupralinearNetwork
from ._peers import WilsonCowan as WilsonCowan
from ._peers import two_population_network as two_population_network
from ._ring import ThreeTypeOrganics as ThreeTypeOrganics
from ._ring import raised_cosines as raised_cosines
from ._ring import ring as ring
from ._ring import ring_recurrence as ring_recurrence
from ._rnn import LeakyRNN as LeakyRNN
from ._rnn import contraction_metric as contraction_metric
from ._scalar import principal_branch as principal_branch
from ._scalar import scalar_fixed_points as scalar_fixed_points
from ._store import NamedCircuit as NamedCircuit
from ._store import load_circuit as load_circuit
from ._store import save_circuit as save_circuit
