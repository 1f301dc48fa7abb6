"""The law for energies: what a plug-in's system must pass."""

from thalweg.core import check_energy as check_energy
