"""Fitting force fields to labels, and judging them.

Data, in kJ/mol and nm:

- `Dataset`: labelled geometries of one molecule; `thalweg.io.label` makes the labels.
- `rattled`, `along_modes`, `torsion_scan`, `heated`: geometries worth labelling;
  `thalweg.forcefields.md` follows a molecule in time.

Fits:

- `fit_forcefield` (`FitConfig`, `FitProgress`, `Fit`): by Adam or Gauss-Newton,
  with priors on what has a physical meaning (`Parameters`).
- `affordable_steps`: a config for a given time.
- `fit_committee`, `disagreement` (`Disagreement`), `select`, `calibration`:
  several fits, what they disagree about, and what to label next.
- `Posterior`: parameters given data, a noisy energy for `thalweg.sampling`.

Judgement, in kcal/mol and Å:

- `measure` (`MeasureConfig`, `Measurement`): errors in and out of distribution, speed, survival,
  drift; `accuracy` (`Accuracy`), `speed` (`Speed`) and `misfits` alone.
- `pareto`, `Front`: which force fields no other beats.
"""

from ._afford import affordable_steps as affordable_steps
from ._committee import Disagreement as Disagreement
from ._committee import calibration as calibration
from ._committee import disagreement as disagreement
from ._committee import fit_committee as fit_committee
from ._committee import select as select
from ._dataset import KCAL as KCAL
from ._dataset import KCAL_ANGSTROM as KCAL_ANGSTROM
from ._dataset import Dataset as Dataset
from ._fit import Fit as Fit
from ._fit import FitConfig as FitConfig
from ._fit import FitProgress as FitProgress
from ._fit import fit_forcefield as fit_forcefield
from ._front import CHEMICAL_ACCURACY as CHEMICAL_ACCURACY
from ._front import Front as Front
from ._front import pareto as pareto
from ._geometries import along_modes as along_modes
from ._geometries import conformers as conformers
from ._geometries import heated as heated
from ._geometries import rattled as rattled
from ._geometries import torsion_scan as torsion_scan
from ._loss import misfits as misfits
from ._measure import Accuracy as Accuracy
from ._measure import MeasureConfig as MeasureConfig
from ._measure import Measurement as Measurement
from ._measure import Speed as Speed
from ._measure import accuracy as accuracy
from ._measure import measure as measure
from ._measure import speed as speed
from ._parameters import Parameters as Parameters
from ._posterior import Posterior as Posterior
