"""Free energies of overlapping states by the Bennett acceptance ratio, from pymbar.

Source: Shirts & Chodera, J. Chem. Phys. 129, 124105 (2008).
"""

import logging
import math

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


_ALIKE = 1e-5
"""Spread of the works, in k_B T, of states that hardly differ."""


def bennett(
    forward: Float[np.ndarray, " m"], backward: Float[np.ndarray, " n"]
) -> tuple[float, float]:
    """Reduced free-energy difference of two states by Bennett's acceptance ratio.

    Args:
        forward: `u_1 - u_0` of samples of state 0, in units of `k_B T`.
        backward: `u_0 - u_1` of samples of state 1.

    Returns:
        `f_1 - f_0`, and its standard error for independent samples; NaN where a side has fewer
        than two samples.

    Source: C. H. Bennett, J. Comput. Phys. 22, 245 (1976).
    """
    if min(len(forward), len(backward)) < 2:
        return float("nan"), float("nan")
    module = _pymbar()
    # Far from zero the self-consistent equation overflows: a constant is taken out and put back.
    middle = 0.5 * (float(np.mean(forward)) - float(np.mean(backward)))
    with jax.numpy_dtype_promotion("standard"), np.errstate(invalid="ignore"):
        found = module.other_estimators.bar(forward - middle, backward + middle)
    error = float(found["dDelta_f"])
    spread = max(float(np.std(forward)), float(np.std(backward)))
    if spread < _ALIKE:  # the variance is a difference of two ones then, and may round below zero
        error = spread / math.sqrt(len(forward) + len(backward))
    return float(found["Delta_f"]) + middle, error


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
