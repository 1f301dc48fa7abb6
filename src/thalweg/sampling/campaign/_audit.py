"""Recomputing a campaign from its log, as a third party would."""

import dataclasses
import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ._ask import seeds
from ._change import best_factor
from ._log import genesis, link
from ._moves import Proposals, acceptance_numbers, accepts, propose_moves, propose_starts
from ._moves import total_weight as total
from ._plan import FACTORS, Plan
from ._random import Purpose as Use
from ._random import Stream

_CLOSE = 1e-9
"""Relative agreement of recomputed points: mathematical libraries differ in the last bit."""

_SHOWN = 20


@dataclasses.dataclass(frozen=True)
class Audit:
    """What `Campaign.verify` found.

    Attributes:
        events: Events read.
        decisions: Decisions recomputed.
        problems: What does not fit, the first few.
        head: Hash of the log.
    """

    events: int
    decisions: int
    problems: tuple[str, ...]
    head: str

    @property
    def ok(self) -> bool:
        """Whether everything fits."""
        return not self.problems


@dataclasses.dataclass
class _Chain:
    """A chain as the auditor knows it."""

    x: list[float] | None = None
    log_w: float = -math.inf
    step: int = 0
    tries: int = 0
    started: bool = False
    proposal: dict[str, Any] | None = None
    weights: dict[int, float] = dataclasses.field(default_factory=dict)


