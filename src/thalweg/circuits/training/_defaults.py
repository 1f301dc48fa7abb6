"""Settings that a task is trained with unless others are asked for."""

import dataclasses

from ._networks import ENCODER
from ._optimiser import TrainConfig


@dataclasses.dataclass(frozen=True)
class Setting:
    """How a task is trained by default.

    Attributes:
        hidden: Units of the first model.
        config: Of the trainer.
        encoder: Front end of static networks.
    """

    hidden: int
    config: TrainConfig
    encoder: tuple[int, ...] = ()


_PIXELS = Setting(
    128, TrainConfig(epochs=300, batch=256, rate=0.01, decay=0.8, decay_every=30, l2=1e-5)
)
_ROWS = Setting(32, TrainConfig(epochs=150, batch=64, rate=0.01, decay=0.8, decay_every=30))

SETTINGS: dict[str, Setting] = {
    "digits": Setting(40, TrainConfig(epochs=30, batch=64, rate=0.01, decay=0.5, decay_every=10)),
    "sdigits": _ROWS,
    "psdigits": _ROWS,
    "mnist": Setting(80, TrainConfig(epochs=12, batch=256, rate=1e-3, l2=1e-5), ENCODER),
    "smnist": _PIXELS,
    "psmnist": _PIXELS,
    "adding": Setting(64, TrainConfig(epochs=30, batch=64, rate=0.01, decay=0.5, decay_every=10)),
    "copy": Setting(64, TrainConfig(epochs=30, batch=64, rate=0.01, decay=0.5, decay_every=10)),
}
"""Those of the 28 x 28 digits are the paper's (12 epochs of the static one, of its 200); sequences
of small digits keep its rate and its decay."""
