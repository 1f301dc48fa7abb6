"""Filling a plate."""

import math
from collections.abc import Sequence

import numpy as np

from ._change import Change
from ._moves import Proposals, acceptance_numbers, propose_moves, propose_starts
from ._plate import free_wells
from ._random import Purpose as Use
from ._random import Stream, bits, fold_in
from ._records import Purpose, Request
from ._state import OPEN

_PAIR = 2
"""Repeats of one point on one plate: two give a variance."""

_FREE_STEPS = 100_000
"""Rounds of steps without a measurement in one call; reached only if no proposal can be inside."""


def ask(
    change: Change, number: int | None, lease: int | float | None, *, repeats: bool | None
) -> list[Request]:
    """Offer wells: those whose lease is over, those of begun proposals, those of new ones.

    Args:
        change: The transaction.
        number: How many; `None` for a plate, or for all that chains can use.
        lease: Seconds after which a well without a result is offered again.
        repeats: Whether spare wells measure the noise; `None`: those of a plate that is not empty.
    """
    positions = _Positions(change)
    room = number if number is not None else positions.capacity
    until = None if lease is None else change.seconds + lease
    offered = _renew(change, positions, room, until)
    filler = _Filler(change, positions, until)
    filler.issue_open(_room(room, offered))
    while (left := _room(room, offered + filler.ids)) and filler.propose(left):
        filler.issue_open(_room(room, offered + filler.ids))
    if repeats is None:
        repeats = change.plan.layout is not None and bool(offered or filler.ids)
    if repeats and room is not None:
        filler.repeat(room - len(offered) - len(filler.ids))
    return [change.state.pending[name] for name in offered + filler.ids]


def _room(room: int | None, used: Sequence[str]) -> int:
    return 2**31 if room is None else max(0, room - len(used))


class _Positions:
    """Wells of new plates, in random order, so that no chain always sits at the edge."""

    def __init__(self, change: Change):
        plan = change.plan
        self._stream, self._plate = change.stream, change.state.tally.plates
        self._wells = [] if plan.layout is None else free_wells(plan.layout, plan.controls)
        self._left: list[str] = []
        self.capacity = len(self._wells) or None

    def next(self) -> tuple[int | None, str | None]:
        """Plate and well."""
        if not self._wells:
            return None, None
        if not self._left:
            self._plate += 1
            order = self._stream.shuffled(self._plate, len(self._wells))
            self._left = [self._wells[i] for i in reversed(order)]
        return self._plate, self._left.pop()


def _renew(
    change: Change, positions: _Positions, room: int | None, until: int | float | None
) -> list[str]:
    """Offer again what has been out for too long: the same ids, new places on the new plate."""
    over = [
        request.id
        for request in change.state.pending.values()
        if request.until is not None and request.until <= change.seconds
    ][: room if room is not None else None]
    for name in over:
        plate, well = positions.next()
        change.add("offered", name, {"until": until, "plate": plate, "well": well})
    return over


