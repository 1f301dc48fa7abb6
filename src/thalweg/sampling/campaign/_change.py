"""One transaction on a campaign: events are folded as they are added, and stored together."""

import math
import time
from typing import Any

from ._log import Event, canonical, link, timestamp
from ._moves import acceptance_numbers, accepts, total_weight
from ._plan import FACTORS, Plan
from ._random import Stream
from ._state import DONE, State


class Change:
    """Events that will be committed together."""

    def __init__(self, plan: Plan, stream: Stream, state: State):
        self.plan = plan
        self.stream = stream
        self.state = state
        self.seconds = time.time()
        self.rows: list[dict[str, Any]] = []
        self._time = timestamp(self.seconds)

    def add(self, kind: str, subject: str | None, body: dict[str, Any]) -> None:
        """Write an event and let it happen."""
        text = canonical(body)
        sequence = self.state.sequence + 1
        digest = link(self.state.head, sequence, self._time, kind, subject, text)
        self.rows.append(
            {
                "sequence": sequence,
                "time": self._time,
                "kind": kind,
                "subject": subject,
                "body": text,
                "hash": digest,
            }
        )
        self.state.apply(Event(sequence, self._time, kind, subject, body, digest))

    def place(self, chain: int) -> str:
        """Subject of what a chain does at its present step."""
        state = self.state
        if not state.started[chain]:
            return f"{state.tag}-c{chain}-s0-t{state.tries[chain]}"
        return f"{state.tag}-c{chain}-s{state.step[chain] + 1}"

    def decide(self, chains: list[int]) -> tuple[int, int]:
        """Let chains decide whose proposals are measured; steps taken and moves made."""
        state = self.state
        moving = [c for c in chains if state.started[c]]
        steps = [int(state.step[c]) + 1 for c in moving]
        drawn = dict(
            zip(moving, acceptance_numbers(self.stream, state.epoch, moving, steps), strict=True)
        )
        moves = 0
        for c in chains:
            values = state.slot_value[c].tolist()
            log_w, sign = total_weight(self.plan, values)
            moves += self._decide(c, drawn.get(c), log_w, sign, values)
        self._freeze()
        return len(moving), moves

    def reject_outside(self, chain: int, proposal: list[float], choice: int, u: float) -> None:
        """A step that needs no measurement: the weight there is known to be zero."""
        state = self.state
        body = {
            "epoch": state.epoch,
            "chain": chain,
            "step": int(state.step[chain]) + 1,
            "why": "outside",
            "x": state.x[chain].tolist(),
            "proposal": proposal,
            "choice": choice,
            "log_w": float(state.log_w[chain]),
            "log_w_new": None,
            "u": u,
            "accepted": False,
        }
        self.add("decided", self.place(chain), body)

    def freeze(self) -> None:
        """End the tuning, if every chain has done its burn-in."""
        self._freeze()

    def _decide(
        self, c: int, u: float | None, log_w: float, sign: float, values: list[float]
    ) -> bool:
        state, plan = self.state, self.plan
        body: dict[str, Any] = {
            "epoch": state.epoch,
            "chain": c,
            "x": None,
            "proposal": state.proposal[c].tolist(),
            "choice": int(state.choice[c]),
            "log_w": None,
            "log_w_new": log_w if log_w > -math.inf else None,
            "u": u,
        }
        if u is None:
            body |= {"step": 0, "why": "start", "accepted": log_w > -math.inf}
        else:
            step = int(state.step[c]) + 1
            refresh = bool(plan.refresh) and step % plan.refresh == 0
            body |= {
                "step": step,
                "why": "refresh" if refresh else "move",
                "x": state.x[c].tolist(),
                "log_w": float(state.log_w[c]),
                "accepted": accepts(float(state.log_w[c]), log_w, u),
            }
            if state.tuning:
                jump = plan.space.squared_jump(state.x[[c]], state.proposal[[c]])
                body["jump"] = float(jump[0])
        if body["accepted"]:
            body["sign"] = sign
            if plan.is_cloud:
                body["drops"] = state.new_drops[c].tolist()
                body["weights"] = values
        self.add("decided", self.place(c), body)
        return bool(body["accepted"]) and u is not None

    def _freeze(self) -> None:
        """Keep the multiple of the step with the largest accepted squared jump per proposal."""
        state = self.state
        if not state.tuning or not state.started.all() or state.step.min() < self.plan.burn_in:
            return
        best, table = best_factor(state.tune_count.tolist(), state.tune_sum.tolist())
        self.add("tuned", None, {"factor": best, "step": self.plan.burn_in, "table": table})


def best_factor(counts: list[int], sums: list[float]) -> tuple[float, list[list[float]]]:
    """The multiple of the step to keep, and for each its number of proposals and average jump."""
    table = [
        [factor, float(count), total / count if count else 0.0]
        for factor, count, total in zip(FACTORS, counts, sums, strict=True)
    ]
    best = max(table, key=lambda row: (row[2], -abs(math.log(row[0]))))
    return best[0], table


def complete(state: State, chains: set[int]) -> list[int]:
    """Those of the chains whose proposals are measured."""
    return sorted(c for c in chains if state.active[c] and bool((state.slot[c] == DONE).all()))
