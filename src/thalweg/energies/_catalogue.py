"""The catalogue: from a name such as `lj13` to a system.

A family is a pattern, an example, one line of description and a function that builds the system.
Packages add to it by entry points. In the group `thalweg.systems` the name is the system's name,
the value a function without arguments that returns a `System`; in the group
`thalweg.system_families` the value is a sequence of `Family`.
"""

import dataclasses
import difflib
import functools
import importlib.metadata
import re
from collections.abc import Callable

from thalweg.core import System, UnknownSystemError

from ._builders import FAMILIES as PARTICLE_FAMILIES
from ._family import Family
from ._field_families import FAMILIES as FIELD_FAMILIES

FAMILIES = (*PARTICLE_FAMILIES, *FIELD_FAMILIES)

_GROUP = "thalweg.systems"
_FAMILIES = "thalweg.system_families"


@dataclasses.dataclass(frozen=True)
class CatalogueEntry:
    """One line of the catalogue.

    Attributes:
        name: Pattern as a person writes it (`lj<N>`), or the name itself.
        example: A name that works.
        description: One line.
    """

    name: str
    example: str
    description: str


def system(name: str) -> System:
    """The system with the given name.

    Args:
        name: Such as `"lj13"`, `"morse13-rho6"`, `"blj60"`, `"thomson12"` or `"muller-brown"`;
            `names()` lists the patterns.

    Raises:
        UnknownSystemError: if no family or plug-in has that name; it suggests the closest ones.
    """
    key = name.strip().lower()
    plugins = _plugins()
    if key in plugins:
        return _from_plugin(key, plugins[key])
    for families in (lambda: FAMILIES, _more_families):
        for family in families():
            match = re.fullmatch(family.pattern, key)
            if match:
                return family.build(key, match)
    raise UnknownSystemError(f"no system is called {name!r}", _suggest(key, plugins))


def names() -> tuple[CatalogueEntry, ...]:
    """Every family and plug-in, with one line about each."""
    families = (*FAMILIES, *_more_families())
    built_in = [CatalogueEntry(f.name, f.example, f.description) for f in families]
    plugins = [
        CatalogueEntry(name, name, f"plug-in: {point.value}") for name, point in _plugins().items()
    ]
    return tuple(built_in + plugins)


@functools.cache
def _plugins() -> dict[str, importlib.metadata.EntryPoint]:
    return {point.name.lower(): point for point in importlib.metadata.entry_points(group=_GROUP)}


@functools.cache
def _more_families() -> tuple[Family, ...]:
    """Families of other packages, loaded once a name is none of the built-in ones."""
    points = importlib.metadata.entry_points(group=_FAMILIES)
    return tuple(family for point in points for family in point.load())


def _from_plugin(name: str, point: importlib.metadata.EntryPoint) -> System:
    build: Callable[[], object] = point.load()
    built = build()
    if not isinstance(built, System):
        raise UnknownSystemError(
            f"the plug-in {point.value!r} returned a {type(built).__name__} for {name!r}",
            "it must be a function without arguments that returns a thalweg.System",
        )
    return built


def _suggest(name: str, plugins: dict[str, importlib.metadata.EntryPoint]) -> str:
    """Close names, or the whole list."""
    stem = re.sub(r"\d+(\.\d+)?", "", name)
    families = (*FAMILIES, *_more_families())
    stems = {_stem(family): family for family in families}
    close = [stems[s].hint() for s in difflib.get_close_matches(stem, stems, n=3, cutoff=0.5)]
    close += difflib.get_close_matches(name, plugins, n=2)
    if close:
        return "did you mean " + " or ".join(close) + "?"
    return "known: " + ", ".join([family.name for family in families] + sorted(plugins))


def _stem(family: Family) -> str:
    return re.sub(r"<\w+>", "", family.name)
