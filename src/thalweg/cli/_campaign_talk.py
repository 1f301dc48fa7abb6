"""What the commands of `thalweg campaign` share."""

from pathlib import Path

from ._errors import CliError


def check_campaign(path: str) -> None:
    """Refuse a campaign that is not there, before any library is loaded.

    Raises:
        CliError: if it is a file name without a file.
    """
    if "://" in path or Path(path).is_file():
        return
    if Path(path).is_dir():
        raise CliError(f"{path} is a folder, not a campaign", "name a .db file")
    raise CliError(f"there is no file {path}", f"`thalweg campaign new {path} …` makes one")
