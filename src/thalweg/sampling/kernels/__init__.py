"""Markov kernels, one file each: its citation, the law that it leaves invariant, and the code."""

from ._kernel import AbstractKernel as AbstractKernel
from ._kernel import AbstractProposal as AbstractProposal
from ._kernel import Info as Info
from ._kernel import NormalMove as NormalMove
from ._kernel import RingMove as RingMove
from ._kernel import UniformMove as UniformMove
from ._kernel import Walk as Walk
from ._kernel import draw_log_weight as draw_log_weight
from ._metropolis import Metropolis as Metropolis
from ._oracle import AcceptIfPass as AcceptIfPass
from ._stored import StoredWeight as StoredWeight
from ._legal import check_pair as check_pair
from ._legal import find_kernel as find_kernel
from ._legal import kernel_names as kernel_names
