"""Losses as energies: the landscape of a fit, its symmetry, and what its solutions predict.

```python
data = LearningData(inputs, labels)                        # checked: no NaN, two classes or more
net = Mlp((3, 5, 4), activation="tanh")                    # 3 inputs, 5 hidden units, 4 classes
system = network_system(net, data, l2=1e-3)                # loss, symmetry of hidden units, starts
system = loss_system(predict, params, data, criterion="squared-error")   # any model
```

The energy is the mean loss of a row plus `l2 Σ p²` over all parameters; a point is the flat
vector of parameters.
"""

from ._criteria import CRITERIA as CRITERIA
from ._criteria import AbstractCriterion as AbstractCriterion
from ._criteria import CrossEntropy as CrossEntropy
from ._criteria import PairwiseAuc as PairwiseAuc
from ._criteria import RowCriterion as RowCriterion
from ._criteria import SquaredError as SquaredError
from ._data import LearningData as LearningData
from ._energy import LossEnergy as LossEnergy
from ._mlp import ACTIVATIONS as ACTIVATIONS
from ._mlp import Dense as Dense
from ._mlp import Mlp as Mlp
from ._systems import loss_system as loss_system
from ._systems import network_system as network_system