class _Auditor:
    def __init__(self, plan: Plan, stream: Stream):
        self.plan, self.stream = plan, stream
        self.problems: list[str] = []
        self.decisions = 0
        self.epoch = 0
        self.factor: float | None = None if plan.tune else 1.0
        self.chains = [_Chain() for _ in range(plan.chains)]
        self.asked: dict[str, dict[str, Any]] = {}
        self.told: set[str] = set()
        self.tune_count, self.tune_sum = [0] * len(FACTORS), [0.0] * len(FACTORS)
        self.starts: list[tuple] = []
        self.moves: list[tuple] = []
        self.numbers: list[tuple[int, int, int, int, float]] = []
        self.seeds: list[tuple] = []

    def note(self, sequence: int, problem: str) -> None:
        self.problems.append(f"event {sequence}: {problem}")

    def read(self, sequence: int, kind: str, subject: Any, body: dict[str, Any]) -> None:
        if kind == "proposed":
            self._proposed(sequence, body)
        elif kind == "asked":
            self._asked(sequence, subject, body)
        elif kind == "told":
            self._told(sequence, subject, body)
        elif kind == "decided":
            self._decided(sequence, body)
        elif kind == "tuned":
            self.factor = body["factor"]
            best, _ = best_factor(self.tune_count, self.tune_sum)
            if best != self.factor:
                self.note(sequence, f"the steps were multiplied by {self.factor}, not by {best}")
        elif kind == "assay":
            self.epoch += 1
            self.chains = [_Chain(x=chain.x) for chain in self.chains]
            self.asked.clear()

    def _proposed(self, sequence: int, body: dict[str, Any]) -> None:
        chain = self.chains[body["chain"]]
        if chain.proposal is not None:
            self.note(sequence, f"chain {body['chain']} proposes twice")
        chain.proposal, chain.weights = body, {}
        self._remember(sequence, chain, body)

    def _remember(self, sequence: int, chain: _Chain, body: dict[str, Any]) -> None:
        x = chain.x if chain.x is not None else [math.nan] * self.plan.space.dof
        stated = (body.get("point") or body["proposal"], body["choice"], body.get("drops"))
        if chain.started:
            row = (sequence, self.epoch, body["chain"], chain.step + 1, x, self.factor, stated)
            self.moves.append(row)
        else:
            self.starts.append((sequence, self.epoch, body["chain"], chain.tries, x, None, stated))

    def _asked(self, sequence: int, subject: str, body: dict[str, Any]) -> None:
        if subject in self.asked:
            self.note(sequence, f"{subject} is asked for twice")
        self.asked[subject] = body
        chain = self.chains[body["chain"]]
        if body["purpose"] == "repeat":
            return
        attempt = body["attempt"] + (0 if chain.started else chain.tries * 2**12)
        row = (sequence, self.epoch, body["chain"], body["step"], body["replicate"], attempt)
        self.seeds.append((*row, body["seed"]))
        if chain.proposal is None:
            self.note(sequence, f"{subject} belongs to no proposal")
            return
        drops = chain.proposal.get("drops")
        point = chain.proposal["point"] if drops is None else drops[body["replicate"]]
        if self.plan.space.values(point) != body["conditions"]:
            self.note(sequence, f"{subject} asks for other conditions than were proposed")

    def _told(self, sequence: int, subject: str, body: dict[str, Any]) -> None:
        request = self.asked.get(subject)
        if request is None or subject in self.told:
            self.note(sequence, f"{subject} was {'told before' if request else 'never asked'}")
            return
        self.told.add(subject)
        if request["purpose"] != "repeat" and body["status"] != "lost":
            weights = self.chains[request["chain"]].weights
            if request["replicate"] in weights:
                self.note(sequence, f"{subject} measures again what is stored")
            weights[request["replicate"]] = body["weight"]

    def _decided(self, sequence: int, body: dict[str, Any]) -> None:
        self.decisions += 1
        chain = self.chains[body["chain"]]
        where = f"chain {body['chain']} step {body['step']}"
        if body["why"] == "outside":
            self._remember(sequence, chain, body)
            log_w = -math.inf
            points = [body["proposal"]] if not self.plan.is_cloud else []
            if points and self.plan.space.inside(np.array(points)).any():
                self.note(sequence, f"{where}: rejected as outside, and it is not")
        else:
            log_w = self._measured(sequence, chain, body, where)
        stated = -math.inf if body["log_w_new"] is None else body["log_w_new"]
        if log_w != stated:
            self.note(sequence, f"{where}: log w' is {stated}, the results say {log_w}")
        if not chain.started:
            accepted = log_w > -math.inf
        else:
            if body["step"] != chain.step + 1 or body["x"] != chain.x:
                self.note(sequence, f"{where} does not follow step {chain.step}")
            if body["log_w"] != chain.log_w:
                self.note(sequence, f"{where}: the stored weight has changed")
            self.numbers.append((sequence, self.epoch, body["chain"], chain.step + 1, body["u"]))
            accepted = accepts(chain.log_w, log_w, body["u"])
        if accepted != body["accepted"]:
            self.note(sequence, f"{where}: decided {body['accepted']}, the rule says {accepted}")
        if body["accepted"] and self.plan.is_cloud and chain.proposal is not None:
            weights = [chain.weights.get(i) for i in range(self.plan.width)]
            if body["drops"] != chain.proposal["drops"] or body["weights"] != weights:
                self.note(sequence, f"{where}: the points of the cloud have changed")
        if self.factor is None and body["why"] in {"move", "outside"}:
            self._tune(body)
        self._advance(chain, body, log_w)

    def _tune(self, body: dict[str, Any]) -> None:
        self.tune_count[body["choice"]] += 1
        if body["accepted"]:
            jump = self.plan.space.squared_jump(np.array([body["x"]]), np.array([body["proposal"]]))
            self.tune_sum[body["choice"]] += float(jump[0])

    def _measured(self, sequence: int, chain: _Chain, body: dict[str, Any], where: str) -> float:
        proposal, space = chain.proposal, self.plan.space
        if proposal is None or proposal["point"] != body["proposal"]:
            self.note(sequence, f"{where}: decided on something that was not proposed")
            return -math.inf
        needed = range(self.plan.width)
        if self.plan.is_cloud:
            inside = space.inside(np.array(proposal["drops"]))
            chain.weights |= {i: 0.0 for i in needed if not inside[i]}
        missing = [i for i in needed if i not in chain.weights]
        if missing:
            self.note(sequence, f"{where}: decided before {len(missing)} results were there")
            return -math.inf
        return total(self.plan, [chain.weights[i] for i in needed])[0]

    def _advance(self, chain: _Chain, body: dict[str, Any], log_w: float) -> None:
        chain.proposal = None
        if chain.started:
            chain.step += 1
        elif not body["accepted"]:
            chain.tries += 1
        else:
            chain.started = True
        if body["accepted"]:
            chain.x, chain.log_w = body["proposal"], log_w

    # Random numbers, all at once

    def check_numbers(self) -> None:
        for epoch in range(self.epoch + 1):
            self._check_proposals([r for r in self.starts if r[1] == epoch], epoch, moving=False)
            self._check_proposals([r for r in self.moves if r[1] == epoch], epoch, moving=True)
            rows = [r for r in self.numbers if r[1] == epoch]
            drawn = acceptance_numbers(
                self.stream, epoch, [r[2] for r in rows], [r[3] for r in rows]
            )
            for row, u in zip(rows, drawn, strict=True):
                if row[4] != u:
                    self.note(row[0], f"the deciding number is {row[4]}, not {u}")
            self._check_seeds([r for r in self.seeds if r[1] == epoch], epoch)

    def _check_seeds(self, rows: list[tuple], epoch: int) -> None:
        if rows:
            place = [np.array([r[i] for r in rows]) for i in range(2, 6)]
            found = seeds(self.stream, epoch, place[0], place[1], place[2], place[3], Use.seed)
            for row, seed in zip(rows, found, strict=True):
                if row[6] != seed:
                    self.note(row[0], f"the seed is {row[6]}, not {seed}")

    def _check_proposals(self, rows: list[tuple], epoch: int, *, moving: bool) -> None:
        if not rows:
            return
        chains, steps = (np.array([r[i] for r in rows]) for i in (2, 3))
        x = np.array([r[4] for r in rows], float)
        if moving:
            factor = np.array([math.nan if r[5] is None else r[5] for r in rows])
            found = propose_moves(self.plan, self.stream, epoch, chains, steps, x, factor)
        else:
            found = propose_starts(self.plan, self.stream, epoch, chains, steps, x)
        for i, row in enumerate(rows):
            if not self._same(found, i, *row[6]):
                self.note(row[0], f"chain {row[2]} did not draw this proposal")

    def _same(
        self, found: Proposals, i: int, point: list[float], choice: int, drops: list | None
    ) -> bool:
        close = np.allclose(found.points[i], point, rtol=_CLOSE, atol=_CLOSE)
        if drops is not None:
            close &= np.allclose(found.drops[i], drops, rtol=_CLOSE, atol=_CLOSE)
        return bool(close) and found.choices[i] == choice and choice < len(FACTORS)


