"""Families of the catalogue: lattices, spins, memories, soft spheres, a quantum circuit."""

import math
import re

import jax.numpy as jnp

from thalweg.core import (
    AbstractEnergy,
    BoundsStart,
    BoxStart,
    FreeSpace,
    NormalStart,
    PeriodicSpace,
    PeriodicSymmetry,
    SignedPermutation,
    SignedPermutationSymmetry,
    SphereSpace,
    System,
    UnknownSystemError,
)

from ._boltzmann import QaoaRing, random_boltzmann_machine
from ._family import Family
from ._lattice import (
    Phi4,
    XYLattice,
    XYMeanField,
    lattice_generators,
    permutation_generators,
    sign_flip,
)
from ._memories import (
    DenseMemory,
    HopfieldMemory,
    PolynomialMemory,
    random_directions,
    random_signs,
)
from ._pair import PairEnergy
from ._pair_terms import Hertzian
from ._spins import random_p_spin

_TURN = 2.0 * math.pi


def _whole(name: str, what: str, text: str, least: int, most: int) -> int:
    number = int(text)
    if not least <= number <= most:
        raise UnknownSystemError(
            f"{name!r} would have {number} {what}", f"this family goes from {least} to {most}"
        )
    return number


def _lattice(name: str, text: str) -> tuple[int, ...]:
    shape = tuple(int(edge) for edge in text.split("x"))
    if min(shape) < 2 or math.prod(shape) > 300:
        raise UnknownSystemError(
            f"{name!r} would have {math.prod(shape)} sites in the shape {shape}",
            "edges are at least 2 long, and there are at most 300 sites",
        )
    return shape


def _phi4(name: str, match: re.Match[str]) -> System:
    """Starts reach a little beyond the wells of a single site, `±√(6μ²/λ)`."""
    shape = _lattice(name, match[1])
    energy = Phi4(shape, float(match[2] or 0.1))
    sites, well = math.prod(shape), math.sqrt(6.0 * energy.square / energy.quartic)
    return System(
        energy,
        name=name,
        space=FreeSpace((sites,), extent=10.0 * well),
        symmetry=SignedPermutationSymmetry(sites, [*lattice_generators(shape), sign_flip(sites)]),
        start=BoxStart(sites, 1.3 * well),
        length=0.5 * well,
    )


def _angles(name: str, energy: AbstractEnergy, generators: list[SignedPermutation]) -> System:
    """Spins of the plane: a mirror, the lattice, and the global rotation."""
    count = len(generators[0].labels)
    return System(
        energy,
        name=name,
        space=PeriodicSpace(count, (_TURN,)),
        symmetry=SignedPermutationSymmetry(
            count, [*generators, sign_flip(count)], period=_TURN, uniform=True
        ),
        start=BoundsStart(jnp.zeros(count), jnp.full(count, _TURN)),
        length=1.0,
        floor=-1.0,
    )


def _xy_lattice(name: str, match: re.Match[str]) -> System:
    shape = _lattice(name, match[1])
    return _angles(name, XYLattice(shape), list(lattice_generators(shape)))


def _xy_ring(name: str, match: re.Match[str]) -> System:
    count = _whole(name, "spins", match[1], 3, 300)
    return _angles(name, XYLattice((count,)), list(lattice_generators((count,))))


def _xy_mean(name: str, match: re.Match[str]) -> System:
    count = _whole(name, "spins", match[1], 2, 7)
    return _angles(name, XYMeanField(count), list(permutation_generators(count)))


def _on_sphere(
    name: str, energy: AbstractEnergy, size: int, radius: float, *, even: bool, length: float
) -> System:
    """One point of a sphere; `x` and `-x` are the same where the energy is even."""
    return System(
        energy,
        name=name,
        space=SphereSpace(1, size, radius),
        symmetry=SignedPermutationSymmetry(size, [sign_flip(size)] if even else [], radius=radius),
        start=NormalStart(jnp.zeros(size)),
        length=length * radius,
    )


def _p_spin(name: str, match: re.Match[str]) -> System:
    p = int(match[1])
    size = _whole(name, "spins", match[2], 2, {2: 500, 3: 150, 4: 50}[p])
    energy = random_p_spin(p, size, int(match[3] or 0))
    return _on_sphere(name, energy, size, math.sqrt(size), even=p % 2 == 0, length=0.3)


