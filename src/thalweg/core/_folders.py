"""Where files that can be made again are kept."""

import os
from pathlib import Path


def data_folder() -> Path:
    """Where data sets are kept: `$XDG_CACHE_HOME/thalweg/data`, by default below `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "thalweg" / "data"
