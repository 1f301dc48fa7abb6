"""One kind of force field, and the knobs that turn it into its neighbours."""

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping

from thalweg.core import ArgumentError, PRNGKey, as_key
from thalweg.forcefields import ForceField
from thalweg.forcefields.fitting import Dataset, FitConfig
from thalweg.io import Molecule

Builder = Callable[[Molecule, Dataset, PRNGKey], ForceField]
"""A molecule, the training set and random numbers in; a force field to be fitted out."""

Choices = Mapping[str, float | int]
"""Where the knobs stand, by name."""

Notches = Mapping[str, tuple[float | int, ...]]
"""Values of each knob to try, from cheap to dear."""


@dataclasses.dataclass(frozen=True)
class Knobs:
    """What can be chosen within one kind of force field.

    Attributes:
        make: A builder for every choice.
        usual: Where the knobs stand unless somebody turns them.
        notches: Values of each knob to try, from cheap to dear; the usual one is among them. Knobs
            that come first are turned first.
    """

    make: Callable[[Choices], Builder]
    usual: Choices
    notches: Notches


@dataclasses.dataclass(frozen=True)
class Rung:
    """One kind of force field.

    Attributes:
        name: What it is called; knobs that are turned are part of it: `delta-width8-cutoff0.4`.
        summary: What it is, in a few words.
        make: Makes one for a molecule.
        config: How it is fitted best; `None`: it is judged as it stands.
        residues: Whether the molecule's file must name residues and atoms.
        knobs: What can be chosen within it; `None`: nothing.
        turned: The knobs that do not stand where they usually do.
    """

    name: str
    summary: str
    make: Builder
    config: FitConfig | None
    residues: bool = False
    knobs: Knobs | None = None
    turned: Choices = dataclasses.field(default_factory=dict)

    @property
    def random(self) -> bool:
        """Whether fits from other random numbers differ: not those of mechanics."""
        return self.config is not None and self.config.method != "gauss-newton"

    def build(self, molecule: Molecule, dataset: Dataset, key: PRNGKey | int = 0) -> ForceField:
        """Make one for a molecule.

        Args:
            molecule: Of which atoms.
            dataset: What it will be fitted to.
            key: Draws the first weights of networks.
        """
        return self.make(molecule, dataset, as_key(key))

    def suits(self, molecule: Molecule) -> bool:
        """Whether it can be made for a molecule."""
        return molecule.has_residues or not self.residues

    def with_knobs(self, turned: Choices) -> "Rung":
        """The same kind with some knobs elsewhere.

        Raises:
            ArgumentError: if there is no such knob, or a value is not positive.
        """
        known = {} if self.knobs is None else self.knobs.usual
        for name, value in turned.items():
            if name not in known:
                raise ArgumentError(
                    f"{self.name} has no knob {name!r}",
                    f"one of {', '.join(known)}" if known else "it has none at all",
                )
            if not value > 0:
                raise ArgumentError(f"{name}={value:g} of {self.name} must be positive")
        if self.knobs is None:
            return self
        away = {n: v for n, v in (dict(self.turned) | dict(turned)).items() if v != known[n]}
        suffix = "".join(f"-{name}{away[name]:g}" for name in known if name in away)
        plain = self.name.removesuffix("".join(f"-{n}{v:g}" for n, v in self.turned.items()))
        return dataclasses.replace(
            self,
            name=plain + suffix,
            make=self.knobs.make({**known, **away}),
            turned={name: away[name] for name in known if name in away},
        )

    def neighbours(self) -> Iterator[tuple["Rung", bool]]:
        """Every rung that is one notch of one knob away, and whether it should be dearer."""
        if self.knobs is None:
            return
        for name, values in self.knobs.notches.items():
            here = self.turned.get(name, self.knobs.usual[name])
            below = [value for value in values if value < here]
            above = [value for value in values if value > here]
            if below:
                yield self.with_knobs({name: below[-1]}), False
            if above:
                yield self.with_knobs({name: above[0]}), True


def parse_knobs(text: str) -> dict[str, float | int] | None:
    """`-width8-cutoff0.4` as `{"width": 8, "cutoff": 0.4}`; `None` if it is nothing of the kind."""
    found = re.findall(r"-([a-z]+)([0-9]+(?:\.[0-9]+)?)", text)
    if "".join(f"-{name}{value}" for name, value in found) != text:
        return None
    return {name: float(value) for name, value in found}
