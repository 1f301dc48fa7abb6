"""Numbers as text, and text as numbers."""

import math
import re
from typing import Any

from ._errors import CliError

_SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d*)?(?:min|[smhd]))+")
_PART = re.compile(r"(\d+(?:\.\d*)?)(min|[smhd])")


def parse_duration(text: str) -> float:
    """Seconds in `90`, `60s`, `10m`, `1h30m` or `2d`.

    Raises:
        CliError: if it is nothing of the kind, or not positive.
    """
    plain = text.strip().lower().replace(" ", "")
    seconds = math.nan
    if re.fullmatch(r"\d+(\.\d*)?", plain):
        seconds = float(plain)
    elif _DURATION.fullmatch(plain):
        seconds = sum(float(n) * _SECONDS[unit] for n, unit in _PART.findall(plain))
    if not (math.isfinite(seconds) and seconds > 0):
        raise CliError(
            f"{text!r} is no length of time", "write it like 90s, 10m, 1h30m; no --budget: no limit"
        )
    return seconds


def duration(seconds: int | float) -> str:
    """A length of time for people: `8.3 s`, `10 min 05 s`, `2 h 03 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60:02d} s" if whole % 60 else "")
    minutes = whole % 3600 // 60
    return f"{whole // 3600} h" + (f" {minutes:02d} min" if minutes else "")


def clock(seconds: int | float) -> str:
    """A length of time that ticks: `1:02`, `1:00:02`."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    return (f"{hours}:{minutes:02d}" if hours else f"{minutes}") + f":{whole % 60:02d}"


def count(number: int | float, noun: str) -> str:
    """`1 minimum`, `1,204 minima`."""
    plural = noun[:-3] + "ma" if noun.endswith("mum") else noun + "s"
    if noun.endswith(("ch", "sh")):
        plural = noun + "es"
    return f"{number:,.0f} {noun if number == 1 else plural}"


def energy(value: int | float, unit: str = "") -> str:
    """An energy with six decimals and its unit."""
    return f"{value:.6f} {unit}".rstrip()


def share(fraction: int | float) -> str:
    """A percentage that says 100 % only of everything."""
    if fraction >= 1:
        return "100 %"
    if 0 < fraction < 0.01:
        return "under 1 %"
    return f"{min(100 * fraction, 99.9):.1f} %" if fraction > 0.99 else f"{100 * fraction:.0f} %"


def plain(value: Any) -> Any:
    """The value as JSON knows it: infinities and NaN become null, arrays become lists."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def size(number: int) -> str:
    """A number of bytes for people: `870 kB`, `4.2 MB`."""
    if number < 999_500:
        return f"{number / 1e3:.0f} kB"
    return f"{number / 1e6:.1f} MB"
