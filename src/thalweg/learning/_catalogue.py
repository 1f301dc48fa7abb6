"""Families of the catalogue: losses of models, by name."""

from thalweg.energies import Family

from ._data_families import DATA_FAMILIES

FAMILIES: tuple[Family, ...] = (*DATA_FAMILIES,)
