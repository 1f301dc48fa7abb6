r"""Harmonic superposition: the thermodynamics of a landscape as a sum over its minima.

Each minimum $i$ contributes the partition function of its harmonic well, once for each of its
distinct permutation-inversion isomers, of which there are (order of the group) / (order of its
point group) $= |G| / o_i$. With curvatures $\lambda_{ij}$ along its $K_i$ vibrational modes,

$$ Z(T) \propto \sum_i \frac{1}{o_i}\, e^{-E_i/kT} \prod_{j=1}^{K_i}
   \left(\frac{2\pi kT}{\lambda_{ij}}\right)^{1/2} $$

is the classical configurational integral up to the factor $|G|$ and the extent of the zero modes,
which all minima share. Everything else follows from $\ln z_i$, the energies
$u_i = E_i + \tfrac12 K_i kT$ and the occupations $p_i = z_i / Z$:

$$ U = \sum_i p_i u_i, \qquad
   C = \sum_i p_i \left[\tfrac12 K_i k + \frac{(u_i - U)^2}{kT^2}\right], \qquad
   \frac{dp_i}{dT} = p_i\,\frac{u_i - U}{kT^2}. $$

Sources: Stillinger & Weber, Phys. Rev. A 25, 978 (1982); Wales, Mol. Phys. 78, 151 (1993);
Strodel & Wales, Chem. Phys. Lett. 466, 105 (2008).
"""

import abc
import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy import special

from thalweg.core import ArgumentError
from thalweg.landscape import Landscape, TransitionNetwork

from ._modes import boltzmann_of, modes_of

Temperature = float | int | Sequence[float] | Float[np.ndarray, "*temperatures"]
"""One temperature, or any number of them, in the unit that `boltzmann` fixes."""

Curve = Float[np.ndarray, "*temperatures"]
"""One number for each temperature."""

States = Float[np.ndarray, "*temperatures minima"]
"""One number for each temperature and minimum."""


