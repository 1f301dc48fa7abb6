"""Losses as energies: the landscape of a fit, its symmetry, and what its solutions predict."""

from ._triatomic import TRIATOMIC_CLASSES as TRIATOMIC_CLASSES
from ._triatomic import TriatomicOutcomes as TriatomicOutcomes
from ._triatomic import read_ljat3 as read_ljat3
from ._triatomic import triatomic_outcomes as triatomic_outcomes
from ._triatomic import triatomic_system as triatomic_system
