"""Free energies of overlapping states by the multistate Bennett acceptance ratio, from pymbar.

Source: Shirts & Chodera, J. Chem. Phys. 129, 124105 (2008).
"""

import logging

import jax
import numpy as np
from jaxtyping import Float

_PROTOCOL = ({"method": "adaptive", "options": {"min_sc_iter": 0}},)
"""Newton's method from a good guess: it needs a few iterations, pymbar's general one hundreds."""


def mbar_free_energies(
    reduced: Float[np.ndarray, "states samples"], guess: Float[np.ndarray, " states"]
) -> Float[np.ndarray, " states"]:
    """Reduced free energies `f_k = -log Z_k` against the first state.

    Args:
        reduced: Reduced energy of every sample in every state. The samples come state by state,
            the same number from each.
        guess: First guess, by thermodynamic integration, say.
    """
    states, samples = reduced.shape
    if states == 1:
        return np.zeros(1)
    mbar = _pymbar()
    number = np.full(states, samples // states)
    with jax.numpy_dtype_promotion("standard"):  # pymbar mixes integers and floats
        solved = mbar.MBAR(reduced, number, initial_f_k=guess - guess[0], solver_protocol=_PROTOCOL)
    free = np.asarray(solved.f_k)
    return free - free[0]


def _pymbar():
    """Pymbar, without what it says at import of a module that is not used here."""
    chatter = logging.getLogger("pymbar")
    level = chatter.level
    chatter.setLevel(logging.ERROR)
    try:
        import pymbar
    finally:
        chatter.setLevel(level)
    return pymbar
