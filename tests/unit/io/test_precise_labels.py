"""Reference landscapes of molecules keep their soft torsions."""

import numpy as np
import pytest

pytest.importorskip("tblite")
pytest.importorskip("rdkit")

from thalweg.core import Outcome
from thalweg.io import Xtb, label_system, molecule
from thalweg.search import certify_many, quench_many


@pytest.mark.slow
def test_methyl_groups_are_no_zero_modes():
    """The softest curvature of acetone is 1e-5 of the stiffest: its methyl groups turn easily."""
    acetone = molecule("CH3COCH3")
    built = label_system(acetone.numbers, acetone.positions, Xtb())
    start = acetone.positions.reshape(1, -1)
    start = start + 0.005 * np.sin(np.arange(start.size))  # its C2v conformer is a saddle
    ended = quench_many(built, start)
    (point,) = certify_many(built, np.asarray(ended.x), 0)
    assert point.certificate.outcome is Outcome.success
    assert point.certificate.zero_modes == 6
    assert min(point.certificate.curvatures) > 1.0
