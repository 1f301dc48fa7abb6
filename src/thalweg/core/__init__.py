"""The nouns that everything shares.

- `AbstractEnergy`: a scalar field (`FunctionEnergy`, `SumEnergy`, `HostEnergy` for functions
  outside JAX, `AbstractLaneEnergy` for those that evaluate many points at once).
- `AbstractDynamics`: a vector field (`GradientFlow`); `AbstractMap`: a step in discrete time
  (`EulerMap`).
- `AbstractNoisyWeight`, `AbstractNoisyEnergy`, `AbstractOracle`: noisy measurements.
- `AbstractSpace`: what a flat point stands for (`FreeSpace`, `PeriodicSpace`, `SphereSpace`,
  `FlatSpace` for any pytree).
- `AbstractSymmetry`: invariances (`NoSymmetry`, `ClusterSymmetry`, `PeriodicSymmetry`,
  `SphereSymmetry`, `HypersphereSymmetry`, `NetworkSymmetry`, `SignedPermutationSymmetry` for any
  finite group of signed permutations); `Operation`: one element of such a group.
- `AbstractStart`: where searches begin.
- `System`: all of these together.
- `AbstractSolver`: an iteration, run by `Lanes`, `solve_many` or `solve`.
- `Outcome`, `Solution`: how it ended. `Certificate`: proof that a point is what it is called.

Energies are seen through `value_and_grad`, `hvp` and `hessian` only. Points are flat; blocks of
points carry *lanes* as trailing axes.
"""

from ._blas import serial_blas as serial_blas
from ._certificate import Certificate as Certificate
from ._check_energy import check_curvature as check_curvature
from ._check_energy import check_energy as check_energy
from ._cluster_symmetry import ClusterSymmetry as ClusterSymmetry
from ._dynamics import AbstractDynamics as AbstractDynamics
from ._dynamics import AbstractMap as AbstractMap
from ._dynamics import EulerMap as EulerMap
from ._dynamics import GradientFlow as GradientFlow
from ._dynamics import jacobian as jacobian
from ._energy import AbstractEnergy as AbstractEnergy
from ._energy import AbstractLaneEnergy as AbstractLaneEnergy
from ._energy import FunctionEnergy as FunctionEnergy
from ._energy import SumEnergy as SumEnergy
from ._energy import expansion as expansion
from ._energy import hessian as hessian
from ._energy import hvp as hvp
from ._energy import value_and_grad as value_and_grad
from ._errors import ArgumentError as ArgumentError
from ._errors import EnergyError as EnergyError
from ._errors import PrecisionError as PrecisionError
from ._errors import SolveError as SolveError
from ._errors import StoreError as StoreError
from ._errors import StoreMismatchError as StoreMismatchError
from ._errors import StoreVersionError as StoreVersionError
from ._errors import ThalwegError as ThalwegError
from ._errors import UnknownSystemError as UnknownSystemError
from ._errors import require_x64 as require_x64
from ._finite_symmetry import SignedPermutation as SignedPermutation
from ._finite_symmetry import SignedPermutationSymmetry as SignedPermutationSymmetry
from ._folders import data_folder as data_folder
from ._host_call import host_call as host_call
from ._host_energy import HostEnergy as HostEnergy
from ._hypersphere import HypersphereSymmetry as HypersphereSymmetry
from ._lane_kernel import LaneKernel as LaneKernel
from ._lane_words import LANE_WIDTH as LANE_WIDTH
from ._lane_words import lane_buffer as lane_buffer
from ._lane_words import lane_exp as lane_exp
from ._lane_words import lane_gather as lane_gather
from ._lane_words import lane_load as lane_load
from ._lane_words import lane_operand as lane_operand
from ._lane_words import lane_result as lane_result
from ._lane_words import lane_round as lane_round
from ._lane_words import lane_scatter as lane_scatter
from ._lane_words import lane_sqrt as lane_sqrt
from ._lane_words import lane_store as lane_store
from ._lane_words import lane_where as lane_where
from ._lane_words import lane_zero as lane_zero
from ._lanes import RUNNING as RUNNING
from ._lanes import AbstractSolver as AbstractSolver
from ._lanes import AbstractState as AbstractState
from ._lanes import Finished as Finished
from ._lanes import Lanes as Lanes
from ._lanes import rms as rms
from ._lanes import solve as solve
from ._lanes import solve_many as solve_many
from ._network_layers import HiddenLayer as HiddenLayer
from ._network_layers import Monomial as Monomial
from ._network_symmetry import NetworkSymmetry as NetworkSymmetry
from ._noisy import AbstractNoisyEnergy as AbstractNoisyEnergy
from ._noisy import AbstractNoisyWeight as AbstractNoisyWeight
from ._noisy import AbstractOracle as AbstractOracle
from ._operation import Operation as Operation
from ._periodic_symmetry import PeriodicSymmetry as PeriodicSymmetry
from ._random import as_key as as_key
from ._record_file import RecordFile as RecordFile
from ._result import Outcome as Outcome
from ._result import Solution as Solution
from ._shapes import Array as Array
from ._shapes import Block as Block
from ._shapes import Bool as Bool
from ._shapes import Count as Count
from ._shapes import Flag as Flag
from ._shapes import Float as Float
from ._shapes import Int as Int
from ._shapes import Point as Point
from ._shapes import PRNGKey as PRNGKey
from ._shapes import Scalar as Scalar
from ._shapes import Value as Value
from ._space import AbstractSpace as AbstractSpace
from ._space import FlatSpace as FlatSpace
from ._space import FreeSpace as FreeSpace
from ._space import PeriodicSpace as PeriodicSpace
from ._space import SphereSpace as SphereSpace
from ._space import retract_rows as retract_rows
from ._sphere_symmetry import SphereSymmetry as SphereSymmetry
from ._start import AbstractStart as AbstractStart
from ._start import BallStart as BallStart
from ._start import BoundsStart as BoundsStart
from ._start import BoxStart as BoxStart
from ._start import NormalStart as NormalStart
from ._symmetry import AbstractSymmetry as AbstractSymmetry
from ._symmetry import NoSymmetry as NoSymmetry
from ._system import System as System
from ._system import fingerprint as fingerprint
from ._system import probes as probes
from ._system import start_points as start_points
from ._units import ATOMIC as ATOMIC
from ._units import KCAL as KCAL
from ._units import KJ as KJ
from ._units import METAL as METAL
from ._units import REDUCED as REDUCED
from ._units import Units as Units
from ._units import energy_unit_boltzmann as energy_unit_boltzmann
