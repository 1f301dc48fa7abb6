"""`thalweg systems`: the catalogue."""

import dataclasses

from . import _options as options
from ._talk import data, print_json, reported


@reported
def systems(as_json: options.AsJson = False, traceback: options.Traceback = False) -> None:
    """List the systems that `thalweg map` knows by name, plug-ins included."""
    from thalweg.energies import names

    entries = names()
    if as_json:
        print_json([dataclasses.asdict(entry) for entry in entries])
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "for example", "what it is"):
        table.add_column(heading, no_wrap=heading != "what it is")
    for entry in entries:
        table.add_row(*map(Text, (entry.name, entry.example, entry.description)))
    data().print(table)
