"""Processes under comparison: one a code, on one core, asked in turns."""

import dataclasses
import importlib.metadata
import json
import os
import platform
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = Path(__file__).resolve().parent / "sides"
ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@dataclasses.dataclass(frozen=True)
class Code:
    """A code to compare with: its script and the interpreter of its environment."""

    script: str
    python: Path

    def missing(self) -> str | None:
        """Why it cannot run here."""
        if not self.python.exists():
            return "not installed: make peers"
        if self.script == "side_c.py" and shutil.which("cc") is None:
            return "no C compiler"
        return None


_OURS = Path(sys.executable)
CODES = {
    "thalweg": Code("side_thalweg.py", _OURS),
    "c": Code("side_c.py", _OURS),
    "scipy": Code("side_scipy.py", _OURS),
    "ase": Code("side_ase.py", _OURS),
    "pele": Code("side_pele.py", ROOT / ".venv-pele" / "bin" / "python"),
    "thalweg-training": Code("side_thalweg_training.py", _OURS),
    "thalweg-forcefields": Code("side_thalweg_forcefields.py", _OURS),
    "thalweg-learning": Code("side_thalweg_learning.py", _OURS),
    "learning": Code("side_learning.py", _OURS),
    "openmm": Code("side_openmm.py", _OURS),
    "torch": Code("side_torch.py", ROOT / ".venv-torch" / "bin" / "python"),
    "topsearch": Code("side_topsearch.py", ROOT / ".venv-topsearch" / "bin" / "python"),
}


class Side:
    """A running process of one code, in an empty folder of its own."""

    def __init__(self, code: str, **environment: str):
        self.name = code
        self.launched = time.perf_counter()
        self._folder = tempfile.TemporaryDirectory()
        command = [str(CODES[code].python), str(SCRIPTS / CODES[code].script)]
        if shutil.which("taskset"):
            command = ["taskset", "-c", str(one_core()), *command]
        settings = os.environ | dict.fromkeys(ONE_THREAD, "1")
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self._folder.name,
            env=settings | {"TF_CPP_MIN_LOG_LEVEL": "3"} | environment,
            text=True,
        )

    def ask(self, task: str, *, patience: float = 3600.0, **arguments: Any) -> dict[str, Any]:
        """Let it do a task; its reply, with `cpu` and `wall` seconds."""
        pipes = self._process
        assert pipes.stdin is not None
        assert pipes.stdout is not None
        pipes.stdin.write(json.dumps({"task": task} | arguments) + "\n")
        pipes.stdin.flush()
        ready, _, _ = select.select([pipes.stdout], [], [], patience)
        line = pipes.stdout.readline() if ready else ""
        if not line:
            self.close()
            raise RuntimeError(f"{self.name} did not answer {task} {arguments}")
        reply = json.loads(line)
        if "error" in reply:
            self.close()
            raise RuntimeError(f"{self.name}, asked for {task} {arguments}:\n{reply['error']}")
        return reply

    def close(self) -> None:
        """End the process and remove its folder."""
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()

    def __enter__(self) -> "Side":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def available(*codes: str) -> list[str]:
    """Those that can run here; says why of the others."""
    usable = []
    for code in codes:
        why = CODES[code].missing()
        if why is None:
            usable.append(code)
        else:
            print(f"left out: {code} ({why})")
    return usable


def one_core() -> int:
    """The core that everything is measured on."""
    return max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0


def machine() -> dict[str, Any]:
    """What a figure belongs to."""
    names = ("thalweg", "jax", "numba", "numpy", "scipy", "ase")
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "load": [round(a, 1) for a in os.getloadavg()],
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "compiler": _first_line("cc", "--version"),
        "versions": {name: importlib.metadata.version(name) for name in names},
    }


def machine_line() -> str:
    """The same in one line."""
    facts = machine()
    versions = " ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (
        f"{facts['cpu']}, {facts['cores']} cores (one used), load {facts['load'][0]}, "
        f"{facts['system']}, Python {facts['python']}, {versions}, {facts['compiler']}"
    )


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or "unknown processor"
    text = info.read_text(encoding="utf-8")
    model = re.search(r"model name\s*:\s*(.*)", text)
    wide = [name for name in ("avx512f", "avx2") if f" {name}" in text][:1]
    return " ".join([model[1] if model else "unknown processor", *wide])


def _first_line(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return "no compiler"
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.split("\n")[
        0
    ]
