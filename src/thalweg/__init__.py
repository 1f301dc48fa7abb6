"""Thalweg: a laboratory for energy landscapes.

```python
import thalweg as tw

tw.enable_float64()
system = tw.system("lj13")                               # or tw.System(energy=f, shape=(13, 3))
landscape = tw.explore(system, store="lj13.db", key=0)   # run it again to go on
landscape.minima                                         # a data frame
tw.plot_tree(tw.disconnectivity_tree(landscape.network))
tw.report(landscape, "lj13.html")                        # everything, in one file
```

The packages below hold everything else; each begins with a tour of itself. Importing `thalweg`
loads none of them: a name is looked up when it is first used.
"""

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ._version import __version__ as __version__

if TYPE_CHECKING:
    from pathlib import Path

    from .circuits import circuit as circuit
    from .core import METAL as METAL
    from .core import REDUCED as REDUCED
    from .core import AbstractEnergy as AbstractEnergy
    from .core import ArgumentError as ArgumentError
    from .core import BallStart as BallStart
    from .core import BoundsStart as BoundsStart
    from .core import BoxStart as BoxStart
    from .core import Certificate as Certificate
    from .core import ClusterSymmetry as ClusterSymmetry
    from .core import EnergyError as EnergyError
    from .core import FlatSpace as FlatSpace
    from .core import FreeSpace as FreeSpace
    from .core import HostEnergy as HostEnergy
    from .core import NormalStart as NormalStart
    from .core import NoSymmetry as NoSymmetry
    from .core import Outcome as Outcome
    from .core import PeriodicSpace as PeriodicSpace
    from .core import PeriodicSymmetry as PeriodicSymmetry
    from .core import PrecisionError as PrecisionError
    from .core import Solution as Solution
    from .core import SolveError as SolveError
    from .core import SphereSpace as SphereSpace
    from .core import SphereSymmetry as SphereSymmetry
    from .core import StoreError as StoreError
    from .core import System as System
    from .core import ThalwegError as ThalwegError
    from .core import Units as Units
    from .core import UnknownSystemError as UnknownSystemError
    from .core import check_energy as check_energy
    from .dynamics import certify as certify
    from .dynamics import continuation as continuation
    from .dynamics import fixed_points as fixed_points
    from .dynamics import lyapunov_spectrum as lyapunov_spectrum
    from .dynamics import simulate as simulate
    from .energies import PairEnergy as PairEnergy
    from .energies import system as system
    from .forcefields import ForceField as ForceField
    from .forcefields import check_forcefield as check_forcefield
    from .forcefields.fitting import fit_forcefield as fit_forcefield
    from .io import system_from_ase as system_from_ase
    from .kinetics import mean_first_passage_time as mean_first_passage_time
    from .kinetics import rate as rate
    from .kinetics import transition_rates as transition_rates
    from .landscape import DisconnectivityTree as DisconnectivityTree
    from .landscape import Landscape as Landscape
    from .landscape import Minimum as Minimum
    from .landscape import Pathway as Pathway
    from .landscape import TransitionNetwork as TransitionNetwork
    from .landscape import TransitionState as TransitionState
    from .landscape import disconnectivity_tree as disconnectivity_tree
    from .landscape import estimate_completeness as estimate_completeness
    from .landscape import network_statistics as network_statistics
    from .landscape import pathway as pathway
    from .sampling import Campaign as Campaign
    from .sampling import ExactWeight as ExactWeight
    from .sampling import NoisyEnergy as NoisyEnergy
    from .sampling import NoisyWeight as NoisyWeight
    from .sampling import Oracle as Oracle
    from .sampling import Samples as Samples
    from .sampling import advise as advise
    from .sampling import basin_volume as basin_volume
    from .sampling import parallel_tempering as parallel_tempering
    from .sampling import sample as sample
    from .search import FIRE as FIRE
    from .search import LBFGS as LBFGS
    from .search import Band as Band
    from .search import BasinHopping as BasinHopping
    from .search import Dimer as Dimer
    from .search import EigenvectorFollowing as EigenvectorFollowing
    from .search import certify_many as certify_many
    from .search import climb as climb
    from .search import quench as quench
    from .search import quench_many as quench_many
    from .thermo import HarmonicEnsemble as HarmonicEnsemble
    from .viz import plot_heat_capacity as plot_heat_capacity
    from .viz import plot_pathway as plot_pathway
    from .viz import plot_tree as plot_tree
    from .viz import save_figure as save_figure
    from .workflows import MapConfig as MapConfig
    from .workflows import MapProgress as MapProgress
    from .workflows import report as report

_HOMES = {
    "circuits": "circuit",
    "core": (
        "METAL REDUCED AbstractEnergy ArgumentError BallStart BoundsStart BoxStart Certificate "
        "ClusterSymmetry EnergyError FlatSpace FreeSpace HostEnergy NoSymmetry NormalStart "
        "Outcome PeriodicSpace PeriodicSymmetry PrecisionError Solution SolveError SphereSpace "
        "SphereSymmetry StoreError System ThalwegError Units UnknownSystemError check_energy"
    ),
    "dynamics": "certify continuation fixed_points lyapunov_spectrum simulate",
    "energies": "PairEnergy system",
    "forcefields": "ForceField check_forcefield",
    "forcefields.fitting": "fit_forcefield",
    "io": "system_from_ase",
    "kinetics": "mean_first_passage_time rate transition_rates",
    "landscape": (
        "DisconnectivityTree Landscape Minimum Pathway TransitionNetwork TransitionState "
        "disconnectivity_tree estimate_completeness network_statistics pathway"
    ),
    "sampling": (
        "Campaign ExactWeight NoisyEnergy NoisyWeight Oracle Samples advise basin_volume "
        "parallel_tempering sample"
    ),
    "search": (
        "FIRE LBFGS Band BasinHopping Dimer EigenvectorFollowing certify_many climb quench "
        "quench_many"
    ),
    "thermo": "HarmonicEnsemble",
    "viz": "plot_heat_capacity plot_pathway plot_tree save_figure",
    "workflows": "MapConfig MapProgress report",
}
_HOME = {name: package for package, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Import the package that a public name lives in, at its first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'thalweg' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"thalweg.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*_HOME, "__version__", "enable_float64", "explore"])


def enable_float64() -> None:
    """Make JAX compute in float64, as stationary points need; call it first in a script.

    Arrays made before keep their precision. The command line does this by itself.
    """
    import jax

    jax.config.update("jax_enable_x64", True)


def explore(
    system: "System",
    store: "str | Path",
    config: "MapConfig | None" = None,
    *,
    report: "Callable[[MapProgress], None] | None" = None,
    **wishes: Any,
) -> "Landscape":
    """Map a landscape into a store: find, certify and connect its stationary points.

    `thalweg.workflows.explore` does the same and also says why the map ended.

    Args:
        system: What to map.
        store: File name or SQLAlchemy URL. An existing store of the same system is continued.
        config: All wishes at once.
        report: Called after every committed round.
        wishes: Fields of `MapConfig` instead: `explore(s, "x.db", key=1, budget=60)`.

    Returns:
        The landscape.

    Raises:
        EnergyError: if the energy does not keep its contract (a wrong gradient, say).
        PrecisionError: if `enable_float64` was not called.
        StoreError: if the store cannot be used, or belongs to another system.
    """
    from .workflows import explore as run

    return run(system, store, config, report=report, **wishes).landscape
