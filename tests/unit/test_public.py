"""The public face: small, lazy, and all there."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import thalweg


def _names_for_type_checkers():
    tree = ast.parse(Path(thalweg.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom) and node.level]
    return {name.asname for node in imports for name in node.names}


def test_not_too_many_names():
    assert len(dir(thalweg)) <= 85


@pytest.mark.parametrize("name", dir(thalweg))
def test_every_name_is_there(name):
    assert getattr(thalweg, name) is not None


def test_type_checkers_see_the_same_names():
    assert _names_for_type_checkers() == set(thalweg._HOME)


def test_what_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'explroe'"):
        thalweg.explroe  # noqa: B018


def test_importing_it_loads_nothing_heavy():
    code = (
        "import sys, thalweg, thalweg.cli\n"
        "print(sorted({'jax', 'numpy', 'pandas', 'matplotlib', 'rich', 'ase'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_map_of_a_system_loads_neither_circuits_nor_statistics():
    """Each costs half a second and more before the first result."""
    code = (
        "import sys\n"
        "from thalweg.cli._map_flow import find_dynamics\n"
        "assert find_dynamics('lj7') is None\n"
        "import thalweg.workflows\n"
        "slow = {'diffrax', 'networkx', 'scipy.signal', 'scipy.stats', 'thalweg.circuits'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"
