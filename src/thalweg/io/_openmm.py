"""Force fields from OpenMM: its own parsing of AMBER, CHARMM and GROMACS files, our blocks.

Source: P. Eastman et al., J. Phys. Chem. B 128, 109 (2024).
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from thalweg.core import ArgumentError, Array
from thalweg.forcefields import (
    AbstractBlock,
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
    Topology,
    numbered,
)


def topology_from_openmm(topology: Any) -> Topology:
    """The topology of an OpenMM `Topology`.

    Atoms that the bonds make three-coordinated get no improper: those come from a force field.

    Raises:
        ArgumentError: if OpenMM is missing or an atom has no element.
    """
    require_openmm()
    atoms = list(topology.atoms())
    for atom in atoms:
        if atom.element is None:
            raise ArgumentError(
                f"atom {atom.index} ({atom.name} of {atom.residue.name}) has no element",
                "virtual sites and coarse beads are not supported",
            )
    from openmm import unit

    return Topology.from_bonds(
        [atom.element.atomic_number for atom in atoms],
        [(a.index, b.index) for a, b in topology.bonds()],
        masses=[atom.element.mass.value_in_unit(unit.dalton) for atom in atoms],
        names=[f"{atom.residue.name}{atom.residue.id}:{atom.name}" for atom in atoms],
    )


def forcefield_from_openmm(system: Any, topology: Any) -> ForceField:
    """The energy of an OpenMM `System` as blocks.

    Every force of the system is taken over or refused; none is left out. Terms of a kind are
    those that have the same parameters and join atoms of the same symmetry classes.

    Args:
        system: An `openmm.System` without constraints:
            `createSystem(constraints=None, rigidWater=False)`.
        topology: A `Topology`, or the OpenMM `Topology` that the system was made for.

    Raises:
        ArgumentError: if the system has constraints, virtual sites, a force that is not known, or
            another number of atoms than the topology.

    Example: `forcefield_from_openmm(ForceField("amber14-all.xml").createSystem(top), top)`
    """
    require_openmm()
    bonded = topology if isinstance(topology, Topology) else topology_from_openmm(topology)
    _check_system(system, bonded)
    reader = _Reader(bonded, system)
    for force in system.getForces():
        read = reader.known.get(type(force).__name__)
        if read is None:
            raise ArgumentError(
                f"{type(force).__name__} is a force that cannot be taken over",
                f"known: {', '.join(reader.known)}",
            )
        read(force)
    box = None
    if system.usesPeriodicBoundaryConditions():
        box = np.asarray([list(edge._value) for edge in system.getDefaultPeriodicBoxVectors()])
    return ForceField(bonded, reader.blocks, box=box)


def require_openmm() -> None:
    """Say what is missing.

    Raises:
        ArgumentError: if OpenMM is not installed.
    """
    try:
        import openmm  # noqa: F401
    except ImportError as error:
        raise ArgumentError(
            "this needs OpenMM, which is not installed", "pip install 'thalweg[forcefields]'"
        ) from error


def _check_system(system: Any, topology: Topology) -> None:
    if system.getNumParticles() != topology.n_atoms:
        raise ArgumentError(
            f"the system has {system.getNumParticles()} particles and the topology "
            f"{topology.n_atoms} atoms",
            "they must belong together",
        )
    if system.getNumConstraints():
        i, j, _ = system.getConstraintParameters(0)
        raise ArgumentError(
            f"the system has {system.getNumConstraints()} constraints, the first between "
            f"{topology.names[i]} and {topology.names[j]}",
            "make it with createSystem(..., constraints=None, rigidWater=False)",
        )
    for atom in range(topology.n_atoms):
        if system.isVirtualSite(atom):
            raise ArgumentError(
                f"{topology.names[atom]} is a virtual site", "they are not supported"
            )


class _Reader:
    """Takes forces over, one after another."""

    def __init__(self, topology: Topology, system: Any):
        self.topology = topology
        self.system = system
        self.blocks: dict[str, AbstractBlock] = {}
        self.known: dict[str, Callable[[Any], None]] = {
            "HarmonicBondForce": self._bonds,
            "HarmonicAngleForce": self._angles,
            "PeriodicTorsionForce": self._torsions,
            "RBTorsionForce": self._ryckaert,
            "CMAPTorsionForce": self._maps,
            "NonbondedForce": self._nonbonded,
            "CMMotionRemover": lambda force: None,
        }

    def _add(self, name: str, block: AbstractBlock) -> None:
        if name in self.blocks:
            number = 2 + sum(known.startswith(f"{name} ") for known in self.blocks)
            name = f"{name} {number}"
        self.blocks[name] = block

    def _kinds(
        self, atoms: list[tuple[int, ...]], values: list[tuple[float, ...]]
    ) -> tuple[Array, np.ndarray]:
        """Kind of each term, and the parameters of each kind."""
        ranks = self.topology.ranks
        words = [tuple(int(ranks[atom]) for atom in row) for row in atoms]
        keys = [(min(w, w[::-1]), v) for w, v in zip(words, values, strict=True)]
        return _table(keys, values)

    def _bonds(self, force: Any) -> None:
        atoms, values = [], []
        for b in range(force.getNumBonds()):
            i, j, length, k = force.getBondParameters(b)
            atoms.append((i, j))
            values.append((k._value, length._value))
        if atoms:
            kind, table = self._kinds(atoms, values)
            block = HarmonicBonds(_int(atoms), kind, *jnp.asarray(table.T))
            self._add("bonds", block)

    def _angles(self, force: Any) -> None:
        atoms, values = [], []
        for a in range(force.getNumAngles()):
            i, j, k, angle, stiffness = force.getAngleParameters(a)
            atoms.append((i, j, k))
            values.append((stiffness._value, angle._value))
        if atoms:
            kind, table = self._kinds(atoms, values)
            block = HarmonicAngles(_int(atoms), kind, *jnp.asarray(table.T))
            self._add("angles", block)

    def _torsions(self, force: Any) -> None:
        """Propers follow three bonds; all others are impropers."""
        bonded = {tuple(row) for row in self.topology.bonds.tolist()}
        bonded |= {(j, i) for i, j in bonded}
        waves: dict[tuple[int, ...], list[tuple[int, float, float]]] = {}
        for t in range(force.getNumTorsions()):
            i, j, k, l, n, phase, barrier = force.getTorsionParameters(t)
            if barrier._value != 0.0:
                waves.setdefault((i, j, k, l), []).append((n, phase._value, barrier._value))
        chains: dict[str, list[tuple[int, ...]]] = {"torsions": [], "impropers": []}
        for i, j, k, l in waves:
            proper = {(i, j), (j, k), (k, l)} <= bonded
            chains["torsions" if proper else "impropers"].append((i, j, k, l))
        for name, atoms in chains.items():
            if atoms:
                self._periodic(name, atoms, [waves[row] for row in atoms])

    def _periodic(
        self,
        name: str,
        atoms: list[tuple[int, ...]],
        waves: list[list[tuple[int, float, float]]],
    ) -> None:
        orders = max(n for row in waves for n, _, _ in row)
        spare: list[tuple[tuple[int, ...], list[tuple[int, float, float]]]] = []
        values = []
        for row_atoms, row in zip(atoms, waves, strict=True):
            flat, again = [0.0] * (2 * orders), []
            for n, phase, barrier in row:
                if flat[n - 1] != 0.0 and flat[orders + n - 1] != phase:
                    again.append((n, phase, barrier))
                else:
                    flat[n - 1] += barrier
                    flat[orders + n - 1] = phase
            values.append(tuple(flat))
            if again:
                spare.append((row_atoms, again))
        kind, table = self._kinds(atoms, values)
        phases = tuple(tuple(float(p) for p in row[orders:]) for row in table)
        barrier = jnp.asarray(table[:, :orders])
        self._add(name, PeriodicTorsions(_int(atoms), kind, barrier, phases))
        if spare:
            self._periodic(name, [row for row, _ in spare], [row for _, row in spare])

    def _ryckaert(self, force: Any) -> None:
        atoms, values = [], []
        for t in range(force.getNumTorsions()):
            i, j, k, l, *powers = force.getTorsionParameters(t)
            atoms.append((i, j, k, l))
            values.append(tuple(power._value for power in powers))
        if atoms:
            kind, table = self._kinds(atoms, values)
            self._add("ryckaert", RyckaertBellemans(_int(atoms), kind, jnp.asarray(table)))

    def _maps(self, force: Any) -> None:
        sizes = {force.getMapParameters(m)[0] for m in range(force.getNumMaps())}
        for size in sorted(sizes):
            number, maps = {}, []
            for m in range(force.getNumMaps()):
                points, energy = force.getMapParameters(m)
                if points == size:
                    number[m] = len(maps)
                    # The first angle runs fastest.
                    maps.append(np.asarray(energy._value).reshape(size, size).T)
            rows = [force.getTorsionParameters(t) for t in range(force.getNumTorsions())]
            rows = [row for row in rows if row[0] in number]
            if rows:
                kind = _int([number[row[0]] for row in rows])
                atoms = _int([tuple(row[1:]) for row in rows])
                self._add("maps", CorrectionMaps(atoms, kind, jnp.asarray(np.stack(maps))))

    def _nonbonded(self, force: Any) -> None:
        method = force.getNonbondedMethod()
        if method in (force.LJPME, force.Ewald):
            raise ArgumentError(
                f"the NonbondedForce has the method {('LJPME', 'Ewald')[method == force.Ewald]}",
                "NoCutoff, CutoffNonPeriodic, CutoffPeriodic and PME can be taken over",
            )
        for count, what in (
            (force.getNumParticleParameterOffsets(), "particle parameter offsets"),
            (force.getNumExceptionParameterOffsets(), "exception parameter offsets"),
        ):
            if count:
                raise ArgumentError(f"the NonbondedForce has {what}", "they are not supported")
        rows = [force.getParticleParameters(i) for i in range(force.getNumParticles())]
        atoms = [(q._value, sigma._value, depth._value) for q, sigma, depth in rows]
        ranks = self.topology.ranks
        keys = [(int(rank), value) for rank, value in zip(ranks, atoms, strict=True)]
        kind, table = _table(keys, atoms)
        exceptions = _Exceptions(force, table, kind, self.topology)
        cutoff = None if method == force.NoCutoff else force.getCutoffDistance()._value
        switch = force.getSwitchingDistance()._value if force.getUseSwitchingFunction() else None
        tail = cutoff is not None and force.getUseDispersionCorrection()
        periodic = method not in (force.NoCutoff, force.CutoffNonPeriodic)
        rule = exceptions.rule(exceptions.depth, cutoff, switch if cutoff is not None else None)
        sigma, depth = jnp.asarray(table[:, 1]), jnp.asarray(table[:, 2])
        lennard = LennardJones(rule, kind, sigma, depth, tail=tail and periodic)
        self._add("lennard-jones", lennard)
        charge = jnp.asarray(table[:, 0])
        total = round(float(np.sum(table[np.asarray(kind), 0])), 9)
        rule = exceptions.rule(exceptions.charge, cutoff, None)
        if method == force.PME:
            alpha, grid = _mesh(self.system, force)
            self._add("ewald", Ewald(rule, kind, charge, alpha=alpha, total=total, grid=grid))
        else:
            medium = None if cutoff is None else force.getReactionFieldDielectric()
            coulomb = Coulomb(rule, kind, charge, total=total, permittivity=medium)
            self._add("coulomb", coulomb)


class _Exceptions:
    """Exceptions of a NonbondedForce as fractions of what the two atoms would have."""

    def __init__(self, force: Any, table: np.ndarray, kind: Array, topology: Topology):
        atoms = table[np.asarray(kind)]
        self.pairs: list[tuple[int, int]] = []
        self.charge: list[float] = []
        self.depth: list[float] = []
        for e in range(force.getNumExceptions()):
            i, j, product, sigma, depth = force.getExceptionParameters(e)
            (qi, si, ei), (qj, sj, ej) = atoms[i], atoms[j]
            size_off = depth._value != 0.0 and abs(sigma._value - 0.5 * (si + sj)) > 1e-9
            full = float(np.sqrt(ei * ej))
            if size_off or (full == 0.0 and depth._value != 0.0):
                raise ArgumentError(
                    f"the exception of {topology.names[i]} and {topology.names[j]} has a "
                    "Lennard-Jones radius or depth of its own",
                    "only scaled 1-4 pairs are supported, as in AMBER and OPLS",
                )
            if qi * qj == 0.0 and product._value != 0.0:
                raise ArgumentError(
                    f"the exception of {topology.names[i]} and {topology.names[j]} has a charge "
                    "product, and one of them no charge"
                )
            self.pairs.append((i, j))
            self.charge.append(product._value / (qi * qj) if qi * qj else 0.0)
            self.depth.append(depth._value / full if full else 0.0)

    def rule(self, scales: list[float], cutoff: float | None, switch: float | None) -> PairRule:
        """Excluded where the fraction is zero, special elsewhere."""
        pairs, scale = np.asarray(self.pairs, np.int32).reshape(-1, 2), np.asarray(scales)
        special = scale != 0.0
        return PairRule.but(
            pairs[~special], pairs[special], scale[special], cutoff=cutoff, switch=switch
        )


def _mesh(system: Any, force: Any) -> tuple[float, tuple[int, int, int]]:
    """α and the mesh that OpenMM's Reference platform takes."""
    import openmm

    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    alpha, nx, ny, nz = force.getPMEParametersInContext(context)
    return float(alpha), (int(nx), int(ny), int(nz))


def _table(keys: Any, values: list[tuple[float, ...]]) -> tuple[Array, np.ndarray]:
    """Number equal keys alike; the values of each number."""
    kind, first = numbered(keys)
    return jnp.asarray(kind), np.asarray([values[place] for place in first], float)


def _int(rows: Any) -> Array:
    return jnp.asarray(np.asarray(rows, np.int32))
