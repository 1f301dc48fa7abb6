"""The system that a store is of."""

from typing import TYPE_CHECKING

from ._find import find_system
from ._talk import CliError

if TYPE_CHECKING:
    from thalweg.core import System
    from thalweg.landscape import StoreHeader


def system_of(
    header: "StoreHeader", store: str, text: str | None, energy_name: str | None
) -> "System":
    """The system that a store is of.

    Args:
        header: What the store says.
        store: Its name, for messages.
        text: What `--system` says; `None` looks the store's name up in the catalogue.
        energy_name: What `--energy` says.

    Raises:
        CliError: if it is not in the catalogue, or its fingerprint is another.
    """
    from thalweg.core import UnknownSystemError, fingerprint

    again = "say what was mapped: --system NAME, module:object or file.py:object"
    try:
        system = find_system(header.name if text is None else text, energy_name, None)
    except UnknownSystemError as error:
        if text is not None:
            raise
        raise CliError(
            f"{store} is of {header.name!r}, which is not in the catalogue", again
        ) from error
    imported = header.fingerprint.startswith("pathsample:")
    if not imported and fingerprint(system) != header.fingerprint:
        raise CliError(
            f"{store} is not of {text or header.name!r}: the fingerprint of its system is "
            f"{header.fingerprint}, and this one's is {fingerprint(system)}",
            again if text is None else "name the system that was mapped",
        )
    return system
