"""Force fields of molecular mechanics back to OpenMM, at OpenMM's full speed."""

from collections.abc import Callable
from typing import Any

import numpy as np

from thalweg.core import ArgumentError
from thalweg.forcefields import (
    AbstractBlock,
    ClassTwoTerms,
    CorrectionMaps,
    Coulomb,
    Ewald,
    ForceField,
    HarmonicAngles,
    HarmonicBonds,
    LennardJones,
    PairRule,
    PeriodicTorsions,
    RyckaertBellemans,
    UreyBradley,
)

from ._openmm import require_openmm


def to_openmm(forcefield: ForceField) -> Any:
    """An OpenMM `System` with the energy of a force field, in OpenMM's own forces.

    `openmm.XmlSerializer.serialize` makes a file of it.

    Args:
        forcefield: Of harmonic bonds and angles, Urey-Bradley terms, periodic and
            Ryckaert-Bellemans torsions, correction maps, Lennard-Jones (Lorentz-Berthelot) and
            charges; blocks over pairs share their exclusions and cutoff.

    Raises:
        ArgumentError: if OpenMM is missing, or a block has no counterpart among OpenMM's own
            forces; it names the block. Nothing is left out.

    Example: `to_openmm(forcefield_from_openmm(system, topology))`
    """
    require_openmm()
    import openmm

    system = openmm.System()
    for mass in forcefield.topology.masses:
        system.addParticle(float(mass))
    writers: dict[type, Callable[[Any, Any], None]] = {
        HarmonicBonds: _bonds,
        UreyBradley: _bonds,
        HarmonicAngles: _angles,
        PeriodicTorsions: _torsions,
        RyckaertBellemans: _ryckaert,
        CorrectionMaps: _maps,
    }
    pairs: dict[type, tuple[str, Any]] = {}
    for name, block in forcefield.blocks.items():
        if type(block) in writers:
            writers[type(block)](system, block)
        elif isinstance(block, LennardJones | Coulomb | Ewald):
            slot = LennardJones if isinstance(block, LennardJones) else Coulomb
            if slot in pairs:
                raise ArgumentError(
                    f"{pairs[slot][0]} and {name} are both {slot.__name__} blocks",
                    "OpenMM's NonbondedForce holds one of each",
                )
            pairs[slot] = (name, block)
        else:
            raise ArgumentError(_no_counterpart(name, block), _hint(block))
    if pairs:
        _nonbonded(system, forcefield, pairs)
    if forcefield.box is not None:
        system.setDefaultPeriodicBoxVectors(
            *(openmm.Vec3(*map(float, edge)) for edge in np.asarray(forcefield.box))
        )
    return system


def _no_counterpart(name: str, block: AbstractBlock) -> str:
    return f"block {name!r} ({type(block).__name__}) has no counterpart among OpenMM's own forces"


def _hint(block: AbstractBlock) -> str:
    if isinstance(block, ClassTwoTerms):
        return "a class I force field has: generic_forcefield(topology, positions, 'I')"
    return "export a force field without it"


def _rows(*arrays: Any) -> Any:
    return zip(*(np.asarray(array) for array in arrays), strict=True)


def _bonds(system: Any, block: HarmonicBonds | UreyBradley) -> None:
    import openmm

    force = openmm.HarmonicBondForce()
    for (i, j), kind in _rows(block.atoms, block.kind):
        force.addBond(int(i), int(j), float(block.length[kind]), float(block.stiffness[kind]))
    system.addForce(force)


def _angles(system: Any, block: HarmonicAngles) -> None:
    import openmm

    force = openmm.HarmonicAngleForce()
    angle, stiffness = np.asarray(block.angle), np.asarray(block.stiffness)
    for atoms, kind in _rows(block.atoms, block.kind):
        i, j, k = map(int, atoms)
        force.addAngle(i, j, k, float(angle[kind]), float(stiffness[kind]))
    system.addForce(force)


def _torsions(system: Any, block: PeriodicTorsions) -> None:
    import openmm

    force = openmm.PeriodicTorsionForce()
    barrier = np.asarray(block.barrier)
    for atoms, kind in _rows(block.atoms, block.kind):
        i, j, k, l = map(int, atoms)
        for n, (height, phase) in enumerate(
            zip(barrier[kind], block.phases[int(kind)], strict=True), start=1
        ):
            if height != 0.0:
                force.addTorsion(i, j, k, l, n, float(phase), float(height))
    system.addForce(force)


def _ryckaert(system: Any, block: RyckaertBellemans) -> None:
    import openmm

    coefficients = np.asarray(block.coefficients)
    if coefficients.shape[1] > 6:
        raise ArgumentError(
            f"a Ryckaert-Bellemans block has {coefficients.shape[1]} powers, OpenMM's force six"
        )
    force = openmm.RBTorsionForce()
    for atoms, kind in _rows(block.atoms, block.kind):
        powers = [*map(float, coefficients[kind]), *[0.0] * (6 - coefficients.shape[1])]
        force.addTorsion(*map(int, atoms), *powers)
    system.addForce(force)


