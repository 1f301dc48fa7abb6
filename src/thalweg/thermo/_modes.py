"""How many modes of each minimum vibrate, and refusal where that has no answer."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from thalweg.core import ArgumentError, Certificate, energy_unit_boltzmann
from thalweg.landscape import Kind, Landscape, TransitionNetwork

_MEND = (
    "tell the system its symmetry (System(..., symmetry=ClusterSymmetry(...)), for one) and map it "
    "again; where the energy is truly flat, add a term that holds it (an L2 penalty, a container), "
    "or sample instead: thalweg.sampling.parallel_tempering needs no harmonic wells"
)


def modes_of(
    network: TransitionNetwork,
    landscape: Landscape | None,
    modes: int | Sequence[int] | Int[np.ndarray, " minima"] | None,
) -> Int[np.ndarray, " minima"]:
    """Number of vibrational modes of each minimum, as stated or as certified.

    Raises:
        ArgumentError: if nobody knows, or a point has zero modes without an explanation.
    """
    if landscape is not None:
        check_zero_modes(landscape)
    if modes is not None:
        return np.broadcast_to(np.asarray(modes, dtype=int), (network.n_minima,)).copy()
    if landscape is None:
        raise ArgumentError(
            "a network does not say how many modes of its minima vibrate",
            "pass modes=: the number of coordinates less the zero modes, 33 for 13 free atoms",
        )
    points = landscape.store.minima()
    bare = [point.id for point in points if point.certificate is None]
    if bare:
        raise ArgumentError(
            f"minimum {bare[0]} and {len(bare) - 1} others were imported without certificates, so "
            "nobody has counted their zero modes",
            "pass modes= (--modes): the number of coordinates less the zero modes, 33 for 13 free "
            "atoms",
        )
    dof = landscape.header.dof
    return np.array([dof - p.certificate.zero_modes for p in points if p.certificate], dtype=int)


def check_zero_modes(landscape: Landscape) -> None:
    """Refuse a landscape whose points have zero modes that its symmetry does not explain.

    Raises:
        ArgumentError: naming the point, the reason and the mend.
    """
    store = landscape.store
    kinds: tuple[tuple[Kind, list], ...] = (
        ("minimum", store.minima()),
        ("transition_state", store.transition_states()),
    )
    for kind, points in kinds:
        for point in points:
            _check(kind, point.id, point.certificate)
    if not landscape.network.n_minima:
        _explain_empty(landscape)


def _check(kind: Kind, number: int, certificate: Certificate | None) -> None:
    if certificate is None or certificate.zero_modes == certificate.expected_zero_modes:
        return
    raise ArgumentError(
        f"{kind.replace('_', ' ')} {number} has {certificate.zero_modes} zero modes and its "
        f"symmetry explains {certificate.expected_zero_modes}: along the others the energy is "
        "flat, and the harmonic partition function is infinite",
        _MEND,
    )


def _explain_empty(landscape: Landscape) -> None:
    """Why a map has no minima, where unexplained zero modes are the reason."""
    rejected = landscape.store.frame("rejected")
    flat = rejected.loc[rejected["outcome"] == "unexplained_zero_modes"]
    if len(flat):
        raise ArgumentError(
            f"there are no minima: all {len(flat)} candidates were rejected because they have zero "
            "modes that the symmetry of the system does not explain, so that harmonic partition "
            "functions are infinite",
            _MEND,
        )


def boltzmann_of(energy_unit: str) -> float:
    """k_B for a unit of energy by its name, per kelvin; 1 for reduced units.

    Raises:
        ArgumentError: if the unit is unknown.
    """
    value = energy_unit_boltzmann(energy_unit)
    if value is None:
        raise ArgumentError(
            f"the unit of energy {energy_unit!r} is unknown, so k_B is too",
            "pass boltzmann=: k_B in that unit per unit of temperature; 1 if temperatures are "
            "given as energies",
        )
    return value
