"""The progress of a map: one live line on a terminal, a plain line now and then elsewhere."""

import collections
import math
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING

from ._values import clock, count, duration, energy

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.live import Live

    from thalweg.landscape import CompletenessEstimate
    from thalweg.workflows import MapProgress

_WINDOW = 60.0
"""Seconds over which rates are taken: long enough for several rounds, short enough to be news."""

_PLAIN_EVERY = 5.0
"""Seconds between plain lines: logs should stay readable."""

_LOWER = 1e-6


class MapReporter:
    """Shows where a map stands; call it with each `MapProgress`."""

    def __init__(self, console: "Console", *, unit: str, budget: float | None):
        """Show on `console`; energies are in `unit`, the time limit is `budget` seconds."""
        self.console = console
        self.latest: MapProgress | None = None
        self.notice = ""
        self.longest = 0.0
        self._unit = unit
        self._budget = budget
        self._opened = self._began = time.monotonic()
        self._shown = -math.inf
        self._lowest = math.inf
        self._history: collections.deque[tuple[float, int, int]] = collections.deque()
        self._live: Live | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> "MapReporter":
        if self.console.is_terminal and not self.console.quiet:
            from rich.live import Live
            from rich.spinner import Spinner

            self._spinner = Spinner("dots", style="cyan")
            self._live = Live(
                self, console=self.console, refresh_per_second=8, transient=True
            ).__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.__exit__(kind, error, trace)

    def __call__(self, progress: "MapProgress") -> None:
        """Take the state after a round."""
        before = self.latest.seconds if self.latest else 0.0
        self.longest = max(self.longest, progress.seconds - before)
        points = progress.minima + progress.transition_states
        with self._lock:
            # Its clock starts after the checks; before that there is only ours.
            self._began = time.monotonic() - progress.seconds
            self._history.append((progress.seconds, progress.searches, points))
            while len(self._history) > 2 and progress.seconds - self._history[0][0] > _WINDOW:
                self._history.popleft()
            self.latest = progress
        self._say_improvement(progress)
        now = time.monotonic()
        if self._live is None and now - self._shown >= _PLAIN_EVERY:
            self._shown = now
            self.console.print(self.line())

    def found(self, value: float) -> None:
        """Take the lowest energy of searches that nobody has certified yet."""
        when = duration(time.monotonic() - self._opened)
        self.console.print(
            f"first searches ended, the lowest at {energy(value, self._unit)}, "
            f"after {when}; certifying"
        )

    def _say_improvement(self, progress: "MapProgress") -> None:
        """A lower energy is worth a line that stays."""
        if not progress.lowest < self._lowest - _LOWER * max(1.0, abs(progress.lowest)):
            return
        what = "lowest energy" if math.isfinite(self._lowest) else "first minima, the lowest at"
        self._lowest = progress.lowest
        when = duration(time.monotonic() - self._opened)
        self.console.print(f"{what} [bold]{energy(progress.lowest, self._unit)}[/] after {when}")

    def seconds(self) -> float:
        """Time since work began: what the budget counts."""
        return time.monotonic() - self._began

    def line(self, width: int | None = None) -> str:
        """The state in one line, as much of it as fits."""
        time_part = clock(self.seconds())
        if self._budget is not None:
            time_part += f" of {clock(self._budget)}"
        parts = [time_part, *self._parts()]
        if self.notice:
            parts.insert(0, self.notice)
        text = " · ".join(parts)
        while width is not None and len(text) > width and len(parts) > 1:
            parts.pop()
            text = " · ".join(parts)
        return text

    def _parts(self) -> list[str]:
        """Facts, the most telling first: a narrow terminal shows only those."""
        progress = self.latest
        if progress is None:
            return ["checking the energy, first searches"]
        parts = [
            f"{_known(progress.completeness[0])} minima",
            f"{_known(progress.completeness[1])} transition states",
            f"lowest {energy(progress.lowest)}",
        ]
        searches, new = self.rates()
        parts += [f"{searches:,.0f} searches/s", f"{new:+,.0f}/min"]
        if progress.pieces > 1:
            parts.append(count(progress.pieces, "piece"))
        return parts

    def rates(self) -> tuple[float, float]:
        """Searches a second and new points a minute, over the last minute."""
        with self._lock:
            last = self._history[-1]
            first = self._history[0] if len(self._history) > 1 else (0.0, 0, 0)
        span = max(last[0] - first[0], 1e-3)
        return (last[1] - first[1]) / span, 60.0 * (last[2] - first[2]) / span

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        """The live line with its spinner."""
        from rich.text import Text

        text = self.line(options.max_width - 2)
        frame = self._spinner.render(time.monotonic())
        yield Text.assemble(
            frame if isinstance(frame, Text) else "", " ", text, no_wrap=True, overflow="ellipsis"
        )


def _known(estimate: "CompletenessEstimate") -> str:
    """How many are known, and of how many there probably are, if that can be told."""
    known = f"{estimate.observed:,}"
    if not estimate.observed or not math.isfinite(estimate.total):
        return known
    sign = "~" if estimate.trusted else ">"
    return f"{known} of {sign}{max(round(estimate.total), estimate.observed):,}"
