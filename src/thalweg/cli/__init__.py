"""The command line: a thin shell that parses, calls a workflow and renders.

| module | holds |
|---|---|
| `_app` | the commands, and `main` |
| `_map`, `_map_options`, `_map_report`, `_progress`, `_interrupt` | `thalweg map` |
| `_find` | from what the user typed to a `System` |
| `_tree`, `_info`, `_rates`, `_files`, `_systems`, `_cite` | the other commands |
| `_certify` | `thalweg certify` |
| `_campaign`, `_campaign_new`, `_campaign_status`, `_campaign_talk` | `thalweg campaign` |
| `_talk`, `_errors`, `_values` | consoles, errors, numbers as text |
| `_runtime` | JAX's settings |

Standard output is data, standard error is talk. Heavy libraries are imported inside commands only,
so that `thalweg --help` answers at once.
"""

from ._app import main as main
