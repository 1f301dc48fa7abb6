"""How JAX is set up for a command: float64, and compiled programs kept between commands."""

import os
from pathlib import Path

_WORTH_KEEPING = 0.2
"""Seconds of compilation from which a program is kept."""


def prepare_jax() -> None:
    """Switch to float64 and to a persistent compilation cache; call it before JAX is used.

    The entry point decides about precision, the library never does. Settings in the environment
    win.
    """
    # XLA explains at length that a cached program was compiled for almost the same CPU.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import jax

    jax.config.update("jax_enable_x64", True)
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = cache_folder()
        if folder is not None:
            jax.config.update("jax_compilation_cache_dir", str(folder))
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", _WORTH_KEEPING)


def cache_folder() -> Path | None:
    """Where compiled programs are kept; `None` if nothing can be written there."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "thalweg" / "jax"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None
