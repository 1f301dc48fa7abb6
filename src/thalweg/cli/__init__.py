"""The command line: a thin shell that parses, calls a workflow and renders.

| module | holds |
|---|---|
| `_app` | the commands, and `main` |
| `_map`, `_progress`, `_interrupt` | `thalweg map`: plan, talk, Ctrl-C |
| `_find` | from what the user typed to a `System` |
| `_tree`, `_info`, `_files`, `_systems`, `_cite` | the other commands |
| `_talk`, `_values`, `_runtime` | errors and consoles, numbers as text, JAX's settings |

Standard output is data, standard error is talk. Heavy libraries are imported inside commands only,
so that `thalweg --help` answers at once.
"""

from ._app import main as main
