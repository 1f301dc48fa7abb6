"""Fitting force fields to labels, and judging them.

- `Dataset`: labelled geometries of one molecule.
"""

from ._dataset import KCAL as KCAL
from ._dataset import KCAL_ANGSTROM as KCAL_ANGSTROM
from ._dataset import Dataset as Dataset
from ._fit import Fit as Fit
from ._fit import FitConfig as FitConfig
from ._fit import FitProgress as FitProgress
from ._fit import fit_forcefield as fit_forcefield
from ._loss import misfits as misfits
from ._parameters import Parameters as Parameters
