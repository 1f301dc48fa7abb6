r"""Harmonic transition-state theory: the rate over every transition state, both ways.

$$ k_{i \to j} = \frac{o_i}{o_\ddagger}\,\frac{1}{2\pi}
   \left(\frac{\prod \lambda_i}{\prod \lambda_\ddagger}\right)^{1/2}
   e^{-(E_\ddagger - E_i)/kT}\,\kappa $$

with point-group orders $o$ and curvatures $\lambda$ (for unit mass, squared angular frequencies;
the negative one of the transition state is left out). Both directions come from one equilibrium
flux, so that detailed balance holds exactly. Several transition states between one pair of minima
add up; those from a minimum to itself change nothing.

Source: D. J. Wales, *Energy Landscapes* (2003), section 7.2; for $\kappa$, H. A. Kramers, Physica
7, 284 (1940), and J. S. Langer, Ann. Phys. 54, 258 (1969).
"""

import math

import numpy as np
from jaxtyping import Float

from thalweg.core import KCAL, KJ, METAL, ArgumentError, Units
from thalweg.landscape import Landscape, TransitionNetwork
from thalweg.thermo import HarmonicEnsemble

from ._chain import MarkovChain
from ._sparse_log import log_matrix

_DALTON = 1.66053906892e-27
_PICOSECOND = 1e-12
_UNITS = (METAL, KCAL, KJ)

Source = HarmonicEnsemble | Landscape | TransitionNetwork
"""Where rates can come from."""


def transition_rates(
    source: Source,
    temperature: float,
    *,
    mass: float | None = None,
    units: Units | None = None,
    friction: float | None = None,
    negative_curvatures: Float[np.ndarray, " ts"] | None = None,
) -> MarkovChain:
    """The Markov chain of a landscape at a temperature.

    Args:
        source: A landscape, a network, or a harmonic ensemble (which knows its unit of
            temperature and how many modes vibrate).
        temperature: Temperature: an energy for a network or in reduced units, else in kelvin.
        mass: Mass of every particle in dalton, if the energy is in eV, kcal/mol or kJ/mol. Without
            it the mass is 1, and times are in the unit √(mass · length² / energy), "reduced".
            Particles of different mass need mass-weighted curvatures, which a landscape does not
            hold.
        units: Units of energy and length; a landscape knows its own.
        friction: Friction constant γ (an inverse time in the chain's unit): rates are multiplied
            with Kramers' transmission factor; see `kramers_transmission`.
        negative_curvatures: The negative curvature at each transition state, needed with
            `friction`; a landscape knows its own.

    Returns:
        The chain; its states are the positions of the network's minima.

    Raises:
        ArgumentError: if the temperature is not positive, a point has zero modes that its symmetry
            does not explain, or units or curvatures are needed and not known.

    Example: `transition_rates(landscape, 0.3).mfpt(0, 1)`
    """
    if not (math.isfinite(temperature) and temperature > 0):
        raise ArgumentError(f"temperature={temperature} must be a positive number")
    network, modes, boltzmann = _harmonic(source)
    kt = boltzmann * temperature
    log_weights, log_flux = log_equilibrium(network, modes, kt)
    seconds = 1.0 if mass is None else _time_unit(source, units, mass)
    log_flux = log_flux - math.log(seconds)
    if friction is not None:
        curvatures = negative_curvatures
        if curvatures is None and isinstance(source, Landscape):
            curvatures = source.transition_states["negative_curvature"].to_numpy(dtype=float)
        if curvatures is None or not np.all(curvatures < 0):
            raise ArgumentError(
                "friction needs the negative curvature of every transition state",
                "pass negative_curvatures=, one negative number for each",
            )
        factor = kramers_transmission(np.asarray(curvatures), friction * seconds)
        log_flux = log_flux + np.log(factor)
    return _chain(network, log_weights, log_flux, temperature, mass)


def _chain(
    network: TransitionNetwork,
    log_weights: Float[np.ndarray, " minima"],
    log_flux: Float[np.ndarray, " ts"],
    temperature: float,
    mass: float | None,
) -> MarkovChain:
    """The chain with these equilibrium fluxes over its transition states."""
    a, b = network.ts_minima.T
    degenerate = network.degenerate
    flux = np.where(degenerate, -np.inf, log_flux)
    rows, columns = np.concatenate((a, b)), np.concatenate((b, a))
    log = log_matrix(rows, columns, np.concatenate((flux, flux)), network.n_minima)
    # The fluxes of a pair add up first; dividing by the weight of where each way begins comes last.
    log.data -= np.repeat(log_weights, np.diff(log.indptr))
    ts_log_rates = np.column_stack((flux - log_weights[a], flux - log_weights[b]))
    return MarkovChain(
        log_rates=log,
        log_weights=log_weights,
        ids=np.asarray(network.ids),
        time_unit="reduced" if mass is None else "ps",
        temperature=float(temperature),
        network=network,
        ts_log_rates=ts_log_rates,
    )


