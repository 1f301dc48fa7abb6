"""Where and how many at once; knows no science."""

from ._threads import map_rows as map_rows
from ._threads import usable_cores as usable_cores
