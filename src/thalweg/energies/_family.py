"""A family of the catalogue: a pattern of names, and the system behind each of them."""

import dataclasses
import re
from collections.abc import Callable

from thalweg.core import System

Build = Callable[[str, re.Match[str]], System]


@dataclasses.dataclass(frozen=True)
class Family:
    """A pattern of names and how to build the system behind one of them."""

    name: str
    example: str
    pattern: str
    description: str
    build: Build

    def hint(self) -> str:
        """The name to suggest: the pattern with its example."""
        return self.name if self.name == self.example else f"{self.name} (such as {self.example})"
