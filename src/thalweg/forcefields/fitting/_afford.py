"""How long a fit may be for the time that it may take."""

import dataclasses
import time

from thalweg.forcefields._forcefield import ForceField

from ._dataset import Dataset
from ._fit import FitConfig, make_engine
from ._parameters import Parameters

_LEAST = 100
"""Steps of Adam at least, however little time there is."""


def affordable_steps(
    force_field: ForceField, train: Dataset, config: FitConfig, seconds: float
) -> FitConfig:
    """The config with as many steps as fit into a time, by a measured step.

    Compilation is not counted, and neither are looks at the validation set.

    Args:
        force_field: What is fitted.
        train: To what.
        config: How; its steps and iterations are replaced.
        seconds: CPU time for all steps.
    """
    parameters = Parameters(force_field)
    engine = make_engine(parameters, train, config)
    moves = parameters.start()
    memory = engine.init(moves)
    engine.advance(moves, memory, 0)
    began = time.process_time()
    new = engine.advance(moves, memory, 0)
    each = max(time.process_time() - began, 1e-6) / len(new.losses)
    count = max(1, int(seconds / each))
    return dataclasses.replace(
        config, steps=max(_LEAST, count), iterations=max(2, min(count, config.iterations))
    )
