"""Circuits that learn: cells, static layers, tasks, a trainer, and what it says about stability.

A tour:

- Cells read sequences, one Euler step for each input: `organics_cell` (the gated circuit, in
  several variants), `minimal_organics_cell`; `lstm_cell`, `gru_cell`, `leaky_cell`,
  `supralinear_cell`, `coupled_oscillator_cell`. Each is an `AbstractCell`, and so a map that
  `thalweg.core.jacobian` and everything else for dynamics takes.
- Layers answer with the rest of a circuit: `organics_layer` (in closed form for W_r = I, else by
  `rest`, whose gradient is one linear solve), `supralinear_layer`, `organics_convolution`, `dense`.
- Weights by construction: `recurrent_weights` (bounded norm, orthogonal, …), `PositiveWeights`.
- `network` builds a model by name; `models`, `parameters_of`, `matched_hidden`.
- `task` finds data: digits, `s`, `ps` (pixel by pixel, permuted), `mnist`, adding, copy;
  `fetch_mnist` is the only function here that uses the network.
- `fit` trains a `Recipe` under a `TrainConfig`; `compare` trains several models and seeds, and
  gives a table with intervals and verdicts; `load_network` reads what they wrote.
- `certify_network`: stability at test inputs. `gradient_flow`: how gradients travel back.

```python
digits = task("digits")
training = fit(Recipe("organics", "digits", digits.shape, (40,), seed=0), digits)
training.test_score, training.certificates[-1]
```

Everything is float32 whatever JAX's default is; certificates are float64. The optimiser is Adam:
nothing clips or rescales gradients.
"""

from ._cell import AbstractCell as AbstractCell
from ._cell import join as join
from ._cell import run_cell as run_cell
from ._certificates import CircuitCertificate as CircuitCertificate
from ._certificates import certify_network as certify_network
from ._certificates import flow_abscissae as flow_abscissae
from ._certificates import map_radius as map_radius
from ._compare import PUBLISHED as PUBLISHED
from ._compare import Comparison as Comparison
from ._compare import Interval as Interval
from ._compare import Row as Row
from ._compare import Verdict as Verdict
from ._compare import compare as compare
from ._compare import interval as interval
from ._compare import write_training as write_training
from ._defaults import SETTINGS as SETTINGS
from ._defaults import Setting as Setting
from ._fit import Training as Training
from ._fit import TrainProgress as TrainProgress
from ._fit import fit as fit
from ._gradients import GradientFlow as GradientFlow
from ._gradients import gradient_flow as gradient_flow
from ._idx import DataError as DataError
from ._idx import fetch_mnist as fetch_mnist
from ._idx import read_idx as read_idx
from ._idx import read_mnist as read_mnist
from ._layers import AbstractLayer as AbstractLayer
from ._layers import Dense as Dense
from ._layers import OrganicsConvolution as OrganicsConvolution
from ._layers import OrganicsLayer as OrganicsLayer
from ._layers import SupralinearLayer as SupralinearLayer
from ._layers import dense as dense
from ._layers import organics_convolution as organics_convolution
from ._layers import organics_layer as organics_layer
from ._layers import supralinear_layer as supralinear_layer
from ._networks import ENCODER as ENCODER
from ._networks import ImageNetwork as ImageNetwork
from ._networks import SequenceNetwork as SequenceNetwork
from ._networks import Shape as Shape
from ._networks import StaticNetwork as StaticNetwork
from ._networks import matched_hidden as matched_hidden
from ._networks import models as models
from ._networks import network as network
from ._networks import parameters_of as parameters_of
from ._numerics import Fixed as Fixed
from ._numerics import cast as cast
from ._numerics import count_parameters as count_parameters
from ._numerics import safe_sqrt as safe_sqrt
from ._numerics import trainable as trainable
from ._optimiser import TrainConfig as TrainConfig
from ._optimiser import describe as describe
from ._optimiser import optimiser as optimiser
from ._organics_cell import PAPER_STEPS as PAPER_STEPS
from ._organics_cell import VARIANTS as VARIANTS
from ._organics_cell import MinimalOrganicsCell as MinimalOrganicsCell
from ._organics_cell import OrganicsCell as OrganicsCell
from ._organics_cell import Variant as Variant
from ._organics_cell import minimal_organics_cell as minimal_organics_cell
from ._organics_cell import organics_cell as organics_cell
from ._peer_cells import CoupledOscillatorCell as CoupledOscillatorCell
from ._peer_cells import GRUCell as GRUCell
from ._peer_cells import LeakyCell as LeakyCell
from ._peer_cells import LSTMCell as LSTMCell
from ._peer_cells import SupralinearCell as SupralinearCell
from ._peer_cells import coupled_oscillator_cell as coupled_oscillator_cell
from ._peer_cells import gru_cell as gru_cell
from ._peer_cells import leaky_cell as leaky_cell
from ._peer_cells import lstm_cell as lstm_cell
from ._peer_cells import supralinear_cell as supralinear_cell
from ._rest import Circuit as Circuit
from ._rest import identity_rest as identity_rest
from ._rest import residual as residual
from ._rest import rest as rest
from ._rest import rest_jacobian as rest_jacobian
from ._rest import unsettled as unsettled
from ._saved import Recipe as Recipe
from ._saved import load_network as load_network
from ._step import Score as Score
from ._step import sample_losses as sample_losses
from ._step import score as score
from ._step import train_step as train_step
from ._tasks import TASKS as TASKS
from ._tasks import Split as Split
from ._tasks import Task as Task
from ._tasks import task as task
from ._weights import RECURRENCES as RECURRENCES
from ._weights import AbstractWeights as AbstractWeights
from ._weights import BoundedWeights as BoundedWeights
from ._weights import FreeWeights as FreeWeights
from ._weights import IdentityWeights as IdentityWeights
from ._weights import OrthogonalWeights as OrthogonalWeights
from ._weights import PerturbedIdentity as PerturbedIdentity
from ._weights import PositiveWeights as PositiveWeights
from ._weights import UnitNormWeights as UnitNormWeights
from ._weights import recurrent_weights as recurrent_weights
from ._weights import spectral_norm as spectral_norm