def log_equilibrium(
    network: TransitionNetwork, modes: np.ndarray, kt: float
) -> tuple[np.ndarray, np.ndarray]:
    """`ln` of the minima's weights, and of the equilibrium fluxes over the transition states.

    Energies count from the lowest minimum, so that no digits are lost to their common part. A
    transition state has one mode fewer than the first of its minima.

    Args:
        network: Minima and transition states.
        modes: Number of vibrational modes of each minimum.
        kt: Temperature as an energy.
    """
    lowest = network.energies.min(initial=math.inf)
    phase = 0.5 * math.log(2.0 * math.pi * kt) * (modes - modes.min(initial=0))
    weights = (
        -(network.energies - lowest) / kt
        - np.log(network.orders)
        - 0.5 * network.log_products
        + phase
    )
    flux = (
        -(network.ts_energies - lowest) / kt
        - np.log(network.ts_orders)
        - 0.5 * network.ts_log_products
        - math.log(2.0 * math.pi)
        + phase[network.ts_minima[:, 0]]
    )
    return weights, flux


def kramers_transmission(
    negative_curvature: float | Float[np.ndarray, " ts"], friction: float
) -> float | Float[np.ndarray, " ts"]:
    r"""Kramers' factor for spatial diffusion over a barrier, by which friction slows a rate.

    $$ \kappa = \sqrt{1 + (\gamma / 2\omega)^2} - \gamma / 2\omega, \qquad
       \omega = \sqrt{|\lambda_-|} $$

    In any number of dimensions it is exact for a parabolic barrier and a friction that is the same
    in all directions. It tends to 1 for weak friction, where energy diffusion begins to limit the
    rate and the true factor falls again; and to ω/γ for strong friction.

    Args:
        negative_curvature: The negative curvature at the transition state (unit mass).
        friction: γ, an inverse time: velocities decay as `exp(-γ t)`.

    Source: H. A. Kramers, Physica 7, 284 (1940), eq. 25; P. Hänggi, P. Talkner and M. Borkovec,
    Rev. Mod. Phys. 62, 251 (1990), eq. 4.33.
    """
    if not (math.isfinite(friction) and friction >= 0):
        raise ArgumentError(f"friction={friction} must be zero or a positive number")
    ratio = friction / (2.0 * np.sqrt(np.abs(np.asarray(negative_curvature, dtype=float))))
    # Not √(1 + r²) - r, which has no digits left for large r.
    return 1.0 / (np.hypot(1.0, ratio) + ratio)


def langer_transmission(
    hessian: Float[np.ndarray, "dof dof"], friction: Float[np.ndarray, "dof dof"]
) -> float:
    """The factor for a friction that depends on the direction: growth rate over frequency.

    Args:
        hessian: Second derivatives at the transition state (unit mass), with one negative
            eigenvalue.
        friction: Friction matrix Γ, symmetric and not negative: `dv = -(∇V + Γ v) dt + noise`.

    Returns:
        `λ₊ / ω`, where `λ₊` is the one growing solution of `λ² + Γ λ + H = 0`.

    Raises:
        ArgumentError: if the Hessian is not that of a transition state.

    Source: J. S. Langer, Ann. Phys. 54, 258 (1969).
    """
    curvatures = np.linalg.eigvalsh(hessian)
    if not (curvatures[0] < 0 and (len(curvatures) == 1 or curvatures[1] > 0)):
        raise ArgumentError(
            f"the lowest curvatures are {curvatures[:2]}, and a transition state has one negative"
        )
    n = len(curvatures)
    motion = np.block([[np.zeros((n, n)), np.eye(n)], [-hessian, -friction]])
    growth = float(np.max(np.linalg.eigvals(motion).real))
    return growth / math.sqrt(-float(curvatures[0]))


def _harmonic(source: Source) -> tuple[TransitionNetwork, np.ndarray, float]:
    """Network, numbers of modes and Boltzmann's constant."""
    if isinstance(source, HarmonicEnsemble):
        return source.network, np.asarray(source.modes), source.boltzmann
    if isinstance(source, Landscape):
        bare = any(point.certificate is None for point in source.store.minima())
        # Imported points do not say how many modes vibrate; rates depend on differences only.
        ensemble = HarmonicEnsemble.of(source, modes=0 if bare else None)
        return ensemble.network, np.asarray(ensemble.modes), ensemble.boltzmann
    return source, np.zeros(source.n_minima, dtype=int), 1.0


def _time_unit(source: Source, units: Units | None, mass: float) -> float:
    """√(mass · length² / energy) in picoseconds."""
    if units is None and isinstance(source, Landscape):
        names = (source.header.energy_unit, source.header.length_unit)
        units = next((u for u in _UNITS if (u.energy, u.length) == names), None)
    if units is None or units.joule is None or units.metre is None:
        raise ArgumentError(
            "a mass in dalton needs units of energy and length that are known in SI",
            "pass units=thalweg.METAL (eV, Å), or leave out the mass for reduced units",
        )
    if not (math.isfinite(mass) and mass > 0):
        raise ArgumentError(f"mass={mass} must be a positive number of dalton")
    return math.sqrt(mass * _DALTON * units.metre**2 / units.joule) / _PICOSECOND
