"""Families of the catalogue: losses of models, by name."""

from thalweg.energies import Family

FAMILIES: tuple[Family, ...] = ()
