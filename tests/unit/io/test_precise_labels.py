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
    acetone = molecule("acetone")
    built = label_system(acetone.numbers, acetone.positions, Xtb())
    ended = quench_many(built, acetone.positions.reshape(1, -1))
    (point,) = certify_many(built, np.asarray(ended.x), 0)
    assert point.certificate.outcome is Outcome.success
    assert point.certificate.zero_modes == 6
    assert min(point.certificate.curvatures) > 1.0
