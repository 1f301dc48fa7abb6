"""Losses as energies: the landscape of a fit, its symmetry, and what its solutions predict."""
