"""What `thalweg thermo` found, as a table, data, a file and a figure."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._talk import data
from ._values import count, duration, share

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from thalweg.sampling import TemperingSamples
    from thalweg.thermo import AbstractEnsemble, HeatCapacityPeak, MissingMinima, Reweighted

_ROWS = 11
"""Lines of a table on the screen."""

_TOP = 3
"""Most occupied minima in a line."""

_LISTED = 10
"""Minima of a peak in JSON, on each side."""


@dataclasses.dataclass(frozen=True)
class Found:
    """Everything that the command has to say."""

    store: str
    ensemble: "AbstractEnsemble"
    grid: "np.ndarray"
    peaks: "list[HeatCapacityPeak]"
    missing: "MissingMinima | None"
    samples: "TemperingSamples | None"
    sampled: "Reweighted | None"
    energy_unit: str
    flat: int = 0

    @property
    def quantum(self) -> bool:
        """Whether the oscillators are quantum ones."""
        from thalweg.thermo import QuantumEnsemble

        return isinstance(self.ensemble, QuantumEnsemble)

    @property
    def kinetic(self) -> bool:
        """Whether kinetic energy is included."""
        return self.quantum or bool(getattr(self.ensemble, "kinetic", False))

    @property
    def reduced(self) -> bool:
        """Whether temperatures are energies."""
        return self.ensemble.boltzmann == 1.0

    @property
    def temperature_label(self) -> str:
        """Temperature and its unit."""
        unit = f"{self.energy_unit}/k_B" if self.reduced and self.energy_unit else "K"
        return "T" if self.reduced and not self.energy_unit else f"T / {unit}"


def modes(ensemble: "AbstractEnsemble") -> list[int]:
    """Numbers of vibrational modes that minima have, ascending."""
    from thalweg.thermo import HarmonicEnsemble, QuantumEnsemble

    if isinstance(ensemble, QuantumEnsemble):
        counts = (ensemble.quanta > 0).sum(axis=1)  # the rest is NaN
    else:
        assert isinstance(ensemble, HarmonicEnsemble)
        counts = ensemble.modes
    return sorted(set(counts.tolist()))


def with_kinetic(sampled: "Reweighted", ensemble: "AbstractEnsemble") -> "Reweighted":
    """Sampled curves with the kinetic energy that the ensemble has too."""
    extra = 0.5 * min(modes(ensemble))
    return dataclasses.replace(
        sampled,
        heat_capacity=sampled.heat_capacity + extra,
        internal_energy=sampled.internal_energy + extra * ensemble.boltzmann * sampled.temperatures,
    )


def curves(found: Found) -> "dict[str, Any]":
    """Columns by name."""
    ensemble, grid = found.ensemble, found.grid
    columns: dict[str, Any] = {
        "temperature": grid,
        "free_energy": ensemble.free_energy(grid),
        "internal_energy": ensemble.internal_energy(grid),
        "entropy": ensemble.entropy(grid) / ensemble.boltzmann,
        "heat_capacity": ensemble.heat_capacity(grid),
    }
    if found.missing is not None:
        columns["heat_capacity_lower"] = found.missing.heat_capacity_lower
        columns["heat_capacity_upper"] = found.missing.heat_capacity_upper
        columns["internal_energy_lower"] = found.missing.internal_energy_lower
        columns["internal_energy_upper"] = found.missing.internal_energy_upper
        columns["known_occupation_lower"] = found.missing.known
    return columns


def write_csv(found: Found, path: Path) -> None:
    """The curves as a table, sampled ones in columns of their own where they were made."""
    import pandas as pd

    frame = pd.DataFrame(curves(found))
    if found.sampled is not None:
        sampled = pd.DataFrame(
            {
                "temperature": found.sampled.temperatures,
                "sampled_internal_energy": found.sampled.internal_energy,
                "sampled_internal_energy_error": found.sampled.internal_energy_error,
                "sampled_heat_capacity": found.sampled.heat_capacity,
                "sampled_heat_capacity_error": found.sampled.heat_capacity_error,
            }
        )
        frame = frame.merge(sampled, on="temperature", how="left")
    frame.to_csv(path, index=False, float_format="%.12g")


def draw(found: Found, path: Path) -> None:
    """The heat capacity as a figure."""
    import matplotlib as mpl

    mpl.use("agg")
    from typing import cast

    from thalweg.viz import plot_heat_capacity, save_figure

    ax = plot_heat_capacity(
        found.ensemble,
        found.grid,
        missing=found.missing,
        samples=found.sampled,
        peaks=found.peaks,
        temperature_label=found.temperature_label.replace("k_B", "$k_\\mathrm{B}$"),
    )
    save_figure(cast("Figure", ax.figure), path)


def as_json(found: Found, files: list[Path]) -> dict[str, Any]:
    """Everything as data."""
    ensemble = found.ensemble
    facts: dict[str, Any] = {
        "command": "thermo",
        "store": found.store,
        "minima": ensemble.network.n_minima,
        "modes": modes(ensemble),
        "boltzmann": ensemble.boltzmann,
        "kinetic": found.kinetic,
        "quantum": found.quantum,
        "curves": curves(found),
        "occupations": _occupations(found),
        "peaks": [_peak_json(found, peak) for peak in found.peaks],
        "missing": None,
        "left_out_with_zero_modes": found.flat,
        "sampling": None,
        "files": [str(file) for file in files],
    }
    if found.missing is not None:
        facts["missing"] = dataclasses.asdict(found.missing.completeness)
    if found.samples is not None and found.sampled is not None:
        facts["sampling"] = {
            **dataclasses.asdict(found.sampled),
            "ladder": found.samples.temperatures,
            "sweeps": len(found.samples.energies),
            "moves": found.samples.moves,
            "acceptance": found.samples.acceptance,
            "exchange": found.samples.exchange,
            "round_trips": found.samples.round_trips,
            "seconds": found.samples.seconds,
        }
    return facts


def _occupations(found: Found) -> list[dict[str, Any]]:
    """The most occupied minima at each temperature of the table."""
    network = found.ensemble.network
    out = []
    for row in _rows(found):
        temperature = float(found.grid[row])
        p = found.ensemble.occupations(temperature)
        top = (-p).argsort(kind="stable")[:_LISTED]
        out.append(
            {
                "temperature": temperature,
                "minima": [{"id": int(network.ids[k]), "probability": float(p[k])} for k in top],
            }
        )
    return out


def _peak_json(found: Found, peak: "HeatCapacityPeak") -> dict[str, Any]:
    ids = found.ensemble.network.ids

    def side(positions: Any, shares: Any) -> list[dict[str, Any]]:
        pairs = zip(positions[:_LISTED].tolist(), shares[:_LISTED].tolist(), strict=True)
        return [{"id": int(ids[k]), "share": share} for k, share in pairs]

    return {
        "temperature": peak.temperature,
        "heat_capacity": peak.heat_capacity,
        "gap": peak.gap,
        "falling": side(peak.falling, peak.falling_shares),
        "rising": side(peak.rising, peak.rising_shares),
    }


def _rows(found: Found) -> list[int]:
    """Which temperatures stand in the table: all, or some that are evenly spaced."""
    total = len(found.grid)
    if total <= _ROWS:
        return list(range(total))
    return [round(k * (total - 1) / (_ROWS - 1)) for k in range(_ROWS)]


def show(found: Found) -> None:
    """The table for people, and the peaks."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    unit = f" / {found.energy_unit}" if found.energy_unit else ""
    headings = [found.temperature_label, f"F{unit}", f"U{unit}", "S / k_B", "C / k_B"]
    missing = found.missing if _matters(found.missing) else None
    if missing is not None:
        headings.append(f"{100 * missing.confidence:.0f} %")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("most occupied", no_wrap=True)
    columns = curves(found)
    names = ("free_energy", "internal_energy", "entropy", "heat_capacity")
    for row, line in zip(_rows(found), _occupations(found), strict=True):
        cells = [f"{found.grid[row]:.4g}", *(f"{columns[name][row]:.4f}" for name in names)]
        if missing is not None:
            low, high = columns["heat_capacity_lower"][row], columns["heat_capacity_upper"][row]
            cells.append(f"{low:.2f}-{high:.2f}")
        top = [f"{m['id']} ({share(m['probability'])})" for m in line["minima"][:2]]
        table.add_row(*cells, ", ".join(top))
    console = data()
    console.print(table)
    for peak in found.peaks:
        console.print(_peak_line(found, peak), soft_wrap=True)


