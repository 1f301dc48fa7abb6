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

What a mapped loss says:

- `read_loss`: everything at once, as a `LossReading`; `thalweg predict` prints it.
- `predictions_of`: what each minimum predicts (`Predictions`), and how well (`Scores`: loss,
  accuracy, area under the ROC curve).
- `curvatures_of`: whole Hessian spectra (`Curvatures`).
- `agreement_of`: distances in function space, misclassification distance, which data flip.
- `ensemble_scores`: what ensembles of minima gain over single ones, with paired error bars.
- `thermal_predictions`: heat capacity of a loss and how the minima behind its peaks predict;
  `error_correlation`: whether flat, wide or low minima predict better.
- `sgd_temperature`: stochastic gradient descent as Langevin dynamics, predicted and measured;
  `sgd_escape`: its escape over a barrier beside Kramers' rate.
"""

from ._agreement import Agreement as Agreement
from ._agreement import agreement_of as agreement_of
from ._agreement import parameter_distances as parameter_distances
from ._batches import BatchLoss as BatchLoss
from ._batches import gradient_noise as gradient_noise
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
from ._curvatures import Curvatures as Curvatures
from ._curvatures import curvatures_of as curvatures_of
from ._data import LearningData as LearningData
from ._embedding import Embedded as Embedded
from ._embedding import added_curvatures as added_curvatures
from ._embedding import embed_unit as embed_unit
from ._energy import LossEnergy as LossEnergy
from ._ensembles import EnsembleScores as EnsembleScores
from ._ensembles import ensemble_scores as ensemble_scores
from ._equinox import EquinoxModel as EquinoxModel
from ._escape import SgdEscape as SgdEscape
from ._escape import sgd_escape as sgd_escape
from ._files import held_out_data as held_out_data
from ._files import read_data as read_data
from ._gaussian_process import GaussianProcess as GaussianProcess
from ._gaussian_process import gaussian_process_system as gaussian_process_system
from ._joints import circuit_loss_system as circuit_loss_system
from ._joints import forcefield_loss_system as forcefield_loss_system
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
from ._predictions import Predictions as Predictions
from ._predictions import Scores as Scores
from ._predictions import predictions_of as predictions_of
from ._reading import LossReading as LossReading
from ._reading import read_loss as read_loss
from ._scores import auc as auc
from ._sgd import SgdTemperature as SgdTemperature
from ._sgd import sgd_temperature as sgd_temperature
from ._sgd import stationary_covariance as stationary_covariance
from ._sklearn import sklearn_system as sklearn_system
from ._structure import ErrorCorrelation as ErrorCorrelation
from ._structure import PeakPredictions as PeakPredictions
from ._structure import ThermalPredictions as ThermalPredictions
from ._structure import error_correlation as error_correlation
from ._structure import thermal_predictions as thermal_predictions
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
