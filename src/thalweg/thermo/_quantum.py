r"""Quantum-harmonic superposition: every mode of every minimum as a quantum oscillator.

$$ \ln z_i = -\frac{E_i}{kT} - \ln o_i - \sum_j \ln\!\left(2\sinh\frac{\hbar\omega_{ij}}{2kT}
   \right) $$

so energies contain the zero-point energy, and the heat capacity of a mode tends to zero at low
temperature and to k (kinetic energy included) at high. Sources: Doye & Calvo, J. Chem. Phys. 119,
12680 (2003); Wales, *Energy Landscapes* (Cambridge, 2003), chapter 7.
"""

import dataclasses
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from thalweg.core import ArgumentError, Block, System, hessian, require_x64, serial_blas
from thalweg.landscape import Landscape, TransitionNetwork

from ._superposition import AbstractEnsemble, HarmonicEnsemble, States, Temperature

_CHUNK = 32
"""Points whose Hessians are made in one compiled call."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class QuantumEnsemble(AbstractEnsemble):
    """The quantum-harmonic superposition of a network's minima.

    Kinetic energy is part of it, since a quantum oscillator has no other form: at high
    temperature it tends to `HarmonicEnsemble` with `kinetic=True`.

    Attributes:
        network: Minima and transition states.
        quanta: Energy quantum ħω of each mode of each minimum, in the system's unit of energy,
            shape `(minima, modes)`; NaN fills the row of a minimum with fewer modes.
        boltzmann: k_B in the system's unit of energy per unit of temperature.
        approximate: Whether each minimum has one mean frequency instead of its own spectrum.
    """

    network: TransitionNetwork
    quanta: Float[np.ndarray, "minima modes"]
    boltzmann: float = 1.0
    approximate: bool = False

    def __post_init__(self):
        if self.network.n_minima == 0:
            raise ArgumentError("there are no minima to superpose", "map the system first")
        if len(self.quanta) != self.network.n_minima:
            raise ArgumentError(
                f"quanta has {len(self.quanta)} rows for {self.network.n_minima} minima"
            )
        if not (self.quanta[~np.isnan(self.quanta)] > 0).all():
            raise ArgumentError("every quantum must be a positive energy")

    @classmethod
    def of(
        cls,
        ensemble: HarmonicEnsemble,
        hbar: float,
        *,
        frequencies: Float[np.ndarray, "minima modes"] | None = None,
    ) -> "QuantumEnsemble":
        """Quantum statistics for the minima of a classical ensemble.

        Without `frequencies`, all modes of a minimum get the geometric mean of their frequencies,
        the only one that its log-product determines (unit masses). That is exact in the classical
        limit. It underestimates the first quantum correction, which goes with the mean of ω²; at
        low temperature it has no soft modes, so its heat capacity vanishes too early. `approximate`
        says that this was done.

        Args:
            ensemble: The classical ensemble.
            hbar: ħ such that `hbar` times a frequency is an energy: `system.units.hbar` for
                masses in dalton; in reduced units the de Boer parameter over 2π (about 0.03 for
                argon, 0.1 for neon).
            frequencies: Angular frequencies of every mode, from `vibrational_frequencies`.

        Raises:
            ArgumentError: if `hbar` is not positive, or a minimum has no modes.
        """
        if not (np.isfinite(hbar) and hbar > 0):
            raise ArgumentError(f"hbar={hbar} must be a positive number")
        network, modes = ensemble.network, ensemble.modes
        approximate = frequencies is None
        if frequencies is None:
            if modes.min() < 1:
                raise ArgumentError("a minimum has no vibrational modes")
            mean = np.exp(0.5 * network.log_products / modes)
            columns = np.arange(modes.max())
            frequencies = np.where(columns < modes[:, None], mean[:, None], np.nan)
        return cls(
            network=network,
            quanta=hbar * frequencies,
            boltzmann=ensemble.boltzmann,
            approximate=approximate,
        )

    def log_weights(self, temperature: Temperature) -> States:
        """Logarithm of each minimum's partition function, up to ln of the group's order."""
        kt = self._kt(temperature)
        # ln 2 sinh(y/2) = y/2 + ln(1 - e^-y): the zero-point energy and what lies above it.
        modes = self._sum(kt, lambda y: 0.5 * y + np.log(-np.expm1(-y)))
        return -self.network.energies / kt - np.log(self.network.orders) - modes

    def energies(self, temperature: Temperature) -> States:
        """Energy of each minimum with its vibrations, zero-point energy included."""
        kt = self._kt(temperature)
        return self.network.energies + kt * self._sum(
            kt, lambda y: y * (0.5 + np.exp(-y) / -np.expm1(-y))
        )

    def capacities(self, temperature: Temperature) -> States:
        """Heat capacity of the vibrations of each minimum, in units of `boltzmann`."""
        return self._sum(self._kt(temperature), lambda y: y * y * np.exp(-y) / np.expm1(-y) ** 2)

    @property
    def _lowest(self) -> float:
        return float(np.min(self.network.energies + 0.5 * np.nansum(self.quanta, axis=1)))

    def _sum(self, kt: np.ndarray, function) -> np.ndarray:  # noqa: ANN001 - ufunc of quanta
        """Sum over modes of a function of ħω/kT, one temperature at a time to save memory."""
        flat = kt.reshape(-1)
        rows = [np.nansum(function(self.quanta / value), axis=1) for value in flat]
        return np.stack(rows).reshape(*kt.shape[:-1], -1)


@eqx.filter_jit
def _hessians(system: System, x: Block) -> Array:
    return hessian(system.energy, x)


def vibrational_frequencies(
    system: System,
    landscape: Landscape,
    *,
    masses: Sequence[float] | Float[np.ndarray, " n"] | None = None,
) -> Float[np.ndarray, "minima modes"]:
    """Angular frequencies of all vibrational modes of every minimum.

    The roots of the eigenvalues of the mass-weighted Hessian, without the zero modes that the
    symmetry of each minimum explains (those of smallest size).

    Args:
        system: What was mapped.
        landscape: Its landscape; minima need coordinates.
        masses: A mass for each particle, or for each coordinate; 1 where they are left out. With
            masses in dalton, `system.units.hbar` turns the frequencies into energies.

    Returns:
        Shape `(minima, modes)`, ascending; NaN fills the row of a minimum with fewer modes.

    Raises:
        ArgumentError: if the masses are not positive or do not fit, a minimum has no coordinates,
            or one has a negative curvature.
        PrecisionError: if float64 is off.
    """
    require_x64()
    dof = system.space.dof
    root = np.sqrt(coordinate_masses(dof, masses))
    points = landscape.points("minimum")
    rows = []
    for first in range(0, len(points), _CHUNK):
        chunk = points[first : first + _CHUNK]
        padded = np.concatenate([chunk, np.repeat(chunk[-1:], _CHUNK - len(chunk), axis=0)])
        matrices = np.asarray(_hessians(system, jnp.asarray(padded.T)))[: len(chunk)]
        with serial_blas():
            squares = np.linalg.eigvalsh(matrices / np.outer(root, root))
        rows += [_vibrations(system, x, row) for x, row in zip(chunk, squares, strict=True)]
    width = max((len(row) for row in rows), default=0)
    out = np.full((len(rows), width), np.nan)
    for k, row in enumerate(rows):
        out[k, : len(row)] = row
    return out


def _vibrations(
    system: System, x: Float[np.ndarray, " dof"], squares: Float[np.ndarray, " dof"]
) -> Float[np.ndarray, " modes"]:
    zero = system.symmetry.expected_zero_modes(x)
    kept = np.sort(squares[np.argsort(np.abs(squares), kind="stable")[zero:]])
    if len(kept) and kept[0] <= 0:
        raise ArgumentError(
            f"a point has the squared frequency {kept[0]:g}, so it is no minimum of this system",
            "was the landscape mapped with the same system?",
        )
    return np.sqrt(kept)


def coordinate_masses(
    dof: int, masses: Sequence[float] | Float[np.ndarray, " n"] | None
) -> Float[np.ndarray, " dof"]:
    """One mass for each coordinate.

    Raises:
        ArgumentError: if they are not positive, or their number does not divide `dof`.
    """
    if masses is None:
        return np.ones(dof)
    array = np.asarray(masses, dtype=float)
    if array.ndim != 1 or not len(array) or dof % len(array):
        raise ArgumentError(
            f"masses has shape {array.shape}, expected one for each particle or each of the {dof} "
            "coordinates"
        )
    if not (np.isfinite(array).all() and (array > 0).all()):
        raise ArgumentError("masses must be positive numbers")
    return np.repeat(array, dof // len(array))
