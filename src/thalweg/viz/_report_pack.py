"""Arrays and facts of a report, packed for a page: JSON for facts, deflated bytes for arrays."""

import base64
import json
import math
import zlib
from typing import Any

import numpy as np

_LEVEL = 6


class Packer:
    """Collects arrays into one block of little-endian bytes, and remembers where each lies."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.where: dict[str, dict[str, Any]] = {}
        self.size = 0

    def add(self, name: str, values: np.ndarray, dtype: str) -> None:
        """Append an array.

        Args:
            name: Its name in the page.
            values: The array.
            dtype: `"f8"`, `"f4"`, `"i4"` or `"u1"`: how it is stored.
        """
        array = np.ascontiguousarray(values, dtype="<" + dtype if dtype != "u1" else dtype)
        data = array.tobytes()
        self.where[name] = {"type": dtype, "at": self.size, "count": int(array.size)}
        # Typed arrays begin at multiples of their item size: eight suits them all.
        padding = -len(data) % 8
        self.parts.append(data + bytes(padding))
        self.size += len(data) + padding

    def text(self) -> str:
        """The block, deflated, in base64."""
        return base64.b64encode(zlib.compress(b"".join(self.parts), _LEVEL)).decode("ascii")


def script_json(value: Any) -> str:
    """JSON that may stand inside a script element: no `<`, no NaN (null instead)."""
    text = json.dumps(_plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
