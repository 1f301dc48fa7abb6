"""What the minima of a loss predict, for a report."""

import numpy as np

from thalweg.core import System
from thalweg.landscape import Landscape
from thalweg.learning import LossEnergy, LossReading, held_out_data, read_loss
from thalweg.viz import PredictionFacts

_ROWS = 25
_SPECTRA_UP_TO = 400
"""Parameters up to which a report computes whole spectra without being asked."""


def prediction_facts(landscape: Landscape, system: System | None) -> PredictionFacts | None:
    """The readers of a loss as texts; `None` if the landscape is of something else.

    Args:
        landscape: What was found.
        system: What it is of, if that is known.
    """
    if system is None or not isinstance(system.energy, LossEnergy):
        return None
    test = held_out_data(system.name)
    reading = read_loss(landscape, system, test, spectra=system.space.dof <= _SPECTRA_UP_TO)
    classes = reading.predictions.classes is not None
    count = reading.predictions.n_data
    where = "held-out data of the catalogue" if test is not None else "training data"
    headings, rows = _minima(reading)
    top, ensembles = _ensembles(reading)
    return PredictionFacts(
        about=f"What the minima predict for {count:,} rows of {where}. Losses are without the "
        "penalty that the energies contain.",
        headings=headings,
        rows=rows,
        ensemble_headings=top,
        ensembles=ensembles,
        facts=_facts(reading, classes=classes),
        energies=tuple(reading.network.energies[reading.order].tolist()),
        errors=tuple(reading.error.tolist()),
        error_name=("Test " if test is not None else "Training ")
        + ("error" if classes else "squared error"),
        note="; ".join(reading.notes),
    )


def _minima(reading: LossReading) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Columns and rows of the table of minima."""
    table = reading.table().head(_ROWS)
    known = {
        "energy": ("energy", 6),
        "train_loss": ("training loss", 4),
        "train_accuracy": ("training accuracy", 4),
        "test_loss": ("test loss", 4),
        "test_accuracy": ("test accuracy", 4),
        "test_auc": ("test AUC", 4),
        "lowest_curvature": ("lowest curvature", 0),
        "condition": ("condition number", 0),
        "log_determinant": ("ln det", 2),
        "barrier": ("barrier", 5),
    }
    kept = [name for name in known if name in table]
    rows = [
        (str(row["id"]), *(_text(float(row[name]), known[name][1]) for name in kept))
        for row in table.to_dict("records")
    ]
    return ("minimum", *(known[name][0] for name in kept)), tuple(rows)


def _text(value: float, decimals: int) -> str:
    if not np.isfinite(value):
        return "–"
    return f"{value:.{decimals}f}" if decimals else f"{value:.3g}"


def _ensembles(reading: LossReading) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    found = reading.ensembles
    if found is None or len(found.sizes) < 2:
        return (), ()
    headings = ["minima"]
    for name in found.measures:
        headings += [name, "gain over the lowest (95 %)"]
    rows = []
    for k, size in enumerate(found.sizes.tolist()):
        row = [str(size)]
        for m in range(len(found.measures)):
            low, high = found.gain_first[k, m]
            row += [
                f"{found.values[k, m]:.4f} ± {found.errors[k, m]:.4f}",
                f"{low:+.4f} … {high:+.4f}",
            ]
        rows.append(tuple(row))
    return tuple(headings), tuple(rows)


def _facts(reading: LossReading, *, classes: bool) -> tuple[tuple[str, str, str], ...]:
    """What concerns all minima: which data flip, what goes with the error."""
    facts = []
    agreement = reading.agreement
    if agreement is not None and len(agreement.ids) > 1:
        upper = np.triu_indices(len(agreement.ids), 1)
        if classes:
            share = len(agreement.flipping) / max(reading.predictions.n_data, 1)
            facts.append(
                ("Flipping data", f"{100 * share:.1f} %", "not of one class in all minima")
            )
            pairs = agreement.agree[upper]
            facts.append(
                ("Agreement", f"{100 * pairs.mean():.1f} %", "of two minima, mean over pairs")
            )
        else:
            pairs = agreement.rms[upper]
            facts.append(("Difference", f"{pairs.mean():.3g}", "RMS of outputs, mean over pairs"))
    if reading.correlation is not None:
        found = reading.correlation
        for name, rho, low, high in zip(
            found.properties, found.correlation, found.low, found.high, strict=True
        ):
            if np.isfinite(rho):
                what = f"rank correlation with the error, {low:.2f} to {high:.2f}"
                facts.append((name.replace("_", " "), f"{rho:+.2f}", what))
    if reading.thermal is not None:
        facts += [
            (
                f"Peak at T = {peak.temperature:.4g}",
                f"{peak.falling_error:.3g} → {peak.rising_error:.3g}",
                "error of the minima that lose occupation, and of those that gain",
            )
            for peak in reading.thermal.peaks
        ]
    return tuple(facts)
