"""Databases: connecting to one, and saying in plain words what is wrong with it.

- `Format`: what kind of store a database holds (its tables, its version, its words for messages).
- `open_database`: open a store by file name or SQLAlchemy URL, or make it; an SQLite file gets a
  write-ahead log, so that a killed process loses nothing that was committed.
- `make_engine`, `guarded`, `display_name`, `now`: the pieces.

What a landscape or a campaign keeps in its tables is its own affair.
"""

from ._engine import Format as Format
from ._engine import display_name as display_name
from ._engine import guarded as guarded
from ._engine import make_engine as make_engine
from ._engine import now as now
from ._engine import open_database as open_database
