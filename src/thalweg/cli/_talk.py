"""What every command shares: consoles, and errors in one line with a hint."""

import functools
import json
import os
import sys
import traceback as tracebacks
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ._errors import CliError as CliError
from ._values import plain

if TYPE_CHECKING:
    from rich.console import Console

EXIT_FAILED = 1
"""The command ran, and the answer is no: nothing found, a broken store, an empty tree."""

EXIT_USAGE = 2
"""What was asked for cannot be done."""

EXIT_BUG = 70
"""An error that nobody foresaw (`EX_SOFTWARE`)."""


def talk(*, quiet: bool = False) -> "Console":
    """The console for talk: standard error."""
    from rich.console import Console

    return Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True, emoji=False)


def data() -> "Console":
    """The console for data: standard output."""
    from rich.console import Console

    return Console(highlight=False, emoji=False)


def print_json(value: Any) -> None:
    """One JSON object on standard output."""
    text = json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False)
    sys.stdout.write(text + "\n")


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table on standard output, names left and numbers right, units below their headings.

    Lines are as long as they must be: a reader can scroll, but cannot guess digits.
    """
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, heading in enumerate(headings):
        text = heading.replace(" / ", "\n")
        table.add_column(text, justify="right" if place else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = data()
    whole = console.measure(table, options=console.options.update(width=10_000)).maximum
    console.width = max(console.width, whole)
    console.print(table)


def reported(command: Callable[..., None]) -> Callable[..., None]:
    """Turn a command's exceptions into one line, a hint and an exit code."""

    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> None:
        try:
            command(*args, **options)
        except (typer.Exit, typer.Abort):
            raise
        except BrokenPipeError:
            # The reader has gone (`thalweg info x.db | head`); spare it Python's own complaint.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except Exception as error:
            if options.get("traceback"):
                tracebacks.print_exc()
            raise typer.Exit(_explain(error, shown=bool(options.get("traceback")))) from None

    return run


def _explain(error: Exception, *, shown: bool) -> int:
    """Say what is wrong; the exit code."""
    if isinstance(error, CliError) or _ours(error):
        complain(getattr(error, "message", str(error)), getattr(error, "hint", None))
        return EXIT_USAGE
    lines = str(error).strip().splitlines() or ["no message"]
    complain(
        f"{type(error).__name__}: {lines[0]}",
        None if shown else "this is unexpected; run again with --traceback to see where",
    )
    return EXIT_BUG


def complain(message: str, hint: str | None = None) -> None:
    """One red line, a blank one, and a hint, on standard error."""
    from rich.text import Text

    console = talk()
    console.print(Text.assemble(("error: ", "bold red"), (message, "red")))
    if hint:
        console.print()
        console.print(Text.assemble(("hint: ", "bold"), hint))


def _ours(error: Exception) -> bool:
    core = sys.modules.get("thalweg.core")
    return core is not None and isinstance(error, core.ThalwegError)


def check_writable(path: Path, *, folder: bool = False) -> None:
    """Refuse an output that cannot be written, before any work is done.

    Args:
        path: File to write, or folder to fill.
        folder: Which of the two.

    Raises:
        CliError: if it cannot be written.
    """
    if folder and path.exists():
        if not path.is_dir():
            raise CliError(f"{path} is a file, expected a folder", "name a new or an old folder")
        parent = path
    else:
        if path.is_dir():
            raise CliError(f"{path} is a folder, expected a file", f"name a file in it: {path}/…")
        parent = path.parent
    if not parent.is_dir():
        raise CliError(f"there is no folder {parent}", f"mkdir -p {parent}")
    target = path if path.exists() else parent
    if not os.access(target, os.W_OK):
        raise CliError(f"{target} cannot be written", "check its permissions, or write elsewhere")


def check_store(path: str) -> None:
    """Refuse a store that is not there, before any library is loaded.

    Raises:
        CliError: if it is a file name without a file.
    """
    if "://" in path or Path(path).is_file():
        return
    if Path(path).is_dir():
        raise CliError(f"{path} is a folder, not a landscape store", "name a .db file")
    near = sorted(str(p) for p in Path(path).parent.glob("*.db"))[:5]
    hint = f"there is {', '.join(near)}" if near else "`thalweg map SYSTEM` makes one"
    raise CliError(f"there is no file {path}", hint)