class AbstractEnsemble(abc.ABC):
    """A mixture of wells in equilibrium: what every superposition has in common.

    A temperature may be a number or an array; the results carry its shape in front.
    """

    network: TransitionNetwork
    boltzmann: float

    @abc.abstractmethod
    def log_weights(self, temperature: Temperature) -> States:
        """Logarithm of each minimum's partition function, up to a constant common to all minima."""

    @abc.abstractmethod
    def energies(self, temperature: Temperature) -> States:
        """Internal energy of each minimum by itself."""

    @abc.abstractmethod
    def capacities(self, temperature: Temperature) -> States:
        """Heat capacity of each minimum by itself, in units of `boltzmann`."""

    def log_partition(self, temperature: Temperature) -> Curve:
        """Logarithm of Z, up to a constant."""
        return np.asarray(special.logsumexp(self.log_weights(temperature), axis=-1))

    def occupations(self, temperature: Temperature) -> States:
        """Probability of each minimum; they sum to one."""
        return special.softmax(self.log_weights(temperature), axis=-1)

    def free_energy(self, temperature: Temperature) -> Curve:
        """Helmholtz free energy -kT ln Z, up to a constant times kT."""
        return -self._kt(temperature)[..., 0] * self.log_partition(temperature)

    def internal_energy(self, temperature: Temperature) -> Curve:
        """Internal energy U."""
        lowest = self._lowest
        excess = self.energies(temperature) - lowest
        return lowest + np.sum(self.occupations(temperature) * excess, axis=-1)

    def entropy(self, temperature: Temperature) -> Curve:
        """Entropy (U - F) / T, up to a constant; in units of energy per temperature."""
        difference = self.internal_energy(temperature) - self.free_energy(temperature)
        return difference / checked_temperature(temperature)

    def heat_capacity_contributions(self, temperature: Temperature) -> States:
        """Each minimum's share of the heat capacity, in units of `boltzmann`; never negative.

        The share of minimum i is `p_i [c_i + (u_i - U)² / (kT)²]`: its own heat capacity and the
        part of the variance of the energy that is due to it. Rows sum to `heat_capacity`.
        """
        p, deviation, kt = self._deviations(temperature)
        return p * (self.capacities(temperature) + (deviation / kt) ** 2)

    def heat_capacity(self, temperature: Temperature) -> Curve:
        """Heat capacity dU/dT, in units of `boltzmann`."""
        return np.sum(self.heat_capacity_contributions(temperature), axis=-1)

    def occupation_slopes(self, temperature: Temperature) -> States:
        """dp/dT of each minimum; they sum to zero."""
        p, deviation, kt = self._deviations(temperature)
        return p * deviation / kt**2 * self.boltzmann

    def _deviations(
        self, temperature: Temperature
    ) -> tuple[States, States, Float[np.ndarray, "*temperatures 1"]]:
        """Occupations, energies minus their mean, and kT."""
        p = self.occupations(temperature)
        excess = self.energies(temperature) - self._lowest
        return p, excess - np.sum(p * excess, axis=-1, keepdims=True), self._kt(temperature)

    @property
    def _lowest(self) -> float:
        """The lowest energy; sums are taken from it, so that no digits are lost."""
        return float(self.network.energies.min())

    def _kt(self, temperature: Temperature) -> Float[np.ndarray, "*temperatures 1"]:
        return self.boltzmann * checked_temperature(temperature)[..., None]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class HarmonicEnsemble(AbstractEnsemble):
    """The classical harmonic superposition of a network's minima.

    Attributes:
        network: Minima and transition states.
        modes: Number of vibrational modes of each minimum.
        boltzmann: k_B in the system's unit of energy per unit of temperature: 1 in reduced units
            (temperatures are energies), 8.617e-5 for eV and kelvin.
        kinetic: Whether energies and heat capacities include the kinetic energy, kT/2 for each
            vibrational mode (of the minimum with the fewest). Occupations do not change; free
            energies and entropies stay configurational.
    """

    network: TransitionNetwork
    modes: Int[np.ndarray, " minima"]
    boltzmann: float = 1.0
    kinetic: bool = False

    def __post_init__(self):
        network = self.network
        if network.n_minima == 0:
            raise ArgumentError("there are no minima to superpose", "map the system first")
        if len(self.modes) != network.n_minima:
            raise ArgumentError(
                f"modes holds {len(self.modes)} numbers for {network.n_minima} minima"
            )
        if self.modes.min() < 0:
            raise ArgumentError(f"a minimum cannot have {self.modes.min()} vibrational modes")
        if not (np.isfinite(self.boltzmann) and self.boltzmann > 0):
            raise ArgumentError(f"boltzmann={self.boltzmann} must be a positive number")
        if network.orders.min() < 1:
            raise ArgumentError(f"a point group cannot have order {network.orders.min()}")
        if not (np.isfinite(network.energies).all() and np.isfinite(network.log_products).all()):
            raise ArgumentError("the network holds energies or log-products that are not finite")

    @classmethod
    def of(
        cls,
        source: "Landscape | TransitionNetwork",
        *,
        modes: int | Sequence[int] | Int[np.ndarray, " minima"] | None = None,
        boltzmann: float | None = None,
        kinetic: bool = False,
    ) -> "HarmonicEnsemble":
        """The ensemble of a landscape, or of a network with a stated number of modes.

        Args:
            source: A landscape, whose certificates say how many modes vibrate, or a network.
            modes: Number of vibrational modes of every minimum (33 for 13 atoms in space), or of
                each; needed for networks and for imported landscapes, which have no certificates.
            boltzmann: k_B in the unit of energy per unit of temperature. Default: 1 for a network
                and in reduced units, per kelvin where the landscape's unit of energy is known.
            kinetic: Whether to include the kinetic energy of the vibrations.

        Raises:
            ArgumentError: if the number of modes is unknown, or some point has zero modes that
                its symmetry does not explain: its harmonic partition function is infinite.
        """
        landscape = source if isinstance(source, Landscape) else None
        network = source if isinstance(source, TransitionNetwork) else source.network
        if boltzmann is None:
            boltzmann = 1.0 if landscape is None else boltzmann_of(landscape.header.energy_unit)
        return cls(
            network=network,
            modes=modes_of(network, landscape, modes),
            boltzmann=float(boltzmann),
            kinetic=kinetic,
        )

    def log_weights(self, temperature: Temperature) -> States:
        """Logarithm of each minimum's configurational partition function, up to a common constant.

        `-E/kT - ln(order) - log_product/2 + (modes/2) ln(2π kT)`.
        """
        kt, network = self._kt(temperature), self.network
        return (
            -network.energies / kt
            - np.log(network.orders)
            - 0.5 * network.log_products
            + 0.5 * self.modes * np.log(2.0 * np.pi * kt)
        )

    def energies(self, temperature: Temperature) -> States:
        """`E + modes kT/2` of each minimum, plus the kinetic energy if it is included."""
        return self.network.energies + self.capacities(temperature) * self._kt(temperature)

    def capacities(self, temperature: Temperature) -> States:
        """`modes / 2` of each minimum, plus the kinetic part if it is included."""
        modes = 0.5 * (self.modes + (self.modes.min() if self.kinetic else 0))
        shape = (*checked_temperature(temperature).shape, len(modes))
        return np.broadcast_to(modes.astype(float), shape)

    def ts_log_weights(self, temperature: Temperature) -> Float[np.ndarray, "*temperatures ts"]:
        """Logarithm of the configurational partition function of each transition state's ridge.

        The integral over the dividing surface, one mode fewer than the minima have (those of the
        first of its two minima), up to the same constant as `log_weights`. In units where the
        mass is one, the rate from minimum i is `(kT/2π)^½ exp(ts_log_weights - log_weights[i])`.
        """
        kt, network = self._kt(temperature), self.network
        modes = self.modes[network.ts_minima[:, 0]] - 1
        return (
            -network.ts_energies / kt
            - np.log(network.ts_orders)
            - 0.5 * network.ts_log_products
            + 0.5 * modes * np.log(2.0 * np.pi * kt)
        )


def checked_temperature(temperature: Temperature) -> Curve:
    """The temperatures as an array.

    Raises:
        ArgumentError: if one is not a positive finite number.
    """
    array = np.asarray(temperature, dtype=float)
    wrong = array[~(np.isfinite(array) & (array > 0))]
    if wrong.size:
        raise ArgumentError(
            f"temperature {wrong.flat[0]:g} is not positive and finite",
            "at T = 0 only the global minimum is occupied; take the limit of small temperatures",
        )
    return array
