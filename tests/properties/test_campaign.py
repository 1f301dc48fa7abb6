"""Whatever the order in which wells are asked for and told, every chain is the same."""

import jaxtyping
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

from thalweg.sampling.campaign import Campaign, Cloud, Measurement, Range, Single

CHAINS, STEPS = 4, 4
SPACE = [Range("x", -1, 1, step=0.6), Range("phi", 0, 6, step=2, periodic=True)]


@pytest.fixture(autouse=True, scope="module")
def unchecked():
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def result(request):
    if request.seed % 11 == 0:
        return Measurement(request.id, status="lost")
    z = ndtri((request.seed + 0.5) / 2.0**63)
    return Measurement(request.id, float(np.exp(z - request.conditions["x"])))


def chains(kernel, plan):
    """Decisions up to a common step; `plan` says how many wells to ask for and which to tell."""
    with Campaign.create(":memory:", SPACE, chains=CHAINS, kernel=kernel, key=1) as campaign:
        while campaign.status().common_step < STEPS:
            size, order, share, twice = next(plan)
            campaign.ask(size)
            wells = campaign.pending()
            order.shuffle(wells)
            told = [result(r) for r in wells[: max(1, round(share * len(wells)))]]
            campaign.tell_many(told + told[:twice])
        assert campaign.verify().ok
        table = campaign.decisions()
        return table[table["step"] <= STEPS].reset_index(drop=True)


class InOrder:
    """A shuffle that is none."""

    def shuffle(self, _wells):
        pass


@pytest.mark.parametrize("kernel", [Single(2), Cloud(3)], ids=["single", "cloud"])
@settings(max_examples=8)
@given(data=st.data())
def test_order_does_not_matter(kernel, data):
    def any_order():
        while True:
            yield (
                data.draw(st.integers(1, 12)),
                data.draw(st.randoms(use_true_random=False)),
                data.draw(st.floats(0.3, 1.0)),
                data.draw(st.integers(0, 3)),
            )

    def in_order():
        while True:
            yield 100, InOrder(), 1.0, 0

    assert chains(kernel, any_order()).equals(chains(kernel, in_order()))
