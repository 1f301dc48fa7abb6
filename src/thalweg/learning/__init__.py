"""Losses as energies: the landscape of a fit, its symmetry, and what its solutions predict.

```python
data = LearningData(inputs, labels)                        # checked: no NaN, two classes or more
net = Mlp((3, 5, 4), activation="tanh")                    # 3 inputs, 5 hidden units, 4 classes
system = network_system(net, data, l2=1e-3)                # loss, symmetry of hidden units, starts
system = loss_system(predict, params, data, criterion="squared-error")   # any model
```

The energy is the mean loss of a row plus `l2 Σ p²` over all parameters; a point is the flat
vector of parameters.

What a mapped loss says:

- `read_loss`: everything at once, as a `LossReading`; `thalweg predict` prints it.
- `predictions_of`: what each minimum predicts (`Predictions`), and how well (`Scores`: loss,
  accuracy, area under the ROC curve).
- `curvatures_of`: whole Hessian spectra (`Curvatures`).
- `agreement_of`: distances in function space, misclassification distance, which data flip.
- `ensemble_scores`: what ensembles of minima gain over single ones, with paired error bars.
- `thermal_predictions`: heat capacity of a loss and how the minima behind its peaks predict;
  `error_correlation`: whether flat, wide or low minima predict better.
- `sgd_temperature`: stochastic gradient descent as Langevin dynamics, predicted and measured.
"""

from ._agreement import Agreement as Agreement
from ._agreement import agreement_of as agreement_of
from ._agreement import parameter_distances as parameter_distances
from ._criteria import AbstractCriterion as AbstractCriterion
from ._criteria import CRITERIA as CRITERIA
from ._criteria import CrossEntropy as CrossEntropy
from ._criteria import PairwiseAuc as PairwiseAuc
from ._criteria import RowCriterion as RowCriterion
from ._criteria import SquaredError as SquaredError
from ._curvatures import Curvatures as Curvatures
from ._curvatures import curvatures_of as curvatures_of
from ._data import LearningData as LearningData
from ._energy import LossEnergy as LossEnergy
from ._ensembles import ensemble_scores as ensemble_scores
from ._ensembles import EnsembleScores as EnsembleScores
from ._files import held_out_data as held_out_data
from ._files import read_data as read_data
from ._mlp import ACTIVATIONS as ACTIVATIONS
from ._mlp import Dense as Dense
from ._mlp import Mlp as Mlp
from ._named import digits_data as digits_data
from ._named import triatomic_data as triatomic_data
from ._named import xor_data as xor_data
from ._predictions import Predictions as Predictions
from ._predictions import predictions_of as predictions_of
from ._predictions import Scores as Scores
from ._reading import LossReading as LossReading
from ._reading import read_loss as read_loss
from ._scores import auc as auc
from ._sgd import BatchLoss as BatchLoss
from ._sgd import gradient_noise as gradient_noise
from ._sgd import sgd_temperature as sgd_temperature
from ._sgd import SgdTemperature as SgdTemperature
from ._sgd import stationary_covariance as stationary_covariance
from ._structure import error_correlation as error_correlation
from ._structure import ErrorCorrelation as ErrorCorrelation
from ._structure import PeakPredictions as PeakPredictions
from ._structure import thermal_predictions as thermal_predictions
from ._structure import ThermalPredictions as ThermalPredictions
from ._systems import loss_system as loss_system
from ._systems import network_system as network_system
from ._triatomic import read_ljat3 as read_ljat3
from ._triatomic import TRIATOMIC_CLASSES as TRIATOMIC_CLASSES
from ._triatomic import triatomic_outcomes as triatomic_outcomes
from ._triatomic import triatomic_system as triatomic_system
from ._triatomic import TriatomicOutcomes as TriatomicOutcomes
