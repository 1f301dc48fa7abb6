"""The compiled loop `lbfgs.c`, built on the spot for this machine."""

import ctypes
import functools
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from serve import repeated, serve

_FLAGS = ["-O3", "-march=native", "-ffast-math", "-mprefer-vector-width=512", "-shared", "-fPIC"]
_DOUBLES = np.ctypeslib.ndpointer(np.float64, flags="C")
_LONGS = np.ctypeslib.ndpointer(np.int64, flags="C")


@functools.cache
def library(atoms: int) -> ctypes.CDLL:
    """The library for clusters of `atoms` atoms."""
    folder = Path(tempfile.mkdtemp())
    target = folder / f"lbfgs{atoms}.so"
    source = Path(__file__).with_name("lbfgs.c")
    for flags in (_FLAGS, [f for f in _FLAGS if "prefer" not in f]):
        command = ["cc", *flags, f"-DATOMS={atoms}", "-o", str(target), str(source), "-lm"]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            break
    else:
        raise RuntimeError("the C compiler refuses lbfgs.c")
    loaded = ctypes.CDLL(str(target))
    real = ctypes.c_double
    loaded.quench_rows.argtypes = [_DOUBLES, ctypes.c_long, real, real, real, _DOUBLES, _LONGS]
    loaded.quench_rows.restype = None
    loaded.evaluate_rows.argtypes = [_DOUBLES, ctypes.c_long, ctypes.POINTER(real)]
    loaded.evaluate_rows.restype = real
    return loaded


def quench(path: str, first: int, count: int, tol: float, max_step: float, extent: float) -> dict:
    """Quench rows of the file of starts."""
    rows = np.ascontiguousarray(np.load(path)[first : first + count])
    values, evaluations = np.empty(len(rows)), np.empty(len(rows), np.int64)
    compiled = library(rows.shape[1] // 3)
    compiled.quench_rows(rows, len(rows), tol, max_step, extent, values, evaluations)
    return {
        "quenches": len(rows),
        "converged": int((evaluations > 0).sum()),
        "evaluations": int(np.abs(evaluations).sum()),
        "lowest": float(np.nanmin(values)),
    }


def energy(path: str) -> dict:
    """CPU time of one energy and gradient."""
    rows = np.ascontiguousarray(np.load(path))
    compiled, slope = library(rows.shape[1] // 3), ctypes.c_double(0.0)
    once = repeated(lambda: compiled.evaluate_rows(rows, len(rows), ctypes.byref(slope)))
    return {"energy": once / len(rows)}


if __name__ == "__main__":
    serve({"quench": quench, "energy": energy})
