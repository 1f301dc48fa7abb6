"""Labelled geometries in files: npz and extended xyz."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.core import KJ, METAL, ArgumentError, StoreError
from thalweg.forcefields.fitting import Dataset

from ._molecules import NM_PER_ANGSTROM

_EV = METAL.convert_energy(1.0, KJ)


def read_dataset(path: str | Path) -> Dataset:
    """Read labelled geometries.

    An extended xyz file is in Å and eV, as ASE reads it (energies under `energy`, forces under
    `forces`); frames without them are unlabelled. Its frames form one group unless they have a
    number `group` in their comment line.

    Args:
        path: A file `.npz` that `Dataset.save` wrote, or `.xyz` or `.extxyz`.

    Raises:
        StoreError: if it cannot be read.
        ArgumentError: if its frames are of different molecules; the frame is named.
    """
    path = Path(path)
    if path.suffix == ".npz":
        return Dataset.load(path)
    from ase.io import read

    try:
        frames: Any = read(path, index=":", format="extxyz")
    except Exception as error:  # whatever the parser stumbles over
        raise StoreError(f"{path} cannot be read as extended xyz: {error}") from error
    if not frames:
        raise StoreError(f"{path} holds no frame")
    numbers = frames[0].numbers
    for k, frame in enumerate(frames):
        if not np.array_equal(frame.numbers, numbers):
            raise ArgumentError(
                f"{path}: frame {k} has other atoms than frame 0",
                "a data set is of one molecule, its atoms always in the same order",
            )
    energies, forces = [], []
    for frame in frames:
        results = getattr(frame.calc, "results", {})
        energies.append(results.get("energy", frame.info.get("energy", np.nan)))
        forces.append(results.get("forces", np.full(frame.positions.shape, np.nan)))
    info = frames[0].info
    return Dataset.of(
        numbers,
        np.stack([frame.positions for frame in frames]) * NM_PER_ANGSTROM,
        energies=np.asarray(energies, float) * _EV,
        forces=np.stack(forces) * (_EV / NM_PER_ANGSTROM),
        method=str(info.get("method", f"file {path.name}")),
        groups=[int(frame.info.get("group", 0)) for frame in frames],
        reasons=[str(frame.info.get("reason", "")) for frame in frames],
        charge=int(info.get("charge", 0)),
        provenance={"file": path.name},
    )


def write_dataset(dataset: Dataset, path: str | Path) -> Path:
    """Write labelled geometries as `.npz`, or as extended xyz in Å and eV.

    Raises:
        ArgumentError: if the name ends in neither.
        StoreError: if it cannot be written.
    """
    path = Path(path)
    if path.suffix == ".npz":
        return dataset.save(path)
    if path.suffix not in (".xyz", ".extxyz"):
        raise ArgumentError(f"{path.name}: a data set ends in .npz, .xyz or .extxyz")
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import write

    frames = []
    for k in range(len(dataset)):
        atoms = Atoms(numbers=dataset.numbers, positions=dataset.positions[k] / NM_PER_ANGSTROM)
        atoms.info.update(
            group=int(dataset.groups[k]), method=dataset.method, charge=dataset.charge
        )
        if dataset.reasons[k]:
            atoms.info["reason"] = json.dumps(dataset.reasons[k])[1:-1]
        if dataset.labelled[k]:
            atoms.calc = SinglePointCalculator(
                atoms,
                energy=dataset.energies[k] / _EV,
                forces=dataset.forces[k] / (_EV / NM_PER_ANGSTROM),
            )
        frames.append(atoms)
    try:
        write(path, frames, format="extxyz")
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error}") from error
    return path