def _maps(system: Any, block: CorrectionMaps) -> None:
    import openmm

    force = openmm.CMAPTorsionForce()
    for values in np.asarray(block.values):
        force.addMap(len(values), [float(value) for value in values.T.reshape(-1)])
    for atoms, kind in _rows(block.atoms, block.kind):
        force.addTorsion(int(kind), *map(int, atoms))
    system.addForce(force)


def _nonbonded(system: Any, forcefield: ForceField, pairs: dict[type, tuple[str, Any]]) -> None:
    import openmm

    force = openmm.NonbondedForce()
    n = forcefield.topology.n_atoms
    lennard, charged = (pairs.get(slot, ("", None))[1] for slot in (LennardJones, Coulomb))
    q, sigma, depth = np.zeros(n), np.ones(n), np.zeros(n)
    if lennard is not None:
        _check_lennard(pairs[LennardJones][0], lennard)
        kind = np.asarray(lennard.kind)
        sigma, depth = np.asarray(lennard.sigma)[kind], np.asarray(lennard.epsilon)[kind]
    if charged is not None:
        if getattr(charged, "buffer", 0.0):
            raise ArgumentError(
                _no_counterpart(*pairs[Coulomb]), "its buffered Coulomb law is MMFF94's"
            )
        q = np.asarray(charged.charges())
    for row in zip(q, sigma, depth, strict=True):
        force.addParticle(*map(float, row))
    scales = [_scales(block.rule) if block else None for block in (charged, lennard)]
    known = [scale for scale in scales if scale is not None]
    if any(set(scale) != set(known[0]) for scale in known):
        raise ArgumentError(
            "the blocks over pairs exclude different pairs", "OpenMM has one list for both"
        )
    for i, j in known[0]:
        product = q[i] * q[j] * (scales[0][i, j] if scales[0] else 0.0)
        fraction = scales[1][i, j] if scales[1] else 0.0
        root = float(np.sqrt(depth[i] * depth[j])) * fraction
        force.addException(i, j, float(product), float(0.5 * (sigma[i] + sigma[j])), root)
    _method(force, forcefield, lennard, charged)
    system.addForce(force)


def _check_lennard(name: str, block: LennardJones) -> None:
    if block.combination != "lorentz-berthelot" or np.ndim(block.sigma) == 2:
        raise ArgumentError(
            f"block {name!r} combines its parameters in another way than OpenMM's NonbondedForce",
            "Lorentz-Berthelot, one σ and ε a kind",
        )


def _scales(rule: PairRule) -> dict[tuple[int, int], float]:
    """Fraction of each pair that is not ordinary."""
    found = {(int(i), int(j)): 0.0 for i, j in np.asarray(rule.excluded)}
    for (i, j), kind in _rows(rule.special, rule.special_kind):
        found[int(min(i, j)), int(max(i, j))] = rule.scales[int(kind)]
    return found


def _method(force: Any, forcefield: ForceField, lennard: Any, charged: Any) -> None:
    """Cutoff and what lies beyond it."""
    rules = [block.rule for block in (lennard, charged) if block is not None]
    cutoffs = {rule.cutoff for rule in rules}
    if len(cutoffs) > 1:
        raise ArgumentError(
            f"the blocks over pairs have the cutoffs {sorted(cutoffs, key=str)}", "OpenMM has one"
        )
    cutoff = cutoffs.pop()
    force.setUseDispersionCorrection(bool(lennard is not None and lennard.tail))
    if cutoff is None:
        force.setNonbondedMethod(force.NoCutoff)
        return
    force.setCutoffDistance(cutoff)
    if lennard is not None and lennard.rule.switch is not None:
        force.setUseSwitchingFunction(True)
        force.setSwitchingDistance(lennard.rule.switch)
    if isinstance(charged, Ewald):
        if charged.grid is None:
            raise ArgumentError("Ewald's plain sum over waves", "give it a mesh: grid=(nx, ny, nz)")
        force.setNonbondedMethod(force.PME)
        force.setPMEParameters(charged.alpha, *charged.grid)
        return
    if charged is not None:
        if charged.permittivity is None or charged.rule.switch is not None:
            raise ArgumentError(
                "the Coulomb block ends at its cutoff without a reaction field",
                "OpenMM's has one: Coulomb(..., permittivity=78.3)",
            )
        force.setReactionFieldDielectric(charged.permittivity)
    periodic = forcefield.box is not None
    force.setNonbondedMethod(force.CutoffPeriodic if periodic else force.CutoffNonPeriodic)