def _hopfield(name: str, match: re.Match[str]) -> System:
    """The variables are overlaps: ±1 along an axis is a pattern."""
    units = _whole(name, "units", match[1], 2, 100_000)
    patterns = _whole(name, "patterns", match[2], 1, 500)
    signs = random_signs(patterns, units, int(match[4] or 0))
    return System(
        HopfieldMemory(signs, float(match[3] or 5.0)),
        name=name,
        space=FreeSpace((patterns,), extent=10.0 * math.sqrt(patterns)),
        symmetry=SignedPermutationSymmetry(patterns, [sign_flip(patterns)]),
        start=BoxStart(patterns, 1.0),
        length=0.3,
    )


def _dense_memory(name: str, match: re.Match[str]) -> System:
    """Random patterns on the sphere of radius √D, as after layer normalisation."""
    count = _whole(name, "patterns", match[1], 1, 10_000)
    units = _whole(name, "units", match[2], 1, 500)
    radius = math.sqrt(units)
    patterns = radius * random_directions(count, units, int(match[4] or 0))
    return System(
        DenseMemory(patterns, float(match[3] or 1.0)),
        name=name,
        space=FreeSpace((units,), extent=10.0 * radius),
        start=NormalStart(jnp.zeros(units)),
        length=0.5 * radius,
    )


def _potts_memory(name: str, match: re.Match[str]) -> System:
    """Orthonormal patterns: the axes, alike under all permutations."""
    count = _whole(name, "patterns", match[1], 2, 7)
    return System(
        DenseMemory(jnp.eye(count), float(match[2] or 2.75)),
        name=name,
        space=FreeSpace((count,), extent=10.0),
        symmetry=SignedPermutationSymmetry(count, permutation_generators(count)),
        start=BoundsStart(jnp.full(count, -0.5), jnp.full(count, 1.5)),
        length=0.5,
    )


def _polynomial_memory(name: str, match: re.Match[str]) -> System:
    count = _whole(name, "patterns", match[1], 1, 10_000)
    units = _whole(name, "units", match[2], 2, 500)
    degree = _whole(name, "factors in a term", match[3] or "3", 2, 20)
    patterns = random_directions(count, units, int(match[4] or 0))
    energy = PolynomialMemory(patterns, degree)
    return _on_sphere(name, energy, units, 1.0, even=degree % 2 == 0, length=0.3)


def _boltzmann(name: str, match: re.Match[str]) -> System:
    visible = _whole(name, "visible units", match[1], 1, 500)
    hidden = _whole(name, "hidden units", match[2], 1, 500)
    return System(
        random_boltzmann_machine(visible, hidden, int(match[3] or 0)),
        name=name,
        space=FreeSpace((visible,), extent=30.0 * math.sqrt(hidden * visible)),
        start=NormalStart(jnp.zeros(visible), scale=2.0),
        length=1.0,
    )


def _qaoa(name: str, match: re.Match[str]) -> System:
    """Pairs (γ, β) with periods π and π/2: cuts of a ring are even, and flipping all bits is free.

    Both angles of all layers may change their signs: complex conjugation.
    """
    qubits = _whole(name, "qubits", match[1], 4, 10)
    if qubits % 2:
        raise UnknownSystemError(f"{name!r} has an odd ring", "take an even number of qubits")
    layers = _whole(name, "layers", match[2], 1, 20)
    period = (math.pi, 0.5 * math.pi) * layers
    return System(
        QaoaRing(qubits, layers),
        name=name,
        space=PeriodicSpace(layers, period[:2]),
        symmetry=SignedPermutationSymmetry(2 * layers, [sign_flip(2 * layers)], period=period),
        start=BoundsStart(jnp.zeros(2 * layers), jnp.asarray(period)),
        length=0.3,
        floor=-1.01 * qubits,
    )


