"""The optimiser: Adam and a learning rate, and nothing that clips or rescales gradients."""

import dataclasses
import functools

import optax

from thalweg.core import ArgumentError


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """How a network is trained.

    Attributes:
        epochs: Passes over the training set, at most.
        batch: Samples in each step.
        rate: Learning rate of Adam.
        decay: Factor of the learning rate after every `decay_every` epochs.
        decay_every: Epochs between two such factors.
        l2: Added to gradients as l2 · parameter, before Adam (on logarithms of weights and time
            constants too: it draws them to W = 1 and h = h_max/2).
        patience: Epochs without a better validation score after which training ends; `None`: never.
        certify_every: Epochs between certificates; 0: only at the end.
    """

    epochs: int = 20
    batch: int = 256
    rate: float = 1e-3
    decay: float = 0.8
    decay_every: int = 100
    l2: float = 0.0
    patience: int | None = None
    certify_every: int = 0

    def __post_init__(self) -> None:
        least = {"epochs": 1, "batch": 1, "decay_every": 1, "certify_every": 0}
        for name, value in least.items():
            if getattr(self, name) < value:
                raise ArgumentError(f"{name}={getattr(self, name)} must be at least {value}")
        if not self.rate > 0 or not 0 < self.decay <= 1 or not self.l2 >= 0:
            raise ArgumentError(
                f"rate={self.rate}, decay={self.decay}, l2={self.l2}: expected a positive rate, a "
                "decay in (0, 1], and an l2 that is not negative"
            )
        if self.patience is not None and self.patience < 1:
            raise ArgumentError(f"patience={self.patience} must be at least 1, or None")


def links(
    config: TrainConfig, steps_per_epoch: int
) -> list[tuple[str, optax.GradientTransformation]]:
    """The links of the optimiser's chain, each with its name."""
    schedule = optax.exponential_decay(
        config.rate, config.decay_every * steps_per_epoch, config.decay, staircase=True
    )
    chain = [
        ("scale_by_adam(b1=0.9, b2=0.999, eps=1e-08)", optax.scale_by_adam()),
        (
            f"scale_by_learning_rate({config.rate:g} x {config.decay:g} every "
            f"{config.decay_every} epochs)",
            optax.scale_by_learning_rate(schedule),
        ),
    ]
    if config.l2:
        chain.insert(0, (f"add_decayed_weights({config.l2:g})", _decayed(config.l2)))
    return chain


def _decayed(l2: float) -> optax.GradientTransformation:
    return optax.add_decayed_weights(l2)


def describe(config: TrainConfig) -> str:
    """The chain in words: what happens to a gradient before it moves a parameter."""
    return " -> ".join(name for name, _ in links(config, 1))


@functools.lru_cache(maxsize=64)
def optimiser(config: TrainConfig, steps_per_epoch: int) -> optax.GradientTransformation:
    """The chain; the same object for the same arguments, so that programs are compiled once."""
    return optax.chain(*(link for _, link in links(config, steps_per_epoch)))
