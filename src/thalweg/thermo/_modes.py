"""How many modes of each minimum vibrate, and refusal where that has no answer."""

import collections
import json
import operator
from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Int

from thalweg.core import ArgumentError, Outcome, energy_unit_boltzmann
from thalweg.landscape import Landscape, TransitionNetwork

_MEND = (
    "tell the system its symmetry (System(..., symmetry=ClusterSymmetry(...)), for one) and map it "
    "again (thalweg.learning.zero_mode_report names the flat directions of a loss); where the "
    "energy is truly flat, add a term that holds it (an L2 penalty, a container), "
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
    table = _zero_modes(landscape, "minima")
    bare = table.index[np.isnan(table["zero_modes"].to_numpy())]
    if len(bare):
        raise ArgumentError(
            f"{len(bare)} minima (the first is {bare[0]}) were imported without certificates, so "
            "nobody has counted their zero modes",
            "pass modes= (--modes): the number of coordinates less the zero modes, 33 for 13 free "
            "atoms",
        )
    return landscape.header.dof - table["zero_modes"].to_numpy(dtype=int)


def _zero_modes(landscape: Landscape, table: str) -> pd.DataFrame:
    """What the certificates counted and expected, by id; NaN where there is no certificate."""
    frame = landscape.store.frame(table)
    counts = [
        (np.nan, np.nan)
        if not isinstance(text, str)
        else operator.itemgetter("zero_modes", "expected_zero_modes")(json.loads(text))
        for text in frame["certificate"]
    ]
    return pd.DataFrame(
        np.array(counts, dtype=float).reshape(-1, 2),
        index=pd.Index(frame["id"].tolist()),
        columns=["zero_modes", "expected"],
    )


def check_zero_modes(landscape: Landscape) -> None:
    """Refuse a landscape whose points have zero modes that its symmetry does not explain.

    Raises:
        ArgumentError: naming the point, the reason and the mend.
    """
    for name, noun in (("minima", "minimum"), ("transition_states", "transition state")):
        table = _zero_modes(landscape, name).dropna()
        wrong = table.loc[table["zero_modes"] != table["expected"]]
        if len(wrong):
            found, expected = wrong.iloc[0].astype(int)
            raise ArgumentError(
                f"{noun} {wrong.index[0]} has {found} zero modes and its symmetry explains "
                f"{expected}: along the others the energy is flat, and the harmonic partition "
                f"function is infinite ({len(wrong)} such among the {name.replace('_', ' ')})",
                _MEND,
            )
    if not landscape.network.n_minima:
        _explain_empty(landscape)


def _explain_empty(landscape: Landscape) -> None:
    """Why a map has no minima, where it has candidates for them."""
    failures = landscape.store.failures()
    reasons = collections.Counter(
        {outcome: number for (kind, outcome), number in failures.items() if kind == "minimum"}
    )
    if not reasons:
        return
    first, number = reasons.most_common(1)[0]
    if first == Outcome.unexplained_zero_modes.name:
        raise ArgumentError(
            f"there are no minima: {number} of {reasons.total()} candidates were rejected because "
            "they have zero modes that the symmetry of the system does not explain, so that "
            "harmonic partition functions are infinite",
            _MEND,
        )
    why = f" ({Outcome[first].message})" if first in Outcome.__members__ else ""
    raise ArgumentError(
        f"there are no minima: {number} of {reasons.total()} searches ended as {first}{why}"
    )


def flat_candidates(landscape: Landscape) -> int:
    """Candidates for minima that a map left out because their flat directions are unexplained.

    They may hold as much of the space as the minima that it kept, and a harmonic superposition
    cannot say.
    """
    rejected = landscape.store.frame("rejected")
    flat = rejected["outcome"] == Outcome.unexplained_zero_modes.name
    return int(np.sum((rejected["kind"] == "minimum") & flat))


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
