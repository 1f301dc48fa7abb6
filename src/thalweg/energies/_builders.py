"""The built-in families of the catalogue: what surrounds each energy to make it a system."""

import math
import re
from collections.abc import Callable

import jax.numpy as jnp

from thalweg.core import (
    AbstractEnergy,
    BallStart,
    BoundsStart,
    BoxStart,
    ClusterSymmetry,
    FreeSpace,
    HypersphereSymmetry,
    PeriodicSpace,
    PeriodicSymmetry,
    SphereSpace,
    SphereSymmetry,
    SumEnergy,
    System,
    UnknownSystemError,
)

from . import _surfaces
from ._family import Build, Family
from ._pair import PairEnergy
from ._pair_terms import InversePower, LennardJones, Morse, kob_andersen
from ._sphere import RieszEnergy, SphereEnergy
from ._triples import AxilrodTeller


def _particles(name: str, text: str, least: int, most: int = 2000) -> int:
    count = int(text)
    if not least <= count <= most:
        raise UnknownSystemError(
            f"{name!r} would have {count} particles",
            f"this family goes from {least} to {most}",
        )
    return count


def _cluster(name: str, energy: AbstractEnergy, count: int) -> System:
    """A free cluster of identical particles of unit diameter and unit pair energy.

    Starts fill a cube of half-width `0.7 count^(1/3)`, about the volume of the liquid. A point is
    lost when an atom is farther from the origin than twice that and two and a half diameters more:
    by then it has evaporated, and no force brings it back in reasonable time.
    """
    half_width = 0.7 * count ** (1 / 3)
    return System(
        energy,
        name=name,
        space=FreeSpace((count, 3), extent=2.0 * half_width + 2.5),
        symmetry=ClusterSymmetry((0,) * count),
        start=BoxStart(3 * count, half_width),
        floor=-1.01 * count * (count - 1) / 2,
    )


def _lennard_jones(name: str, match: re.Match[str]) -> System:
    count = _particles(name, match[1], 2)
    return _cluster(name, PairEnergy(LennardJones(), (0,) * count), count)


def _morse(name: str, match: re.Match[str]) -> System:
    count = _particles(name, match[1], 2)
    return _cluster(name, PairEnergy(Morse(rho=float(match[2] or 6.0)), (0,) * count), count)


def _lennard_jones_axilrod_teller(name: str, match: re.Match[str]) -> System:
    """Z = 2, as in Ballard, Stevenson, Das and Wales, J. Chem. Phys. 144, 124119 (2016)."""
    count = _particles(name, match[1], 3, 60)
    terms = (PairEnergy(LennardJones(), (0,) * count), AxilrodTeller(count, 2.0))
    return _cluster(name, SumEnergy(terms, (1.0, 1.0)), count)


def _binary_lennard_jones(name: str, match: re.Match[str]) -> System:
    """Four A for each B in a periodic cube.

    The cutoff is 2.5 diameters, or, in a box that is too small for it, half an edge: beyond that
    the nearest image would jump.
    """
    count = _particles(name, match[1], 5)
    density = float(match[2] or 1.2)
    edge = (count / density) ** (1 / 3)
    small = round(count / 5)
    species = (0,) * (count - small) + (1,) * small
    box = (edge, edge, edge)
    return System(
        PairEnergy(kob_andersen(min(2.5, 0.5 * edge)), species, box),
        name=name,
        space=PeriodicSpace(count, box),
        symmetry=PeriodicSymmetry(species, box, cube=True),
        start=BoxStart(3 * count, 0.5 * edge),
        floor=-1.5 * count * (count - 1) / 2,
        labels=tuple("AB"[kind] for kind in species),
    )


def _thomson(name: str, match: re.Match[str]) -> System:
    """Starts are uniform on the sphere; the length is half the mean distance of neighbours."""
    count = _particles(name, match[1], 2)
    dim, power = int(match[2] or 3), int(match[3] or 1)
    if not 2 <= dim <= 32 or power < 1:
        raise UnknownSystemError(
            f"{name!r} would have {dim} dimensions and the power {power}",
            "this family goes from 2 to 32 dimensions and begins with the power 1",
        )
    species = (0,) * count
    area = 2.0 * math.pi ** (dim / 2) / math.gamma(dim / 2)
    return System(
        SphereEnergy(
            PairEnergy(InversePower(power), species) if dim == 3 else RieszEnergy(dim, power), dim
        ),
        name=name,
        space=SphereSpace(count, dim),
        symmetry=SphereSymmetry(species, dim) if dim < 4 else HypersphereSymmetry(species, dim),
        start=BallStart(count, 1.0, dim, surface=True),
        length=0.5 * (area / count) ** (1 / (dim - 1)),
        floor=0.0,
    )