def audit(plan: Plan, stream: Stream, rows: Iterable[Any], head: str | None) -> Audit:
    """Check the chain of hashes, then recompute every proposal and decision.

    Args:
        plan: The campaign.
        stream: Its random numbers.
        rows: The log's rows as stored.
        head: A hash that must occur in it.
    """
    auditor = _Auditor(plan, stream)
    previous, sequence, seen = genesis(plan), 0, head is None or head == genesis(plan)
    for row in rows:
        sequence += 1
        if row.sequence != sequence:
            auditor.note(sequence, f"is missing; the next is {row.sequence}")
            sequence = row.sequence
        if link(previous, row.sequence, row.time, row.kind, row.subject, row.body) != row.hash:
            auditor.note(sequence, "the text does not belong to the hash: it has been changed")
        previous = row.hash
        seen |= row.hash == head
        try:
            auditor.read(sequence, row.kind, row.subject, json.loads(row.body))
        except (KeyError, IndexError, TypeError, ValueError) as error:
            auditor.note(sequence, f"cannot be read ({type(error).__name__}: {error})")
    auditor.check_numbers()
    if not seen:
        auditor.note(sequence, f"the log does not contain the head {head}")
    return Audit(sequence, auditor.decisions, tuple(auditor.problems[:_SHOWN]), previous)
