"""Which knob of which force field to turn next."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from thalweg.forcefields.fitting import Front

from ._rung import Rung


def next_rung(front: Front, known: Mapping[str, Rung]) -> Rung | None:
    """The untried neighbour, one notch of one knob away from the front, that promises most.

    In the logarithms of time and error a front is a staircase, and between two steps lies a
    rectangle in which nothing is known. What is dearer than a force field on the front may fill
    the rectangle on its dear side, what is cheaper the other; beyond both ends lies one as large as
    the largest. Every neighbour that was tried on a side and is not on the front halves what the
    side promises.

    Args:
        front: What was measured.
        known: The rungs of all that were measured, by name.

    Returns:
        A rung that is not known; `None` if there is none.
    """
    best = [record for record in front.best if record.name in known]
    if not best:
        return None
    winners = {record.name for record in best}
    areas = _rectangles(
        np.array([record.micros for record in best]),
        np.array([record.force_rmse for record in best]),
    )
    chosen, most = None, -1.0
    for place, record in enumerate(best):
        for dearer in (True, False):
            side = [rung for rung, up in known[record.name].neighbours() if up is dearer]
            failed = sum(rung.name in known and rung.name not in winners for rung in side)
            promise = float(areas[place + dearer]) * 0.5**failed
            fresh = [rung for rung in side if rung.name not in known]
            if fresh and promise > most:
                chosen, most = fresh[0], promise
    return chosen


def _rectangles(
    micros: Float[np.ndarray, " steps"], errors: Float[np.ndarray, " steps"]
) -> Float[np.ndarray, " steps+1"]:
    """Areas left and right of each step of the staircase, in logarithms."""
    inner = np.diff(np.log(micros)) * -np.diff(np.log(np.maximum(errors, 1e-12)))
    end = inner.max(initial=0.0) or 1.0
    return np.concatenate([[end], inner, [end]])
