"""The loop of a side: one JSON request a line, one JSON reply a line; standard library only.

Each code under comparison runs in a process of its own, in its own environment, on one core. It
does what it is asked and says how much CPU time that took, so that the driver can let the codes
take turns in one run.
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any


def serve(tasks: dict[str, Callable[..., dict[str, Any]]]) -> None:
    """Answer requests until the input ends. What the code itself prints goes nowhere."""
    replies = os.fdopen(os.dup(1), "w")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    for line in sys.stdin:
        request = json.loads(line)
        cpu, wall = time.process_time(), time.perf_counter()
        try:
            reply = tasks[request.pop("task")](**request)
        except Exception:
            reply = {"error": traceback.format_exc()}
        # A task that knows better (it has prepared something first) has set these itself.
        reply.setdefault("cpu", time.process_time() - cpu)
        reply.setdefault("wall", time.perf_counter() - wall)
        reply["process_cpu"] = time.process_time()
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def repeated(work: Callable[[], Any], seconds: float = 0.3) -> float:
    """CPU seconds of one call, the least of several batches that last `seconds` together."""
    work()
    count, best = 1, float("inf")
    began = time.process_time()
    while time.process_time() - began < seconds:
        start = time.process_time()
        for _ in range(count):
            work()
        spent = time.process_time() - start
        best = min(best, spent / count)
        if spent < seconds / 10:
            count *= 2
    return best