def _hertzian(name: str, match: re.Match[str]) -> System:
    """Half of the spheres are 1.4 times as large; the box holds them at the packing fraction."""
    count = _whole(name, "spheres", match[1], 8, 1000)
    fraction = float(match[2] or 0.7)
    small = count // 2
    species = (0,) * small + (1,) * (count - small)
    volume = math.pi / 6.0 * (small + 1.4**3 * (count - small))
    edge = (volume / fraction) ** (1 / 3) if fraction > 0 else 0.0
    if not edge > 2.0 * 1.4:
        raise UnknownSystemError(
            f"{name!r} has a box of edge {edge:.2f}, less than two large spheres",
            "take more spheres or a lower packing fraction",
        )
    box = (edge, edge, edge)
    return System(
        PairEnergy(Hertzian(jnp.array([1.0, 1.4])), species, box),
        name=name,
        space=PeriodicSpace(count, box),
        symmetry=PeriodicSymmetry(species, box, cube=True),
        start=BoxStart(3 * count, 0.5 * edge),
        floor=-1e-9,
        labels=tuple("AB"[kind] for kind in species),
    )


_NUMBER = r"(\d+(?:\.\d+)?)"

FAMILIES = (
    Family(
        "phi4-<L>x<L>-j<J>",
        "phi4-2x2",
        rf"phi4-(\d+(?:x\d+)*)(?:-j{_NUMBER})?",
        "φ⁴ field on a periodic lattice of any shape, coupling J (0.1 where it is left out)",
        _phi4,
    ),
    Family(
        "xy-ring<N>",
        "xy-ring9",
        r"(?:xy|kuramoto)-ring(\d+)",
        "ring of N XY spins or Kuramoto oscillators: twisted states",
        _xy_ring,
    ),
    Family(
        "xy-<L>x<L>",
        "xy-3x3",
        r"xy-(\d+(?:x\d+)+)",
        "XY spins on a periodic lattice of two or more dimensions",
        _xy_lattice,
    ),
    Family(
        "xy-mean<N>",
        "xy-mean4",
        r"(?:xy-mean|kuramoto)(\d+)",
        "mean-field XY or all-to-all Kuramoto model of N ≤ 7 spins: continua of saddles",
        _xy_mean,
    ),
    Family(
        "pspin<p>-<N>-s<S>",
        "pspin3-10",
        r"pspin([234])-(\d+)(?:-s(\d+))?",
        "spherical p-spin glass, p = 2, 3 or 4, of N spins, couplings from seed S (0)",
        _p_spin,
    ),
    Family(
        "hopfield<N>-p<P>-b<B>-s<S>",
        "hopfield200-p5",
        rf"hopfield(\d+)-p(\d+)(?:-b{_NUMBER})?(?:-s(\d+))?",
        "Hopfield memory of N units and P random patterns in its overlaps, gain B (5), seed S (0)",
        _hopfield,
    ),
    Family(
        "dense-memory<P>-d<D>-b<B>-s<S>",
        "dense-memory10-d4",
        rf"dense-memory(\d+)-d(\d+)(?:-b{_NUMBER})?(?:-s(\d+))?",
        "modern Hopfield memory of P random patterns in D dimensions, β = B (1), seed S (0)",
        _dense_memory,
    ),
    Family(
        "potts-memory<P>-b<B>",
        "potts-memory3",
        rf"potts-memory(\d+)(?:-b{_NUMBER})?",
        "modern Hopfield memory of P ≤ 7 orthonormal patterns, β = B (2.75)",
        _potts_memory,
    ),
    Family(
        "poly-memory<P>-d<D>-n<n>-s<S>",
        "poly-memory8-d5",
        r"poly-memory(\d+)-d(\d+)(?:-n(\d+))?(?:-s(\d+))?",
        "polynomial dense memory of degree n (3) on the sphere, P random patterns, seed S (0)",
        _polynomial_memory,
    ),
    Family(
        "rbm<V>-h<H>-s<S>",
        "rbm6-h4",
        r"rbm(\d+)-h(\d+)(?:-s(\d+))?",
        "free energy of a restricted Boltzmann machine, V Gaussian and H binary units, seed S (0)",
        _boltzmann,
    ),
    Family(
        "hertz<N>-phi<F>",
        "hertz32",
        rf"hertz(\d+)(?:-phi{_NUMBER})?",
        "packing of N soft spheres of two sizes in a periodic box, packing fraction F (0.7)",
        _hertzian,
    ),
    Family(
        "qaoa-ring<N>-p<P>",
        "qaoa-ring6-p2",
        r"qaoa-ring(\d+)-p(\d+)",
        "angles of P layers of QAOA for the largest cut of a ring of N qubits",
        _qaoa,
    ),
)