def _plane(
    function: Callable, lower: tuple[float, float], upper: tuple[float, float], length: float
) -> Build:
    """A surface of two variables, started in a rectangle."""

    def build(name: str, match: re.Match[str]) -> System:
        del match
        reach = 3.0 * max(map(abs, (*lower, *upper)))
        return System(
            function,
            name=name,
            space=FreeSpace((2,), extent=reach),
            start=BoundsStart(jnp.asarray(lower), jnp.asarray(upper)),
            length=length,
        )

    return build


def _box(function: Callable, half_width: float, extent: float, length: float) -> Build:
    """A surface of any number of variables (two if the name has no number), started in a cube."""

    def build(name: str, match: re.Match[str]) -> System:
        dim = _particles(name, match[1] or "2", 1 if function is not _surfaces.rosenbrock else 2)
        return System(
            function,
            name=name,
            space=FreeSpace((dim,), extent=extent),
            start=BoxStart(dim, half_width),
            length=length,
        )

    return build


FAMILIES = (
    Family(
        "lj<N>",
        "lj13",
        r"lj(\d+)",
        "free cluster of N Lennard-Jones atoms",
        _lennard_jones,
    ),
    Family(
        "morse<N>-rho<R>",
        "morse13-rho6",
        r"morse(\d+)(?:-rho(\d+(?:\.\d+)?))?",
        "free cluster of N Morse atoms of range R (6 where it is left out)",
        _morse,
    ),
    Family(
        "blj<N>",
        "blj60",
        r"blj(\d+)(?:-rho(\d+(?:\.\d+)?))?",
        "periodic 80:20 Kob-Andersen mixture of N atoms, density 1.2 or as in blj60-rho1.3",
        _binary_lennard_jones,
    ),
    Family(
        "ljat<N>",
        "ljat3",
        r"ljat(\d+)",
        "Lennard-Jones cluster of N atoms with triple dipoles (Z = 2)",
        _lennard_jones_axilrod_teller,
    ),
    Family(
        "thomson<N>",
        "thomson12",
        r"thomson(\d+)(?:-d(\d+))?(?:-s(\d+))?",
        "Thomson problem: N equal charges on a sphere; thomson16-d5-s3 in 5 dimensions, by 1/r³",
        _thomson,
    ),
    Family(
        "muller-brown",
        "muller-brown",
        r"m(?:ue|u|ü)ller-brown",
        "Müller-Brown surface: 3 minima, 2 transition states",
        _plane(_surfaces.mueller_brown, (-1.5, -0.5), (1.2, 2.0), 0.3),
    ),
    Family(
        "double-well",
        "double-well",
        r"double-well",
        "symmetric double well in two variables",
        _plane(_surfaces.double_well, (-1.5, -1.0), (1.5, 1.0), 0.5),
    ),
    Family(
        "wolfe-quapp",
        "wolfe-quapp",
        r"wolfe-quapp",
        "Wolfe-Quapp surface: a quartic with three minima",
        _plane(_surfaces.wolfe_quapp, (-2.0, -2.0), (2.0, 2.0), 0.5),
    ),
    Family(
        "three-hole",
        "three-hole",
        r"three-hole",
        "two deep wells and a shallow one, with two competing paths",
        _plane(_surfaces.three_hole, (-2.0, -1.5), (2.0, 2.5), 0.5),
    ),
    Family(
        "rastrigin<D>",
        "rastrigin2",
        r"rastrigin(\d*)",
        "Rastrigin function of D variables: many equal ripples",
        _box(_surfaces.rastrigin, 5.12, 20.0, 0.5),
    ),
    Family(
        "schwefel<D>",
        "schwefel2",
        r"schwefel(\d*)",
        "Schwefel function of D variables in |x| < 500",
        _box(_surfaces.schwefel, 500.0, 500.0, 50.0),
    ),
    Family(
        "rosenbrock<D>",
        "rosenbrock2",
        r"rosenbrock(\d*)",
        "Rosenbrock's curved valley in D variables",
        _box(_surfaces.rosenbrock, 2.0, 20.0, 0.5),
    ),
)
