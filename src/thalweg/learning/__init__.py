"""Losses as energies: the landscape of a fit, its symmetry, and what its solutions predict.

```python
data = LearningData(inputs, labels)                        # checked: no NaN, two classes or more
net = Mlp((3, 5, 4), activation="tanh")                    # 3 inputs, 5 hidden units, 4 classes
system = network_system(net, data, l2=1e-3)                # loss, symmetry of hidden units, starts
system = loss_system(predict, params, data, criterion="squared-error")   # any model
system = network_system(eqx_model, data, l2=1e-3)          # its MLP layers are found
system, fitted = sklearn_system(estimator, X, y)           # the same loss, and where the fit ended
zero_mode_report(system, x)                                # flat directions, and their reasons
embed_unit(net, x)                                         # one more unit, all weights zero
minibatch_energy(system, 32)                               # a noisy energy, for `sample`
kmeans_system(rows, clusters=3)                            # soft k-means; mixture_system(rows, 3)
gaussian_process_system(inputs, targets, kernel="matern")  # hyper-parameters
waves_system(noise=0.02)                                   # non-linear regression
```

The energy of a network is the mean loss of a row plus `l2 Σ p²` over all parameters; a point is
the flat vector of parameters.
"""

from ._clusters import GaussianMixture as GaussianMixture
from ._clusters import SoftKMeans as SoftKMeans
from ._clusters import kmeans_system as kmeans_system
from ._clusters import mixture_system as mixture_system
from ._criteria import CRITERIA as CRITERIA
from ._criteria import AbstractCriterion as AbstractCriterion
from ._criteria import CrossEntropy as CrossEntropy
from ._criteria import PairwiseAuc as PairwiseAuc
from ._criteria import RowCriterion as RowCriterion
from ._criteria import SquaredError as SquaredError
from ._data import LearningData as LearningData
from ._embedding import Embedded as Embedded
from ._embedding import added_curvatures as added_curvatures
from ._embedding import embed_unit as embed_unit
from ._energy import LossEnergy as LossEnergy
from ._equinox import EquinoxModel as EquinoxModel
from ._gaussian_process import GaussianProcess as GaussianProcess
from ._gaussian_process import gaussian_process_system as gaussian_process_system
from ._joints import circuit_system as circuit_system
from ._joints import forcefield_system as forcefield_system
from ._joints import formaldehyde_charges as formaldehyde_charges
from ._minibatch import frozen_minibatch as frozen_minibatch
from ._minibatch import minibatch_energy as minibatch_energy
from ._mlp import ACTIVATIONS as ACTIVATIONS
from ._mlp import Dense as Dense
from ._mlp import Mlp as Mlp
from ._mlp import places_of as places_of
from ._named import digits_data as digits_data
from ._named import triatomic_data as triatomic_data
from ._named import xor_data as xor_data
from ._sklearn import sklearn_system as sklearn_system
from ._systems import loss_of as loss_of
from ._systems import loss_system as loss_system
from ._systems import network_system as network_system
from ._systems import parameters_of as parameters_of
from ._torch import mlp_from_torch as mlp_from_torch
from ._torch import torch_system as torch_system
from ._triatomic import TRIATOMIC_CLASSES as TRIATOMIC_CLASSES
from ._triatomic import TriatomicOutcomes as TriatomicOutcomes
from ._triatomic import read_ljat3 as read_ljat3
from ._triatomic import triatomic_outcomes as triatomic_outcomes
from ._triatomic import triatomic_system as triatomic_system
from ._waves import TRUE_WAVES as TRUE_WAVES
from ._waves import DampedWaves as DampedWaves
from ._waves import waves_system as waves_system
from ._zero_modes import ZeroModeReport as ZeroModeReport
from ._zero_modes import functional_rank as functional_rank
from ._zero_modes import zero_mode_report as zero_mode_report
