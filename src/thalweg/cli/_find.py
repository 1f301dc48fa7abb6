"""From what the user typed to a system.

| typed | means |
|---|---|
| `lj13` | the catalogue |
| `package.module:name` | a `System`, or a function without arguments that returns one |
| `path/to/file.py:name` | the same in a file |
| `cluster.xyz` | a structure, with `--energy` naming its force field or ASE calculator |
"""

import difflib
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ._talk import CliError

if TYPE_CHECKING:
    from thalweg.core import System

_STRUCTURES = {".xyz", ".extxyz", ".pdb", ".cif", ".vasp", ".traj", ".gen"}


def default_store(text: str) -> str:
    """A file name for the landscape of what the user typed."""
    base = Path(text).stem if is_structure(text) else text.rpartition(":")[2]
    return (re.sub(r"[^\w.+-]+", "-", base.strip().lower()).strip("-.") or "landscape") + ".db"


def is_structure(text: str) -> bool:
    """Whether this names a file of atoms."""
    return Path(text).suffix.lower() in _STRUCTURES and ":" not in Path(text).name


def check_system(text: str, energy: str | None) -> None:
    """Refuse what can be seen to be wrong before any library is loaded.

    Raises:
        CliError: if a file is missing, or `--energy` is missing or out of place.
    """
    if is_structure(text):
        if not Path(text).is_file():
            raise CliError(f"there is no file {text}", "check the name")
        if energy is None:
            raise CliError(
                f"{text} holds atoms, and no energy was given",
                "add --energy mmff (organic molecules), amber14 (PDB files), a force field's "
                ".npz file, emt, lj, or module:function for any other ASE calculator",
            )
    elif energy is not None:
        raise CliError(
            f"--energy goes with a file of atoms, and {text!r} is none",
            "name an .xyz file, or leave --energy out",
        )
    elif text.endswith(".py"):
        raise CliError(f"which system in {text}?", f"write {text}:NAME")
    elif ":" not in text and (Path(text).suffix == ".db" and Path(text).is_file()):
        raise CliError(
            f"{text} is a landscape store, not a system",
            f"`thalweg info {text}` says what is in it; to go on mapping: thalweg map SYSTEM -o "
            f"{text}",
        )


def find_system(text: str, energy: str | None, processes: int | None) -> "System":
    """The system that the user means; JAX is loaded from here on.

    Args:
        text: What the user typed.
        energy: What `--energy` says.
        processes: Processes that evaluate an ASE calculator.

    Raises:
        CliError: if there is no such thing, or it is no system.
        ThalwegError: if the catalogue or ASE refuses it.
    """
    check_system(text, energy)
    if is_structure(text):
        return _from_structure(Path(text), energy or "", processes or 1)
    if ":" in text:
        return _from_object(text)
    from thalweg.energies import system

    return system(text)


def load_object(text: str) -> Any:
    """What `package.module:name` or `path/to/file.py:name` names.

    Raises:
        CliError: if the module or the name is missing, or the module cannot be imported.
    """
    where, _, name = text.rpartition(":")
    module = _module_from_file(Path(where)) if where.endswith(".py") else _module_by_name(where)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            public = [known for known in vars(found) if not known.startswith("_")]
            close = difflib.get_close_matches(part, public, n=3)
            raise CliError(
                f"{where} has no {name!r}",
                f"did you mean {' or '.join(close)}?" if close else f"it has {', '.join(public)}",
            )
        found = getattr(found, part)
    return found


def _module_from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise CliError(f"there is no file {path}", "check the name")
    # Worker processes must find the module again, so let its folder be a place to import from.
    sys.path.append(str(path.parent.resolve()))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise CliError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    loader = spec.loader
    _guarded(lambda: loader.exec_module(module), f"{path} cannot be run")
    return module


def _module_by_name(name: str) -> ModuleType:
    sys.path.insert(0, "")
    try:
        return _guarded(lambda: importlib.import_module(name), f"{name} cannot be imported")
    except ModuleNotFoundError as error:
        raise CliError(
            f"there is no module {error.name!r}", "is it installed, or in this folder?"
        ) from error


def _guarded(work: Callable[[], Any], what: str) -> Any:
    """Errors in the user's own code, told as such."""
    try:
        return work()
    except ModuleNotFoundError:
        raise
    except Exception as error:
        if _is_ours(error):
            raise
        raise CliError(
            f"{what}: {type(error).__name__}: {error}", "run again with --traceback to see where"
        ) from error


def _is_ours(error: Exception) -> bool:
    from thalweg.core import ThalwegError

    return isinstance(error, CliError | ThalwegError)


def _from_object(text: str) -> "System":
    from thalweg.core import System

    found = load_object(text)
    if not isinstance(found, System) and callable(found):
        if _needs_arguments(found):
            raise CliError(
                f"{text} is a function that needs arguments, expected a System or a function "
                "without arguments that returns one",
                f"if it is an energy: system = thalweg.System({text.rpartition(':')[2]}, "
                "shape=(13, 3)), and name that",
            )
        found = _guarded(found, f"{text} failed")
    if not isinstance(found, System):
        raise CliError(
            f"{text} is a {type(found).__name__}, expected a thalweg.System",
            "make one: system = thalweg.System(energy, shape=(13, 3))",
        )
    return found


def _needs_arguments(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind()
    except TypeError:
        return True
    except ValueError:  # built in: no signature to look at
        return False
    return False


def _from_structure(path: Path, energy: str, processes: int) -> "System":
    """Atoms from a file with a force field or an ASE calculator."""
    from thalweg.io import FORCEFIELDS, system_from_ase, system_from_structure

    if energy.lower() in FORCEFIELDS:
        return system_from_structure(path, energy.lower())
    if energy.endswith(".npz"):
        return system_from_structure(path, energy)
    try:
        import ase.io
    except ModuleNotFoundError as error:
        raise CliError("files of atoms need ASE", "pip install 'thalweg[ase]'") from error
    try:
        atoms: Any = ase.io.read(path)
    except Exception as error:
        raise CliError(f"{path} cannot be read: {type(error).__name__}: {error}") from error
    return system_from_ase(atoms, calculator(energy), name=path.stem, workers=processes)


def calculator(energy: str) -> Callable[[], Any]:
    """The function that makes the ASE calculator behind `--energy`.

    Raises:
        CliError: if there is none of that name.
    """
    if ":" in energy:
        made = load_object(energy)
        if callable(made):
            return made
        raise CliError(
            f"--energy {energy} is a {type(made).__name__}, expected a function that makes an "
            "ASE calculator"
        )
    if energy.lower() == "emt":
        from ase.calculators.emt import EMT

        return EMT
    if energy.lower() == "lj":
        return unit_lennard_jones
    raise CliError(
        f"no energy is called {energy!r}",
        "use mmff, amber14, an .npz file of `thalweg fit`, emt, lj, or module:function for a "
        "function that makes an ASE calculator",
    )


def unit_lennard_jones() -> Any:
    """ASE's Lennard-Jones calculator, ε = σ = 1, without a cutoff that an atom could cross."""
    from ase.calculators.lj import LennardJones

    return LennardJones(rc=1e3, ro=1e3 - 1)
