"""Losses as energies: the landscape of a fit, its symmetry, and what its solutions predict.

```python
data = LearningData(inputs, labels)                        # checked: no NaN, two classes or more
net = Mlp((3, 5, 4), activation="tanh")                    # 3 inputs, 5 hidden units, 4 classes
system = network_system(net, data, l2=1e-3)                # loss, symmetry of hidden units, starts
system = loss_system(predict, params, data, criterion="squared-error")   # any model
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
from ._energy import LossEnergy as LossEnergy
from ._gaussian_process import GaussianProcess as GaussianProcess
from ._gaussian_process import gaussian_process_system as gaussian_process_system
from ._mlp import ACTIVATIONS as ACTIVATIONS
from ._mlp import Dense as Dense
from ._mlp import Mlp as Mlp
from ._systems import loss_system as loss_system
from ._systems import network_system as network_system
from ._waves import TRUE_WAVES as TRUE_WAVES
from ._waves import DampedWaves as DampedWaves
from ._waves import waves_system as waves_system
