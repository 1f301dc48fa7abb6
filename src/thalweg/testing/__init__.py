"""Conformance checks: the law that a plug-in must obey, for us and for plug-in authors."""

from ._energy_checks import check_energy as check_energy
