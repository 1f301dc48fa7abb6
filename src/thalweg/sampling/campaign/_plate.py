"""Wells of a plate."""

import string

from thalweg.core import ArgumentError

_ROWS = {6: 2, 12: 3, 24: 4, 48: 6, 96: 8, 384: 16, 1536: 32}


def wells(layout: int) -> list[str]:
    """Names of all wells, row by row: `A1` to `H12` for 96.

    Raises:
        ArgumentError: if there is no such plate.
    """
    if layout not in _ROWS:
        raise ArgumentError(f"no plate has {layout} wells", f"one of {', '.join(map(str, _ROWS))}")
    rows = _ROWS[layout]
    letters = [*string.ascii_uppercase, *(f"A{c}" for c in string.ascii_uppercase)][:rows]
    return [f"{row}{column + 1}" for row in letters for column in range(layout // rows)]


def free_wells(layout: int, controls: tuple[str, ...]) -> list[str]:
    """The wells that the campaign may use.

    Raises:
        ArgumentError: if a control well does not exist, or no well is left.
    """
    every = wells(layout)
    unknown = sorted(set(controls) - set(every))
    if unknown:
        raise ArgumentError(f"controls: a plate of {layout} has no well {', '.join(unknown)}")
    left = [well for well in every if well not in controls]
    if not left:
        raise ArgumentError("controls: no well is left to measure in")
    return left