def _matters(missing: "MissingMinima | None") -> bool:
    """Whether the interval is wide enough to be seen."""
    if missing is None:
        return False
    return bool((missing.heat_capacity_upper - missing.heat_capacity_lower).max() > 0.01)


def _peak_line(found: Found, peak: "HeatCapacityPeak") -> str:
    ids = found.ensemble.network.ids

    def side(positions: Any, shares: Any) -> str:
        top = [
            f"{ids[k]} ({share(part)})"
            for k, part in zip(positions[:_TOP].tolist(), shares[:_TOP].tolist(), strict=True)
        ]
        more = len(positions) - len(top)
        return ", ".join(top) + (f" and {more:,} more" if more else "")

    return (
        f"\npeak at T = {peak.temperature:.5g}, C = {peak.heat_capacity:.4f} k_B\n"
        f"  occupation leaves minimum {side(peak.falling, peak.falling_shares)}\n"
        f"  and goes to minimum {side(peak.rising, peak.rising_shares)}, "
        f"{peak.gap:.4g}{' ' + found.energy_unit if found.energy_unit else ''} higher"
    )


def closing(found: Found, files: list[Path]) -> str:
    """One sentence with numbers and the files written."""
    ensemble = found.ensemble
    parts = [
        f"{count(ensemble.network.n_minima, 'minimum')} superposed from T = {found.grid[0]:.4g} to "
        f"{found.grid[-1]:.4g}, {count(len(found.peaks), 'peak')}"
        + (", quantum" if found.quantum else " with kinetic energy" if found.kinetic else "")
    ]
    if found.missing is not None:
        bound = "" if found.missing.trusted else "at least "
        lacking = count(round(found.missing.completeness.missing), "minimum")
        parts.append(f"{bound}{lacking} probably missing")
    if found.flat:
        parts.append(
            f"[bold]{count(found.flat, 'candidate')} with unexplained zero modes left out[/], so "
            "these numbers miss their share of the space"
        )
    if found.samples is not None and found.sampled is not None:
        parts.append(_agreement(found, found.samples, found.sampled))
    written = f", written to [bold]{', '.join(map(str, files))}[/]" if files else ""
    return "; ".join(parts) + written + "."


def _agreement(found: Found, samples: "TemperingSamples", sampled: "Reweighted") -> str:
    """How far sampling and superposition are apart, cold and where they differ most."""
    import numpy as np

    harmonic = found.ensemble.heat_capacity(sampled.temperatures)
    ratio = sampled.heat_capacity / harmonic - 1.0
    worst = int(np.argmax(np.abs(ratio)))
    return (
        f"sampled for {duration(samples.seconds)} ({samples.energies.shape[0]:,} sweeps, exchange "
        f"{100 * samples.exchange.min():.0f} % or more): heat capacity {100 * ratio[0]:+.1f} % of "
        f"harmonic at the lowest temperature, {100 * ratio[worst]:+.0f} % at T = "
        f"{sampled.temperatures[worst]:.4g}"
    )
