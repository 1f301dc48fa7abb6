"""Flows and maps: where they rest, how stable each rest is, and how far that holds.

- `fixed_points` finds the rests of any `AbstractDynamics` or `AbstractMap` from many starts;
  `FixedPoints` holds them with their spectra, `Newton` says how they are searched for.
- `certify` says how stable each one is, what proves it and what is not proved
  (`StabilityCertificate`, `CertifiedPoint`, `Verdict`).
- `certify_batch` does it for many circuits of one shape at once (`BatchCertificate`).
- `AbstractCircuit` is a flow that knows theorems about itself (`Theorem`, `LocalProof`).
- `spectrum`, `margin`, `damping_ratios`, `frequencies`, `critical_step`, `margin_error`
  (`SpectralError`): reading a linearisation.
- `matrix_measure`, `diagonal_metric` (`DiagonalMetric`): contraction.

No concrete system lives here; `thalweg.circuits` has some.
"""

from ._batch import BatchCertificate as BatchCertificate
from ._batch import certify_batch as certify_batch
from ._certify import CertifiedPoint as CertifiedPoint
from ._certify import StabilityCertificate as StabilityCertificate
from ._certify import Verdict as Verdict
from ._certify import certify as certify
from ._circuit import AbstractCircuit as AbstractCircuit
from ._circuit import LocalProof as LocalProof
from ._circuit import Theorem as Theorem
from ._fixed_points import FixedPoints as FixedPoints
from ._fixed_points import fixed_points as fixed_points
from ._measure import DiagonalMetric as DiagonalMetric
from ._measure import diagonal_metric as diagonal_metric
from ._measure import matrix_measure as matrix_measure
from ._newton import Newton as Newton
from ._spectrum import SpectralError as SpectralError
from ._spectrum import critical_step as critical_step
from ._spectrum import damping_ratios as damping_ratios
from ._spectrum import frequencies as frequencies
from ._spectrum import margin as margin
from ._spectrum import margin_error as margin_error
from ._spectrum import spectrum as spectrum
