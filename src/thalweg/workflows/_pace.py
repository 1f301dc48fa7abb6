"""The time of a map: how large its rounds are, when it turns to connecting, and when it ends."""

import time

_FIRST = {"minimise": 8, "hop": 1, "climb": 4, "connect": 4}
"""Searches (hops of each walker) in the first round of each kind; each later round has twice as
many as the one before, up to what the config says. So a landscape whose searches are dear soon has
something to report and to stop at, and one whose searches are cheap loses nothing."""

_FOR_MINIMA = 0.5
"""Share of a budget that looks for minima; the rest connects them."""


def round_size(kind: str, most: int, rounds: int) -> int:
    """Searches (hops of each walker, pairs) of a round.

    Args:
        kind: What it does.
        most: The largest number that there may be.
        rounds: How many rounds of this kind there were before.
    """
    return min(most, _FIRST[kind] << min(rounds, most.bit_length()))


class Pace:
    """The clock of one run, held against its budget; times of each kind of search are learned.

    Attributes:
        budget: Seconds to work for; `None`: as long as it takes.
    """

    def __init__(self, budget: float | int | None):
        """Begin now."""
        self.budget = budget
        self._began = time.perf_counter()
        self._each: dict[str, float] = {}

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.perf_counter() - self._began

    @property
    def late(self) -> bool:
        """Whether the rest of the budget is for connecting the minima that are known."""
        return self.budget is not None and self.seconds >= _FOR_MINIMA * self.budget

    def learn(self, kind: str, size: int, seconds: float) -> None:
        """A round of so many searches took so long."""
        self._each[kind] = seconds / size

    def spent(self, seconds: float, kind: str | None, size: int) -> bool:
        """Whether to end after `seconds` is nearer to the budget than after one round more."""
        if self.budget is None:
            return False
        ahead = 0.0 if kind is None else self._each.get(kind, 0.0) * size
        return seconds + ahead / 2 >= self.budget
