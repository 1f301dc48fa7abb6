"""Labelled geometries of one molecule: what force fields are fitted to and judged by."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from thalweg.core import KJ, ArgumentError, StoreError

_VERSION = 1
_SHOWN = 5
"""Frames in a message."""

KCAL = 4.184
"""One kcal/mol in kJ/mol."""

KCAL_ANGSTROM = 41.84
"""One kcal/(mol Å) in kJ/(mol nm)."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Dataset:
    """Geometries of one molecule with their energies and forces.

    Energies are in kJ/mol, lengths in nm. The zero of energy is the method's own: fits and errors
    take out a constant. A frame whose label failed has NaN, and its reason.

    Attributes:
        numbers: Atomic numbers, `(n,)`.
        positions: `(m, n, 3)`, in nm.
        energies: `(m,)`, in kJ/mol.
        forces: `(m, n, 3)`, in kJ/(mol nm).
        method: What the labels were computed by, with its version; empty: unlabelled.
        groups: Trajectory or other origin of each frame, `(m,)`: frames of one group are alike, so
            a split never tears a group apart.
        reasons: Why a frame has no label; empty strings for the others.
        charge: Total charge, in elementary charges.
        provenance: Anything else worth knowing, as JSON can hold it.
    """

    numbers: np.ndarray
    positions: np.ndarray
    energies: np.ndarray
    forces: np.ndarray
    method: str
    groups: np.ndarray
    reasons: tuple[str, ...]
    charge: int = 0
    provenance: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(  # noqa: PLR0913 - all but two have defaults
        cls,
        numbers: Sequence[int] | np.ndarray,
        positions: np.ndarray,
        *,
        energies: np.ndarray | None = None,
        forces: np.ndarray | None = None,
        method: str = "",
        groups: Sequence[int] | np.ndarray | None = None,
        reasons: Sequence[str] | None = None,
        charge: int = 0,
        provenance: Mapping[str, Any] | None = None,
    ) -> "Dataset":
        """A data set from arrays; what is not given is unlabelled, and one group.

        Args:
            numbers: Atomic numbers.
            positions: `(m, n, 3)`, or one geometry `(n, 3)`, in nm.
            energies: `(m,)`, in kJ/mol.
            forces: `(m, n, 3)`, in kJ/(mol nm).
            method: What the labels were computed by.
            groups: Trajectory of each frame.
            reasons: Why a frame has no label.
            charge: Total charge.
            provenance: Anything else, as JSON can hold it.

        Raises:
            ArgumentError: if shapes do not belong together.
        """
        x = np.asarray(positions, float)
        x = x[None] if x.ndim == 2 else x
        count = len(x)
        return cls(
            numbers=np.asarray(numbers, np.int32),
            positions=x,
            energies=np.full(count, np.nan) if energies is None else np.asarray(energies, float),
            forces=np.full(x.shape, np.nan) if forces is None else np.asarray(forces, float),
            method=method,
            groups=np.zeros(count, np.int32) if groups is None else np.asarray(groups, np.int32),
            reasons=tuple(reasons or [""] * count),
            charge=int(charge),
            provenance=dict(provenance or {}),
        )

    def __post_init__(self) -> None:
        m, n = len(self), len(self.numbers)
        wanted = {"positions": (m, n, 3), "energies": (m,), "forces": (m, n, 3), "groups": (m,)}
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                raise ArgumentError(
                    f"{name} has shape {getattr(self, name).shape}, expected {shape}",
                    f"there are {m} frames of {n} atoms",
                )
        if len(self.reasons) != m:
            raise ArgumentError(f"reasons has {len(self.reasons)} entries for {m} frames")

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, which: Any) -> "Dataset":
        """Some frames: a slice, indices or a mask."""
        rows = np.atleast_1d(np.arange(len(self))[which])
        return dataclasses.replace(
            self,
            positions=self.positions[rows],
            energies=self.energies[rows],
            forces=self.forces[rows],
            groups=self.groups[rows],
            reasons=tuple(self.reasons[row] for row in rows),
        )

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.numbers)

    @property
    def labelled(self) -> np.ndarray:
        """Which frames have a finite energy and finite forces, `(m,)`."""
        return np.isfinite(self.energies) & np.all(np.isfinite(self.forces), axis=(1, 2))

    @property
    def points(self) -> Float[np.ndarray, "m dof"]:
        """The positions as flat points."""
        return self.positions.reshape(len(self), -1)

    @property
    def fingerprint(self) -> str:
        """Digest of atoms, geometries, labels and method."""
        digest = hashlib.sha256(f"{self.method};{self.charge}".encode())
        for array in (self.numbers, self.positions, self.energies, self.forces, self.groups):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]

    def usable(self) -> "Dataset":
        """Only the frames that have a label; that some are left out is written down."""
        kept = self[self.labelled]
        lost = len(self) - len(kept)
        return dataclasses.replace(kept, provenance={**self.provenance, "left_out": lost})

    def require_labels(self, name: str) -> None:
        """Refuse frames without a label or with coordinates that are no numbers.

        Args:
            name: What the set is called in the message.

        Raises:
            ArgumentError: naming the first frames, and why they have none.
        """
        if not len(self):
            raise ArgumentError(f"{name} has no frame")
        lost = np.flatnonzero(~np.all(np.isfinite(self.positions), axis=(1, 2)))
        if len(lost):
            atom = int(np.argwhere(~np.isfinite(self.positions[lost[0]]))[0, 0])
            raise ArgumentError(f"{name}: frame {lost[0]}: atom {atom} has no finite position")
        bare = np.flatnonzero(~self.labelled)
        if len(bare):
            named = ", ".join(map(str, bare[:_SHOWN])) + (", …" if len(bare) > _SHOWN else "")
            reason = self.reasons[bare[0]] or "its energy or a force is missing or not finite"
            raise ArgumentError(
                f"{name}: {len(bare)} of {len(self)} frames have no label: frame {named} "
                f"({reason})",
                f"leave them out with {name}.usable(), or label them",
            )

    def split(self, *shares: float, frames: bool = False) -> tuple["Dataset", ...]:
        """Cut into parts of about these shares, by whole groups in their order.

        Args:
            shares: Such as `0.8, 0.1, 0.1`.
            frames: Cut single frames in their order instead: neighbours of a trajectory then sit
                on both sides of a cut, which flatters a model.

        Raises:
            ArgumentError: if there are fewer groups than parts, or a share is not positive.
        """
        if min(shares) <= 0:
            raise ArgumentError(f"shares {shares} must be positive")
        labels = np.arange(len(self)) if frames else self.groups
        names, first = np.unique(labels, return_index=True)
        names = names[np.argsort(first)]
        if len(names) < len(shares):
            raise ArgumentError(
                f"{len(names)} groups cannot be cut into {len(shares)} parts",
                "sample independent trajectories, or pass frames=True and know what that means",
            )
        edges = np.round(np.cumsum(shares) / sum(shares) * len(names)).astype(int)
        # No part is empty.
        for k in range(len(edges)):
            low = edges[k - 1] + 1 if k else 1
            edges[k] = min(max(edges[k], low), len(names) - (len(edges) - 1 - k))
        parts = np.split(names, edges[:-1])
        return tuple(self[np.isin(labels, part)] for part in parts)

    @staticmethod
    def join(parts: Sequence["Dataset"]) -> "Dataset":
        """Several sets of one molecule and method as one; each part's groups stay apart.

        Raises:
            ArgumentError: if atoms, charge or method differ.
        """
        if not parts:
            raise ArgumentError("there is nothing to join")
        first, groups, shift = parts[0], [], 0
        for k, part in enumerate(parts):
            same = np.array_equal(part.numbers, first.numbers) and part.charge == first.charge
            if not same or part.method != first.method:
                raise ArgumentError(
                    f"part {k} has other atoms, charge or method than part 0",
                    f"methods: {first.method!r} and {part.method!r}",
                )
            groups.append(part.groups + shift)
            shift += int(part.groups.max(initial=-1)) + 1
        return dataclasses.replace(
            first,
            positions=np.concatenate([part.positions for part in parts]),
            energies=np.concatenate([part.energies for part in parts]),
            forces=np.concatenate([part.forces for part in parts]),
            groups=np.concatenate(groups).astype(np.int32),
            reasons=tuple(reason for part in parts for reason in part.reasons),
        )

    def save(self, path: str | Path) -> Path:
        """Write as one npz file.

        Raises:
            StoreError: if it cannot be written.
        """
        path = Path(path)
        facts = {
            "format": "thalweg-dataset",
            "version": _VERSION,
            "units": {"energy": KJ.energy, "length": KJ.length},
            "method": self.method,
            "charge": self.charge,
            "reasons": list(self.reasons),
            "provenance": dict(self.provenance),
        }
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        partial = path.with_name(f".{path.name}.part.npz")
        try:
            np.savez_compressed(partial, facts=np.asarray(json.dumps(facts)), **arrays)
            partial.replace(path)
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error}") from error
        return path

    @staticmethod
    def load(path: str | Path) -> "Dataset":
        """Read what `save` wrote.

        Raises:
            StoreError: if the file is none of these.
        """
        try:
            with np.load(Path(path), allow_pickle=False) as file:
                facts = json.loads(str(file["facts"]))
                arrays = {name: file[name] for name in _ARRAYS}
        except (OSError, KeyError, ValueError) as error:
            raise StoreError(
                f"{path} holds no labelled geometries: {error}", "Dataset.save writes such files"
            ) from error
        if facts.get("format") != "thalweg-dataset" or facts.get("version", 0) > _VERSION:
            raise StoreError(f"{path} holds no labelled geometries that this version can read")
        return Dataset(
            **arrays,
            method=facts["method"],
            reasons=tuple(facts["reasons"]),
            charge=facts["charge"],
            provenance=facts["provenance"],
        )


_ARRAYS = ("numbers", "positions", "energies", "forces", "groups")
