import numpy as np
import pytest

from thalweg.core import Certificate, Outcome
from thalweg.landscape import Discovery, Minimum, Round, Store, StoreHeader, TransitionState

CERTIFICATE = Certificate(
    gradient_norm=1e-12,
    index=0,
    zero_modes=6,
    expected_zero_modes=6,
    curvatures=(1.5, 2.5),
    log_product=3.0,
    order=2,
    method="dense eigenvalues",
    outcome=Outcome.success,
)


@pytest.fixture
def header():
    return StoreHeader(
        fingerprint="abc", name="lj3", dof=9, shape=(3, 3), labels=("Ar",) * 3, energy_unit="ε"
    )


@pytest.fixture
def make_minimum():
    def make(i, energy=None, **fields):
        fields = {"certificate": CERTIFICATE, "order": 2, "log_product": 3.0, **fields}
        energy = -3.0 + i if energy is None else energy
        return Minimum(id=i, energy=energy, x=np.arange(9.0) + i, **fields)

    return make


@pytest.fixture
def make_saddle():
    def make(i, a, b, energy=5.0, **fields):
        fields = {"certificate": CERTIFICATE, "order": 1, "log_product": 2.5, **fields}
        return TransitionState(
            id=i,
            energy=energy,
            x=np.arange(9.0) - i,
            minimum_a=a,
            minimum_b=b,
            negative_curvature=-0.25,
            direction=np.ones(9) / 3,
            **fields,
        )

    return make


@pytest.fixture
def first_round(make_minimum, make_saddle):
    """Three minima, two of them joined, and a degenerate rearrangement."""
    return Round(
        number=0,
        kind="climb",
        attempts=7,
        minima=[make_minimum(i) for i in range(3)],
        transition_states=[make_saddle(0, 0, 1), make_saddle(1, 1, 1, energy=6.0)],
        discoveries=[
            Discovery(kind="minimum", id=0, count=2),
            Discovery(kind="minimum", id=1, source=0),
            Discovery(kind="minimum", id=1, source=0),
            Discovery(kind="minimum", id=2),
            Discovery(kind="transition_state", id=0, source=0),
            Discovery(kind="transition_state", id=1, source=1),
        ],
        state={"next": [1, 2], "key": "0x1"},
    )


@pytest.fixture
def store(tmp_path, header, first_round):
    with Store.open(tmp_path / "lj3.db", header) as store:
        store.begin_run({"budget": 1}, {"thalweg": "0"}, "0")
        store.commit_round(first_round)
        yield store
