"""One exception tree.

```
ThalwegError
├── ArgumentError (ValueError)      a wrong call: what was got, what was expected, how to mend it
│   ├── EnergyError                 an energy that returns the wrong shape, dtype or gradient
│   └── UnknownSystemError          a name that the catalogue does not hold
├── PrecisionError (RuntimeError)   float64 is needed and is switched off
├── SolveError (RuntimeError)       an iteration ended badly and the caller asked for `throw=True`
└── StoreError (RuntimeError)       a landscape file that cannot be used as asked
    ├── StoreMismatchError          it belongs to another system
    └── StoreVersionError           it was written by a newer schema
```

What did not converge is not an exception: it is an `Outcome` in a `Solution`.
"""

import jax


class ThalwegError(Exception):
    """Base of every error that Thalweg raises on purpose."""

    def __init__(self, message: str, hint: str | None = None):
        super().__init__(message if hint is None else f"{message}\nhint: {hint}")
        self.message = message
        self.hint = hint


class ArgumentError(ThalwegError, ValueError):
    """A call that cannot be right."""


class EnergyError(ArgumentError):
    """An energy that does not keep its contract."""


class UnknownSystemError(ArgumentError):
    """A system name that is not in the catalogue."""


class PrecisionError(ThalwegError, RuntimeError):
    """Stationary points need float64."""


class SolveError(ThalwegError, RuntimeError):
    """An iteration that did not succeed, raised only on request."""


class StoreError(ThalwegError, RuntimeError):
    """A landscape store that cannot be used as asked."""


class StoreMismatchError(StoreError):
    """A store that belongs to another system."""


class StoreVersionError(StoreError):
    """A store written by a newer schema."""


def require_x64() -> None:
    """Refuse to look for stationary points in single precision.

    Raises:
        PrecisionError: if `jax_enable_x64` is off.
    """
    if not jax.config.read("jax_enable_x64"):
        raise PrecisionError(
            "stationary points need float64, and JAX is in float32 mode",
            "call thalweg.enable_float64() before any array is made, or set JAX_ENABLE_X64=1",
        )
