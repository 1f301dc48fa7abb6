"""Committees: how much fits to resampled data disagree, and what to label next.

Sources: Seung, Opper & Sompolinsky, COLT (1992) (query by committee); Smith et al., J. Chem. Phys.
148, 241733 (2018) (for force fields).
"""

import dataclasses
from collections.abc import Callable

import equinox as eqx
import jax
import numpy as np

from thalweg.core import ArgumentError, Array
from thalweg.forcefields._committee import Committee
from thalweg.forcefields._forcefield import ForceField

from ._dataset import KCAL, KCAL_ANGSTROM, Dataset
from ._fit import Fit, FitConfig, fit_forcefield
from ._loss import chunks, misfits


def fit_committee(
    build: Callable[[int], ForceField],
    train: Dataset,
    validation: Dataset,
    config: FitConfig | None = None,
    *,
    members: int = 4,
    bootstrap: bool = True,
    stop: Callable[[], bool] | None = None,
) -> tuple[Fit, ...]:
    """Several fits that differ by their first parameters and by the data they saw.

    Args:
        build: The force field to begin with, for a member's number (the seed of a network).
        train: Labelled frames.
        validation: Labelled frames that choose the best parameters of each.
        config: How; the key of each member is its own.
        members: How many.
        bootstrap: Whether each sees its own resampling, with replacement: of whole groups if there
            are at least five, else of frames.
        stop: Asked between looks at the validation set.
    """
    if members < 2:
        raise ArgumentError(f"members={members}: a committee has at least two")
    config = config or FitConfig()
    fits = []
    for k in range(members):
        key = jax.random.fold_in(jax.random.key(config.key), k)
        seen = _resampled(train, key) if bootstrap else train
        own = dataclasses.replace(config, key=config.key + k)
        fits.append(fit_forcefield(build(k), seen, validation, own, stop=stop))
        if fits[-1].interrupted:
            break
    return tuple(fits)


def _resampled(train: Dataset, key: Array) -> Dataset:
    names = np.unique(train.groups)
    count = len(names) if len(names) >= 5 else len(train)
    drawn = np.asarray(jax.random.randint(key, (count,), 0, count))
    if count == len(train):
        return train[drawn]
    return train[np.concatenate([np.flatnonzero(train.groups == names[k]) for k in drawn])]


@dataclasses.dataclass(frozen=True, eq=False)
class Disagreement:
    """How far the members of a committee are apart.

    Attributes:
        energy: Standard deviation over members of the energy, each member's mean over the
            geometries taken out, `(m,)`, in kcal/mol.
        force: Largest over atoms of the root mean square deviation of a force, `(m,)`, in
            kcal/(mol Å); infinite where a member is not finite.
    """

    energy: np.ndarray
    force: np.ndarray


@eqx.filter_jit
def _apart(committee: Committee, x: Array) -> tuple[Array, Array]:
    return jax.vmap(lambda point: (committee.energies(point), committee.force_spread(point)))(x)


def disagreement(committee: Committee, positions: np.ndarray) -> Disagreement:
    """How far members are apart on geometries `(m, n, 3)`.

    Raises:
        ArgumentError: if there is no geometry.
    """
    if not len(positions):
        raise ArgumentError("positions holds no geometry")
    points = np.asarray(positions, float).reshape(len(positions), -1)
    energies, spreads = [], []
    for rows, real in chunks(len(points)):
        energy, spread = _apart(committee, jax.numpy.asarray(points[rows]))
        energies.append(np.asarray(energy, float)[:real])
        spreads.append(np.asarray(spread, float)[:real])
    with np.errstate(invalid="ignore"):
        values = np.concatenate(energies)
        finite = np.isfinite(values).all(axis=1)
        level = values[finite].mean(axis=0) if finite.any() else 0.0
        energy = np.std(values - level, axis=1, ddof=1) / KCAL
        force = np.concatenate(spreads).max(axis=1) / KCAL_ANGSTROM
    return Disagreement(
        np.where(np.isfinite(energy), energy, np.inf), np.where(np.isfinite(force), force, np.inf)
    )


def select(
    committee: Committee,
    candidates: np.ndarray,
    n: int,
    *,
    apart: float = 0.005,
    most: float = np.inf,
) -> np.ndarray:
    """Which geometries to label next: where the committee disagrees most about a force.

    Args:
        committee: Force fields.
        candidates: `(m, n, 3)`, in nm.
        n: How many to choose.
        apart: Least root mean square difference of interatomic distances, in nm, between chosen
            geometries: two alike teach as much as one.
        most: Disagreement in kcal/(mol Å) above which a geometry is left out as absurd.

    Returns:
        Indices, the largest disagreement first; fewer than `n` if the others are too alike.
    """
    if n < 1:
        raise ArgumentError(f"n={n} must be at least 1")
    force = disagreement(committee, candidates).force
    i, j = np.triu_indices(np.shape(candidates)[1], 1)
    distances = np.linalg.norm(candidates[:, i] - candidates[:, j], axis=-1)
    chosen: list[int] = []
    for k in np.argsort(-force, kind="stable"):
        if not force[k] <= most:
            continue
        away = distances[chosen] - distances[k]
        if not chosen or np.sqrt(np.mean(away**2, axis=1)).min() >= apart:
            chosen.append(int(k))
        if len(chosen) == n:
            break
    return np.asarray(chosen, int)


def calibration(committee: Committee, dataset: Dataset) -> float:
    """Rank correlation (Spearman) of a committee's disagreement with the error of its mean.

    Args:
        committee: Force fields.
        dataset: Labelled frames that no member has seen.

    Returns:
        1 if the frames of largest disagreement are those of largest error, 0 if it says nothing.
    """
    dataset.require_labels("dataset")
    told = disagreement(committee, dataset.positions).force
    errors = np.mean([misfits(member, dataset)[1] for member in committee.members], axis=0)
    worst = np.sqrt(np.sum(errors**2, axis=-1)).max(axis=1)
    one, other = (np.argsort(np.argsort(values)) for values in (told, worst))
    return float(np.corrcoef(one, other)[0, 1])
