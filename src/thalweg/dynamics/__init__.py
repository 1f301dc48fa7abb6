"""Flows and maps: where they rest, how stable each rest is, and how far that holds.

Where it rests, and how stable that is:

- `fixed_points` finds the rests of any `AbstractDynamics` or `AbstractMap` from many starts;
  `FixedPoints` holds them with their spectra, `Newton` says how they are searched for.
- `certify` says how stable each one is, what proves it and what is not proved
  (`StabilityCertificate`, `CertifiedPoint`, `Verdict`).
- `certify_batch` does it for many circuits of one shape at once (`BatchCertificate`).
- `AbstractCircuit` is a flow that knows theorems about itself (`Theorem`, `LocalProof`).
- `spectrum`, `margin`, `damping_ratios`, `frequencies`, `critical_step`, `margin_error`
  (`SpectralError`): reading a linearisation.
- `matrix_measure`, `diagonal_metric` (`DiagonalMetric`): contraction.

How far that holds:

- `simulate` follows a flow, a map or a flow under `WhiteNoise` from many starts (`Trajectories`).
- `reach` counts how many starts come to each attractor, blow up or stay undecided (`Reach`);
  `recognise_cycle` tells whether a path has come to a `Cycle`, `floquet_multipliers`
  (`FloquetMultipliers`) whether that attracts.
- `continuation` follows a fixed point as a parameter moves (`Branch`, `Bifurcation`,
  `switch_branch`, `StepRule`); `fold_curve` and `hopf_curve` draw the borders between regimes in
  two parameters (`BifurcationCurve`).
- `lyapunov_spectrum` (`LyapunovSpectrum`, `kaplan_yorke`): chaos, and its dimension.
- `linear_noise` (`LinearNoise`): covariance, spectra and coherence about a fixed point;
  `measured_spectrum` (`MeasuredSpectrum`): those of simulated paths.
- `entropy_production`, `measured_entropy_production`: how far from equilibrium.

No concrete system lives here; `thalweg.circuits` has some.
"""

from ._arclength import StepRule as StepRule
from ._batch import BatchCertificate as BatchCertificate
from ._batch import certify_batch as certify_batch
from ._certify import CertifiedPoint as CertifiedPoint
from ._certify import StabilityCertificate as StabilityCertificate
from ._certify import Verdict as Verdict
from ._certify import certify as certify
from ._circuit import AbstractCircuit as AbstractCircuit
from ._circuit import LocalProof as LocalProof
from ._circuit import Theorem as Theorem
from ._continuation import Bifurcation as Bifurcation
from ._continuation import Branch as Branch
from ._continuation import continuation as continuation
from ._continuation import switch_branch as switch_branch
from ._curves import BifurcationCurve as BifurcationCurve
from ._curves import fold_curve as fold_curve
from ._curves import hopf_curve as hopf_curve
from ._cycle import Cycle as Cycle
from ._cycle import recognise_cycle as recognise_cycle
from ._entropy import EntropyProduction as EntropyProduction
from ._entropy import MeasuredEntropyProduction as MeasuredEntropyProduction
from ._entropy import entropy_production as entropy_production
from ._entropy import measured_entropy_production as measured_entropy_production
from ._fixed_points import FixedPoints as FixedPoints
from ._fixed_points import fixed_points as fixed_points
from ._floquet import FloquetMultipliers as FloquetMultipliers
from ._floquet import floquet_multipliers as floquet_multipliers
from ._hopf import first_lyapunov_coefficient as first_lyapunov_coefficient
from ._lyapunov import LyapunovSpectrum as LyapunovSpectrum
from ._lyapunov import kaplan_yorke as kaplan_yorke
from ._lyapunov import lyapunov_spectrum as lyapunov_spectrum
from ._measure import DiagonalMetric as DiagonalMetric
from ._measure import diagonal_metric as diagonal_metric
from ._measure import matrix_measure as matrix_measure
from ._newton import Newton as Newton
from ._noise import LinearNoise as LinearNoise
from ._noise import MeasuredSpectrum as MeasuredSpectrum
from ._noise import coherence as coherence
from ._noise import linear_noise as linear_noise
from ._noise import measured_spectrum as measured_spectrum
from ._noise import spectral_density as spectral_density
from ._noise import stationary_covariance as stationary_covariance
from ._reach import BLOWN_UP as BLOWN_UP
from ._reach import NONFINITE as NONFINITE
from ._reach import UNDECIDED as UNDECIDED
from ._reach import Reach as Reach
from ._reach import Share as Share
from ._reach import reach as reach
from ._reach import wilson_interval as wilson_interval
from ._simulate import SOLVERS as SOLVERS
from ._simulate import simulate as simulate
from ._spectrum import SpectralError as SpectralError
from ._spectrum import critical_step as critical_step
from ._spectrum import damping_ratios as damping_ratios
from ._spectrum import frequencies as frequencies
from ._spectrum import margin as margin
from ._spectrum import margin_error as margin_error
from ._spectrum import spectrum as spectrum
from ._trajectories import Trajectories as Trajectories
from ._white_noise import WhiteNoise as WhiteNoise
