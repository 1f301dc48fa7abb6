"""Losses as energies: the landscape of a fit, its symmetry, and what its solutions predict.

A tour of the readers:

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
from ._curvatures import Curvatures as Curvatures
from ._curvatures import curvatures_of as curvatures_of
from ._ensembles import EnsembleScores as EnsembleScores
from ._ensembles import ensemble_scores as ensemble_scores
from ._predictions import Predictions as Predictions
from ._predictions import Scores as Scores
from ._predictions import predictions_of as predictions_of
from ._reading import LossReading as LossReading
from ._reading import read_loss as read_loss
from ._scores import auc as auc
from ._sgd import BatchLoss as BatchLoss
from ._sgd import SgdTemperature as SgdTemperature
from ._sgd import gradient_noise as gradient_noise
from ._sgd import sgd_temperature as sgd_temperature
from ._sgd import stationary_covariance as stationary_covariance
from ._structure import ErrorCorrelation as ErrorCorrelation
from ._structure import PeakPredictions as PeakPredictions
from ._structure import ThermalPredictions as ThermalPredictions
from ._structure import error_correlation as error_correlation
from ._structure import thermal_predictions as thermal_predictions
