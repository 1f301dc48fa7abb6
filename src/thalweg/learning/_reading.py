"""All readers of a mapped loss at once: what its minima predict, and how that is structured."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from thalweg.core import ArgumentError, PRNGKey, System, ThalwegError, as_key
from thalweg.landscape import Landscape, TransitionNetwork
from thalweg.thermo import HarmonicEnsemble

from ._agreement import Agreement, agreement_of
from ._curvatures import Curvatures, curvatures_of
from ._data import LearningData
from ._energy import LossEnergy
from ._ensembles import EnsembleScores, ensemble_scores
from ._predictions import Predictions, Scores, predictions_of
from ._structure import (
    ErrorCorrelation,
    ThermalPredictions,
    error_correlation,
    thermal_predictions,
)

if TYPE_CHECKING:
    from thalweg.sampling import BoxRegion

_ENOUGH = 30
"""Starts that must end in a minimum for its basin to be measured by counting them."""

_COMPARED = 200
"""Lowest minima of which every pair is compared, and ensembles are made."""

Part = TypeVar("Part")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LossReading:
    """What is known of the minima of a loss, in ascending order of the energy.

    Parts that cannot be had are `None`, and `notes` says why.

    Attributes:
        name: Name of the system.
        network: Minima and transition states, as stored.
        order: Positions in the network, lowest minimum first: the order of everything below.
        train: Scores on the data of the loss.
        test: Scores on other data; `None` without any.
        predictions: What the minima predict for the test data, for those of the loss without any.
        curvatures: Spectra of the Hessians.
        log_volumes: Log volumes of basins, NaN where not measured; `None` if none was asked for.
        volume_errors: Half their 95 % intervals.
        agreement: How differently the lowest minima predict.
        ensembles: What ensembles of the lowest minima gain.
        thermal: Heat capacity and test error along the temperature.
        correlation: Which properties of minima go with their test error.
        notes: What is missing and why, a sentence each.
    """

    name: str
    network: TransitionNetwork
    order: Int[np.ndarray, " minima"]
    train: Scores
    test: Scores | None
    predictions: Predictions
    curvatures: Curvatures | None
    log_volumes: Float[np.ndarray, " minima"] | None
    volume_errors: Float[np.ndarray, " minima"] | None
    agreement: Agreement | None
    ensembles: EnsembleScores | None
    thermal: ThermalPredictions | None
    correlation: ErrorCorrelation | None
    notes: tuple[str, ...]

    @property
    def error(self) -> Float[np.ndarray, " minima"]:
        """Error of each minimum on the test data, on those of the loss without any."""
        return (self.train if self.test is None else self.test).error

    def table(self) -> pd.DataFrame:
        """One row a minimum: energy, train and test scores, curvatures, barrier, volume."""
        network, order = self.network, self.order
        lowest = network.lowest_barriers(network.global_minimum)
        frame = pd.DataFrame(
            {
                "id": network.ids[order],
                "energy": network.energies[order],
                "hits": network.hits[order],
                "order": network.orders[order],
                # How high to climb from here on the way to the global minimum.
                "barrier": lowest[order] - network.energies[order],
            }
        )
        for prefix, scores in (("train", self.train), ("test", self.test)):
            if scores is not None:
                part = scores.table().drop(columns="id").add_prefix(f"{prefix}_")
                frame = pd.concat([frame, part], axis=1)
        if self.curvatures is not None:
            frame = pd.concat([frame, self.curvatures.table().drop(columns="id")], axis=1)
        if self.log_volumes is not None:
            frame["log_volume"] = self.log_volumes
            frame["log_volume_error"] = self.volume_errors
        return frame


def read_loss(  # noqa: PLR0913 - all but two have defaults
    landscape: Landscape | TransitionNetwork,
    system: System,
    test: LearningData | None = None,
    *,
    spectra: bool = True,
    volumes: Iterable[int] = (),
    volume_calls: int = 2_000,
    temperature: float | None = None,
    key: PRNGKey | int = 0,
    report: Callable[[str], None] | None = None,
) -> LossReading:
    """Read a mapped loss: scores, spectra, agreement, ensembles, heat capacity, correlations.

    Args:
        landscape: A landscape of the loss, or a network with `points`.
        system: The system that was mapped; its energy is a `LossEnergy`.
        test: Held-out data, a `LearningData`. Without any, errors are those on the training data.
        spectra: Whether to compute the Hessian's spectrum at every minimum.
        volumes: Ids of minima whose basins are to be measured by L-BFGS quenches; takes a while.
        volume_calls: About how many quenches for each of them.
        temperature: Weighs the ensembles by the harmonic occupations at this temperature; by
            default every solution counts alike.
        key: Random key of the bootstraps.
        report: Called with a sentence before each part.

    Raises:
        ArgumentError: if there are no minima, or the energy is no loss of data.
    """
    network = _with_points(landscape)
    energy = system.energy
    if not isinstance(energy, LossEnergy):
        raise ArgumentError(
            f"{system.name} is no loss of data: its energy is a {type(energy).__name__}",
            "make the system with thalweg.learning.loss_system or network_system",
        )
    assert network.points is not None
    say = report or (lambda _text: None)
    order = np.lexsort((network.ids, network.energies))
    points, ids = network.points[order], network.ids[order]
    say("predicting")
    mine = predictions_of(energy, points, energy.data, ids)
    theirs = None if test is None else predictions_of(energy, points, _fitting(energy, test), ids)
    used = mine if theirs is None else theirs
    notes: list[str] = [] if test is not None else ["no held-out data: errors are on training data"]
    curved = None
    if spectra:
        say("Hessian spectra")
        curved = _asked(lambda: curvatures_of(system, points, ids), "spectra", notes)
    measured = _volumes(system, points, ids, volumes, volume_calls, as_key(key), say, notes)
    train = mine.scores()
    tested = None if theirs is None else theirs.scores()
    error = (train if tested is None else tested).error
    harmonic = _asked(lambda: _ensemble(landscape, network, curved, order), "heat capacity", notes)
    weights = None
    if temperature is not None:
        if harmonic is None:
            raise ArgumentError(f"temperature={temperature}: {notes[-1]}")
        weights = harmonic.occupations(temperature)[order][:_COMPARED]
    few = used.select(slice(0, _COMPARED))
    if len(ids) > _COMPARED:
        notes.append(f"pairs and ensembles: of the {_COMPARED} lowest minima of {len(ids):,}")
    say("agreement and ensembles")
    thermal = None
    if harmonic is not None:
        unsorted = np.empty(len(error))
        unsorted[order] = error
        thermal = _asked(lambda: thermal_predictions(harmonic, unsorted), "heat capacity", notes)
    return LossReading(
        name=system.name,
        network=network,
        order=order,
        train=train,
        test=tested,
        predictions=used,
        curvatures=curved,
        log_volumes=measured[0],
        volume_errors=measured[1],
        agreement=agreement_of(few),
        ensembles=_asked(lambda: ensemble_scores(few, weights, key=key), "ensembles", notes),
        thermal=thermal,
        correlation=_asked(
            lambda: _correlation(network.energies[order], curved, measured[0], error, key),
            "correlation",
            notes,
        ),
        notes=tuple(notes),
    )


def _asked(reader: Callable[[], Part], what: str, notes: list[str]) -> Part | None:
    try:
        return reader()
    except ThalwegError as error:
        notes.append(f"{what}: {error.message}")
        return None


def _with_points(landscape: Landscape | TransitionNetwork) -> TransitionNetwork:
    if isinstance(landscape, Landscape):
        landscape = dataclasses.replace(landscape.network, points=landscape.points("minimum"))
    if landscape.points is None:
        raise ArgumentError(
            "the network has no coordinates, and predictions need the parameters",
            "pass the landscape itself",
        )
    if landscape.n_minima == 0:
        raise ArgumentError("there are no minima to read", "map the loss first")
    return landscape


def _fitting(energy: LossEnergy, test: LearningData) -> LearningData:
    """The test data, checked against those of the loss."""
    here, there = np.shape(energy.data.inputs), np.shape(test.inputs)
    if here[1:] != there[1:]:
        raise ArgumentError(
            f"the test data have inputs of shape {there[1:]}, those of the loss {here[1:]}"
        )
    if energy.data.classes is not None and test.classes != energy.data.classes:
        targets = np.asarray(test.targets)
        if test.classes is None or targets.max() >= energy.data.classes:
            raise ArgumentError(
                f"the test data have {test.classes} classes, those of the loss "
                f"{energy.data.classes}"
            )
        # A class may be missing from the test data.
        test = LearningData(np.asarray(test.inputs), targets, classes=energy.data.classes)
    return test


def _ensemble(
    landscape: Landscape | TransitionNetwork,
    network: TransitionNetwork,
    curved: Curvatures | None,
    order: Int[np.ndarray, " minima"],
) -> HarmonicEnsemble:
    if isinstance(landscape, Landscape):
        return HarmonicEnsemble.of(landscape)
    if curved is None:
        raise ArgumentError("a bare network needs spectra for its harmonic wells")
    assert network.points is not None
    modes = np.empty(network.n_minima, int)
    modes[order] = network.points.shape[1] - curved.zero
    if len(np.unique(modes)) > 1:
        raise ArgumentError("minima have different numbers of zero modes: no harmonic ensemble")
    logs = np.empty(network.n_minima)
    logs[order] = curved.log_determinant
    return HarmonicEnsemble.of(dataclasses.replace(network, log_products=logs), modes=modes)


def _volumes(
    system: System,
    points: Float[np.ndarray, "minima dof"],
    ids: Int[np.ndarray, " minima"],
    wanted: Iterable[int],
    calls: int,
    key: PRNGKey,
    say: Callable[[str], None],
    notes: list[str],
) -> tuple[Float[np.ndarray, " minima"] | None, Float[np.ndarray, " minima"] | None]:
    """Basins under L-BFGS within the box that searches start in: 3 deviations of normal starts.

    Minima are often farther out than starts: the box then reaches a quarter farther than they do.
    """
    chosen = list(wanted)
    if not chosen:
        return None, None
    from thalweg.core import BoundsStart, BoxStart, NormalStart
    from thalweg.sampling import BasinMembership, BoxRegion, basin_volume
    from thalweg.search import LBFGS

    region = None
    start = system.start
    if isinstance(start, BoundsStart):
        region = BoxRegion(start.lower, start.upper)
    elif isinstance(start, BoxStart):
        corner = jnp.full(start.dof, start.half_width)
        region = BoxRegion(-corner, corner)
    elif isinstance(start, NormalStart):
        far = float(np.max(np.abs(points - np.asarray(start.centre))))
        reach = max(3.0 * float(start.scale), 1.25 * far)
        region = BoxRegion(start.centre - reach, start.centre + reach)
    values, errors = np.full(len(ids), np.nan), np.full(len(ids), np.nan)
    places = [int(k) for point_id in chosen for k in np.flatnonzero(ids == point_id)]
    if len(places) < len(chosen):
        missing = sorted({int(k) for k in chosen} - set(ids.tolist()))
        raise ArgumentError(f"there is no minimum {missing[0]} to measure")
    if region is not None:
        say("starts drawn evenly")
        counted = _counted(system, points[places], region, calls, key, notes)
        values[places], errors[places] = counted
    for place in places:
        point_id = int(ids[place])
        if np.isfinite(values[place]):
            continue
        say(f"basin of minimum {point_id}")
        member = BasinMembership(system, points[place], LBFGS())
        stream = jax.random.fold_in(key, point_id)
        found = _asked(
            lambda member=member, stream=stream: basin_volume(
                member, None, stream, calls=calls, region=region
            ),
            f"basin of minimum {point_id}",
            notes,
        )
        if found is not None:
            values[place], errors[place] = found.log_volume, found.error
            if not found.trusted:
                notes.append(f"basin of minimum {point_id}: {'; '.join(found.reasons)}")
    return values, errors


def _counted(
    system: System,
    minima: Float[np.ndarray, "chosen dof"],
    region: "BoxRegion",
    calls: int,
    key: PRNGKey,
    notes: list[str],
) -> tuple[Float[np.ndarray, " chosen"], Float[np.ndarray, " chosen"]]:
    """Basins of one image each, by the starts that end in them; NaN where those are few."""
    from thalweg.sampling import box_shares

    found = box_shares(system, minima, region, jax.random.fold_in(key, 0xB0), calls=calls)
    enough = found.hits >= _ENOUGH
    orders = [system.symmetry.order(x, 1e-4 * system.length) for x in minima]
    images = system.symmetry.log_group_order() - np.log(orders)
    if enough.any():
        notes.append(
            f"{int(enough.sum())} of {len(minima)} basins by counting where {calls:,} starts "
            f"ended that were drawn evenly from the box: {found.hits.sum():,} in these minima"
        )
    values = np.where(enough, found.log_volumes - images, np.nan)
    return values, np.where(enough, found.errors, np.nan)


def _correlation(
    energies: Float[np.ndarray, " minima"],
    curved: Curvatures | None,
    volumes: Float[np.ndarray, " minima"] | None,
    error: Float[np.ndarray, " minima"],
    key: PRNGKey | int,
) -> ErrorCorrelation:
    properties = {"energy": energies}
    if curved is not None:
        properties |= {
            "lowest_curvature": curved.lowest,
            "highest_curvature": curved.highest,
            "trace": curved.trace,
            "log_determinant": curved.log_determinant,
        }
    if volumes is not None and np.isfinite(volumes).sum() > 3:
        properties["log_volume"] = volumes
    return error_correlation(properties, error, key=key)