class _Filler:
    """Adds proposals and wells to a transaction."""

    def __init__(self, change: Change, positions: _Positions, until: int | float | None):
        self._change, self._positions, self._until = change, positions, until
        self._rounds = 0
        self.ids: list[str] = []

    def propose(self, room: int) -> bool:
        """Let the chains that lag most propose, enough of them for the room; whether any did."""
        change = self._change
        plan, stream, state = change.plan, change.stream, change.state
        ready = state.ready()[: math.ceil(room / plan.width)]
        self._rounds += 1
        if not len(ready) or self._rounds > _FREE_STEPS:
            return False
        starting, moving = ready[~state.started[ready]], ready[state.started[ready]]
        if len(starting):
            tries = state.tries[starting]
            found = propose_starts(
                plan, stream, state.epoch, starting, tries, self._known(starting)
            )
            self._begin(starting, found, None)
        if len(moving):
            steps = state.step[moving] + 1
            factor = np.full(len(moving), np.nan if state.factor is None else state.factor)
            found = propose_moves(plan, stream, state.epoch, moving, steps, state.x[moving], factor)
            numbers = acceptance_numbers(stream, state.epoch, moving.tolist(), steps.tolist())
            self._begin(moving, found, numbers)
        change.freeze()
        return True

    def _known(self, chains: np.ndarray) -> np.ndarray:
        state = self._change.state
        return np.where(state.placed[chains, None], state.x[chains], np.nan)

    def _begin(self, chains: np.ndarray, found: Proposals, numbers: list[float] | None) -> None:
        change, space = self._change, self._change.plan.space
        if change.plan.is_cloud:
            possible = np.any(space.inside(found.drops), axis=1)
        else:
            possible = space.inside(found.points)
        rows = zip(
            chains.tolist(),
            found.points.tolist(),
            found.choices.tolist(),
            found.drops.tolist(),
            np.asarray(possible).tolist(),
            numbers if numbers is not None else [None] * len(chains),
            strict=True,
        )
        for chain, point, choice, drops, some, u in rows:
            if not some and u is not None:
                change.reject_outside(chain, point, choice, u)
                continue
            body = {"chain": chain, "point": point, "choice": choice}
            if change.plan.is_cloud:
                body["drops"] = drops
            change.add("proposed", change.place(chain), body)
            if not change.state.missing[chain]:
                change.decide([chain])  # a first cloud with no point in the box

    def issue_open(self, room: int) -> None:
        """Ask for wells of proposals that wait for them, the chain furthest behind first."""
        state = self._change.state
        chains, slots = np.nonzero((state.slot == OPEN) & state.active[:, None])
        order = np.lexsort((slots, chains, state.step[chains]))[:room]
        chains, slots = chains[order], slots[order]
        if not len(chains):
            return
        attempts = state.slot_attempt[chains, slots]
        seeds = self._seeds(chains, slots, attempts, Use.seed)
        points = state.new_drops[chains, slots] if self._change.plan.is_cloud else None
        if points is None:
            points = state.proposal[chains]
        for c, slot, attempt, seed, point in zip(
            chains.tolist(), slots.tolist(), attempts.tolist(), seeds, points.tolist(), strict=True
        ):
            started = bool(state.started[c])
            name = f"{self._change.place(c)}-r{slot}" + (f"-a{attempt}" if attempt else "")
            purpose = Purpose.move if started else Purpose.start
            step = int(state.step[c]) + 1 if started else 0
            self._ask(name, purpose, (c, step, slot, attempt), point, seed)

    def repeat(self, room: int) -> None:
        """Ask for the present points of some chains again, in pairs, in turns."""
        state = self._change.state
        started = np.nonzero(state.started)[0]
        pairs = min(room // _PAIR, len(started))
        if pairs < 1:
            return
        first = state.tally.repeats // _PAIR
        chains = started[(first + np.arange(pairs)) % len(started)].repeat(_PAIR)
        numbers = state.tally.repeats + np.arange(len(chains))
        steps = state.step[chains]
        seeds = self._seeds(chains, numbers, np.zeros_like(numbers), Use.repeat)
        picked = self._picked(chains)
        for c, step, number, seed, (point, weight) in zip(
            chains.tolist(), steps.tolist(), numbers.tolist(), seeds, picked, strict=True
        ):
            name = f"{state.tag}-c{c}-s{step}-n{number}"
            self._ask(name, Purpose.repeat, (c, step, 0, 0), point, seed, stored=weight)

    def _picked(self, chains: np.ndarray) -> list[tuple[list[float], float]]:
        """The present point of each chain and its stored weight; of a cloud, one of its points.

        Chosen by its share of the cloud, a point and its weight are distributed as a single
        chain's are.
        """
        state, stream = self._change.state, self._change.stream
        if not self._change.plan.is_cloud:
            weights = np.exp(state.log_w[chains])
            return list(zip(state.x[chains].tolist(), weights.tolist(), strict=True))
        u = stream.uniform(state.epoch, chains, state.step[chains], Use.repeat, 1)
        share = np.cumsum(np.abs(state.weights[chains]), axis=1)
        slots = np.argmax(u * share[:, -1:] < share, axis=1)
        points, weights = state.drops[chains, slots], state.weights[chains, slots]
        return list(zip(points.tolist(), weights.tolist(), strict=True))

    def _seeds(
        self, chains: np.ndarray, slots: np.ndarray, attempts: np.ndarray, use: Use
    ) -> list[int]:
        """A seed for each well: by place, slot and attempt (a start's tries count as attempts)."""
        state, stream = self._change.state, self._change.stream
        started = state.started[chains]
        steps = np.where(started, state.step[chains] + 1, 0)
        attempts = attempts + np.where(started, 0, state.tries[chains]) * 2**12
        return seeds(stream, state.epoch, chains, steps, slots, attempts, use)

    def _ask(
        self,
        name: str,
        purpose: Purpose,
        place: tuple[int, int, int, int],
        point: list[float],
        seed: int,
        stored: float | None = None,
    ) -> None:
        chain, step, replicate, attempt = place
        plate, well = self._positions.next()
        body = {
            "purpose": purpose.value,
            "chain": chain,
            "step": step,
            "replicate": replicate,
            "attempt": attempt,
            "conditions": self._change.plan.space.values(point),
            "seed": seed,
            "assay": self._change.state.assay,
            "plate": plate,
            "well": well,
            "until": self._until,
        }
        if stored is not None:
            body["stored"] = stored
        self._change.add("asked", name, body)
        self.ids.append(name)


def seeds(
    stream: Stream,
    epoch: int,
    chains: np.ndarray,
    steps: np.ndarray,
    slots: np.ndarray,
    attempts: np.ndarray,
    use: Use,
) -> list[int]:
    """A number below 2⁶³ for each well, of its own for each place, slot and attempt."""
    keys = fold_in(fold_in(stream.key(epoch, chains, steps, use), slots), attempts)
    return (bits(keys, 1)[:, 0] >> np.uint64(1)).tolist()
