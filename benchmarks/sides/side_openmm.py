"""Energies and forces of alanine dipeptide with Amber14 on two platforms of OpenMM."""

from pathlib import Path

import numpy as np
import openmm
from openmm import app, unit
from rdkit import Chem
from rdkit.Chem import AllChem
from serve import repeated, serve

RESIDUES = {"ACE": ("CH3", "C", "O"), "ALA": ("N", "CA", "CB", "C", "O"), "NME": ("N", "C")}
READY = {}


def _platform(name):
    return openmm.Platform.getPlatformByName(name)


def prepare(folder, replicas):
    """The system as a file, the molecule and some structures as arrays."""
    molecule = Chem.AddHs(Chem.MolFromSmiles("CC(=O)N[C@@H](C)C(=O)NC"))
    AllChem.EmbedMolecule(molecule, randomSeed=7)
    topology = app.Topology()
    chain = topology.addChain()
    atoms = []
    for residue, names in RESIDUES.items():
        added = topology.addResidue(residue, chain)
        for name in names:
            element = app.Element.getBySymbol(molecule.GetAtomWithIdx(len(atoms)).GetSymbol())
            atoms.append(topology.addAtom(name, element, added))
    for bond in molecule.GetBonds():
        i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        if max(i, j) < len(atoms):
            topology.addBond(atoms[i], atoms[j])
    heavy = molecule.GetConformer().GetPositions()[: len(atoms)] / 10.0
    modeller = app.Modeller(topology, [openmm.Vec3(*x) for x in heavy] * unit.nanometer)
    forcefield = app.ForceField("amber14-all.xml")
    modeller.addHydrogens(forcefield, platform=_platform("Reference"))
    system = forcefield.createSystem(modeller.topology, nonbondedMethod=app.NoCutoff)
    Path(folder, "system.xml").write_text(openmm.XmlSerializer.serialize(system))
    x = np.asarray(modeller.positions.value_in_unit(unit.nanometer))
    shakes = 0.003 * np.sin(1.7 * np.arange(replicas * x.size)).reshape(replicas, *x.shape)
    np.savez(
        Path(folder, "molecule.npz"),
        x=x + shakes,
        numbers=[atom.element.atomic_number for atom in modeller.topology.atoms()],
        bonds=[(a.index, b.index) for a, b in modeller.topology.bonds()],
        masses=[atom.element.mass._value for atom in modeller.topology.atoms()],
    )
    return {"atoms": len(x)}


def _context(folder, model):
    if (folder, model) not in READY:
        system = openmm.XmlSerializer.deserialize(Path(folder, "system.xml").read_text())
        settings = {"Threads": "1"} if model == "CPU" else {}
        context = openmm.Context(
            system, openmm.VerletIntegrator(0.0005), _platform(model), settings
        )
        READY[folder, model] = (context, np.load(Path(folder, "molecule.npz"))["x"])
    return READY[folder, model]


def single(folder, model):
    """One call from Python: positions in, energy and forces out."""
    context, x = _context(folder, model)
    first = x[0]

    def call():
        context.setPositions(first)
        state = context.getState(getEnergy=True, getForces=True)
        return state.getPotentialEnergy()._value, state.getForces(asNumpy=True)

    return {"seconds": repeated(call), "energy": call()[0]}


def steps(folder, model):
    """One step of molecular dynamics, without leaving C++."""
    context, x = _context(folder, model)
    context.setPositions(x[0])
    context.setVelocities(np.zeros_like(x[0]))
    integrator = context.getIntegrator()
    return {"seconds": repeated(lambda: integrator.step(100)) / 100, "energy": None}


def many(folder, model):
    """All structures, one after another, from Python."""
    context, x = _context(folder, model)

    def call():
        for one in x:
            context.setPositions(one)
            state = context.getState(getEnergy=True, getForces=True)
            state.getForces(asNumpy=True)
        return state.getPotentialEnergy()._value

    return {"seconds": repeated(call) / len(x), "energy": call()}


serve({"prepare": prepare, "single": single, "steps": steps, "many": many})
