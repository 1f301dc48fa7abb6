"""Recurrent circuits whose stability is certified, and their training."""

from ._organics import Organics as Organics
from ._organics import effective_time_constants as effective_time_constants
from ._organics import stack as stack
from ._scalar import principal_branch as principal_branch
from ._scalar import scalar_fixed_points as scalar_fixed_points
