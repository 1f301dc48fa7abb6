"""Where every chain stands: the log, folded."""

import dataclasses
import json
import math
from typing import Any

import numpy as np

from ._log import Event
from ._plan import FACTORS, Plan
from ._records import Purpose, Request

OPEN, OUT, DONE = 0, 1, 2
"""A slot of a proposal: to be asked for, asked for, known."""


@dataclasses.dataclass
class Tally:
    """Counts over the whole campaign."""

    asked: int = 0
    told: int = 0
    lost: int = 0
    censored: int = 0
    conflicts: int = 0
    observed: int = 0
    late: int = 0
    repeats: int = 0
    plates: int = 0


class State:
    """Everything that the next decision depends on. Only `apply` changes it.

    Arrays have one row for each chain; `slot` arrays one column for each well of a proposal.
    """

    def __init__(self, plan: Plan, head: str):
        self.plan = plan
        self.sequence = 0
        self.head = head
        self.epoch = 0
        self.assay = plan.assay
        self.factor: float | None = None if plan.tune else 1.0
        self.tally = Tally()
        self.pending: dict[str, Request] = {}
        self.tune_sum = np.zeros(len(FACTORS))
        self.tune_count = np.zeros(len(FACTORS), int)
        self.tune_table: list[list[float]] = []
        n, wells, dof = plan.chains, plan.width, plan.space.dof
        self.placed = np.zeros(n, bool)
        self.x = np.full((n, dof), np.nan)
        self.drops = np.full((n, wells if plan.is_cloud else 0, dof), np.nan)
        self.slot_value = np.zeros((n, wells))
        self._begin()

    def _begin(self) -> None:
        """All chains before their first step; their points stay where they are."""
        plan = self.plan
        n, wells = plan.chains, plan.width
        self.tag = tag(plan, self.epoch)
        self.step = np.zeros(n, int)
        self.tries = np.zeros(n, int)
        self.started = np.zeros(n, bool)
        self.log_w = np.full(n, -math.inf)
        self.weights = np.zeros((n, wells if plan.is_cloud else 0))
        self.active = np.zeros(n, bool)
        self.proposal = np.full_like(self.x, np.nan)
        self.choice = np.zeros(n, int)
        self.new_drops = np.full_like(self.drops, np.nan)
        self.slot = np.full((n, wells), DONE, np.int8)
        self.slot_attempt = np.zeros((n, wells), int)
        self.missing = np.zeros(n, int)
        self.moves = np.zeros(n, int)
        self.run = np.zeros(n, int)
        self.longest = np.zeros(n, int)
        self.replicate_sum, self.replicate_dof = 0.0, 0
        self.stored: dict[str, float] = {}
        self.repeats: list[tuple[int, int, float, float]] = []

    @property
    def tuning(self) -> bool:
        """Whether the steps are still being chosen."""
        return self.factor is None

    @property
    def common_step(self) -> int:
        """The step that every chain has reached."""
        return int(self.step.min()) if self.started.all() else 0

    def ready(self) -> np.ndarray:
        """Chains that can propose, the one furthest behind first."""
        free = ~self.active
        if self.tuning:
            free &= self.step < self.plan.burn_in
        indices = np.nonzero(free)[0]
        return indices[np.argsort(self.step[indices], kind="stable")]

    # A copy of it all

    def dump(self) -> str:
        """Everything as JSON."""
        kept = {key: value for key, value in vars(self).items() if key != "plan"}
        arrays = {k: v.tolist() for k, v in kept.items() if isinstance(v, np.ndarray)}
        plain = {
            "tally": dataclasses.asdict(self.tally),
            "pending": [dataclasses.asdict(r) for r in self.pending.values()],
        }
        rest = {k: v for k, v in kept.items() if k not in arrays and k not in plain}
        return json.dumps({"arrays": arrays, "rest": rest, **plain}, sort_keys=True)

    def load(self, text: str) -> None:
        """Become what `dump` wrote."""
        body = json.loads(text)
        for key, values in body["arrays"].items():
            old = getattr(self, key)
            setattr(self, key, np.array(values, old.dtype).reshape(old.shape))
        for key, value in body["rest"].items():
            setattr(self, key, value)
        self.repeats = [(c, step, stored, w) for c, step, stored, w in self.repeats]
        self.tally = Tally(**body["tally"])
        requests = [Request(**{**r, "purpose": Purpose(r["purpose"])}) for r in body["pending"]]
        self.pending = {request.id: request for request in requests}

    # Folding

    def apply(self, event: Event) -> None:
        """Take one event in."""
        _APPLY[event.kind](self, event.subject, event.body)
        self.sequence, self.head = event.sequence, event.hash

    def _proposed(self, _subject: str | None, body: dict[str, Any]) -> None:
        c = body["chain"]
        self.active[c] = True
        self.proposal[c] = body["point"]
        self.choice[c] = body["choice"]
        self.slot[c] = OPEN
        self.slot_attempt[c] = 0
        self.slot_value[c] = 0.0
        self.missing[c] = self.plan.width
        if self.plan.is_cloud:
            self.new_drops[c] = body["drops"]
            beyond = ~self.plan.space.inside(self.new_drops[c])
            self.slot[c, beyond] = DONE
            self.missing[c] -= int(beyond.sum())

    def _asked(self, subject: str | None, body: dict[str, Any]) -> None:
        request = Request(
            id=str(subject),
            conditions=body["conditions"],
            chain=body["chain"],
            step=body["step"],
            replicate=body["replicate"],
            attempt=body["attempt"],
            purpose=Purpose(body["purpose"]),
            seed=body["seed"],
            assay=body["assay"],
            plate=body["plate"],
            well=body["well"],
            until=body["until"],
        )
        self.pending[request.id] = request
        self.tally.asked += 1
        self.tally.plates = max(self.tally.plates, request.plate or 0)
        if request.purpose is Purpose.repeat:
            self.tally.repeats += 1
            self.stored[request.id] = body["stored"]
        else:
            self.slot[request.chain, request.replicate] = OUT

    def _offered(self, subject: str | None, body: dict[str, Any]) -> None:
        request = dataclasses.replace(self.pending[str(subject)], **body)
        self.pending[request.id] = request
        self.tally.plates = max(self.tally.plates, request.plate or 0)

    def _told(self, subject: str | None, body: dict[str, Any]) -> None:
        request = self.pending.pop(str(subject))
        self.tally.told += 1
        c, slot = request.chain, request.replicate
        repeat = request.purpose is Purpose.repeat
        stored = self.stored.pop(request.id, 0.0)
        if body["status"] == "lost":
            self.tally.lost += 1
            if not repeat:
                self.slot[c, slot] = OPEN
                self.slot_attempt[c, slot] += 1
            return
        self.tally.censored += body["status"] == "censored"
        if repeat:
            self.repeats.append((c, request.step, stored, body["weight"]))
            return
        self.slot[c, slot] = DONE
        self.slot_value[c, slot] = body["weight"]
        self.missing[c] -= 1

    def _decided(self, _subject: str | None, body: dict[str, Any]) -> None:
        c = body["chain"]
        why, accepted = body["why"], body["accepted"]
        if why != "outside":
            self._learn_noise(c)
        self.active[c] = False
        if why == "start" and not accepted:
            self.tries[c] += 1
            return
        if why == "start":
            self.started[c] = self.placed[c] = True
        else:
            self.step[c] = body["step"]
            self.moves[c] += accepted
            self.run[c] = 0 if accepted else self.run[c] + 1
            self.longest[c] = max(self.longest[c], self.run[c])
            if self.tuning and why != "refresh":
                self.tune_count[body["choice"]] += 1
                self.tune_sum[body["choice"]] += body["jump"] if accepted else 0.0
        if accepted:
            self.x[c] = body["proposal"]
            self.log_w[c] = body["log_w_new"]
            if self.plan.is_cloud:
                self.drops[c] = body["drops"]
                self.weights[c] = body["weights"]

    def _learn_noise(self, c: int) -> None:
        """Scatter of the logarithms of planned replicates."""
        if self.plan.is_cloud or self.plan.width == 1:
            return
        values = np.abs(self.slot_value[c])
        logs = np.log(values[values > 0])
        if logs.size > 1:
            self.replicate_sum += float(np.sum((logs - logs.mean()) ** 2))
            self.replicate_dof += logs.size - 1

    def _conflict(self, _subject: str | None, _body: dict[str, Any]) -> None:
        self.tally.conflicts += 1

    def _observed(self, _subject: str | None, _body: dict[str, Any]) -> None:
        self.tally.observed += 1

    def _late(self, _subject: str | None, _body: dict[str, Any]) -> None:
        self.tally.late += 1

    def _tuned(self, _subject: str | None, body: dict[str, Any]) -> None:
        self.factor = body["factor"]
        self.tune_table = body["table"]

    def _assay(self, _subject: str | None, body: dict[str, Any]) -> None:
        """Stored weights of another assay are worth nothing: every chain begins where it is."""
        self.assay = body["version"]
        self.epoch += 1
        self.pending.clear()
        self._begin()


def tag(plan: Plan, epoch: int) -> str:
    """Four letters that tell this campaign's ids from another's, and one assay's from another's."""
    number = int(plan.fingerprint[8:16], 16) + epoch
    return "".join(chr(97 + number // 26**i % 26) for i in range(4))


_APPLY = {
    "proposed": State._proposed,
    "asked": State._asked,
    "offered": State._offered,
    "told": State._told,
    "decided": State._decided,
    "conflict": State._conflict,
    "observed": State._observed,
    "late": State._late,
    "tuned": State._tuned,
    "assay": State._assay,
}
