"""The graph of a flow in a landscape store: what goes in comes out, and what is refused."""

import dataclasses
import sqlite3

import numpy as np
import pytest

from thalweg.core import StoreError, StoreMismatchError
from thalweg.landscape import (
    Discovery,
    FlowLink,
    FlowNode,
    Landscape,
    Round,
    Store,
    StoreHeader,
)

FLOW = StoreHeader(fingerprint="f", name="toggle", dof=2, kind="flow", system={"discrete": False})
NONE = np.zeros((0, 2))
LOOP = np.stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)], 1)


def node(number, kind="rest", unstable=0, values=(-1.0, -2.0), **fields):
    return FlowNode(
        id=number,
        kind=kind,
        x=np.array([0.5 + number, -1.0]),
        unstable=unstable,
        eigenvalues=np.array(values, complex),
        **{"loop": NONE, "residual": 1e-15, "doubt": 1e-12, **fields},
    )


NODES = [
    node(0, values=(-1 + 2j, -1 - 2j)),
    node(1),
    node(2, "saddle", 1, (0.5, -2.0)),
    node(3, "cycle", values=(1.0, 0.1), period=6.25, loop=LOOP),
]
LINKS = [FlowLink(2, 0, 1, 0.5, "attractor", 0), FlowLink(2, 0, -1, 0.5, "blown up", None)]


def filled(path):
    store = Store.open(path, FLOW)
    store.begin_run({"starts": 8}, {"thalweg": "0"}, "0")
    store.commit_round(Round(number=0, kind="rests", nodes=NODES[:3], state={"newton_starts": 8}))
    found = [Discovery(kind="node", id=0, count=3), Discovery(kind="node", id=3, count=4)]
    totals = {"newton_starts": 8, "starts": 9, "blown_up": 2, "undecided": 0}
    brought = {"nodes": NODES[3:], "discoveries": found, "links": LINKS}
    store.commit_round(Round(number=1, kind="starts", state=totals, **brought))
    return store


def test_a_graph_comes_back(tmp_path):
    with filled(tmp_path / "flow.db") as store:
        assert (store.n_nodes, store.n_minima, store.next_round) == (4, 0, 2)
        assert store.integrity().problems == ()
    with Landscape.open(tmp_path / "flow.db") as again:
        graph = again.flow
        assert "Landscape(" in repr(again)
        assert again.header == FLOW
    assert [n.hits for n in graph.nodes] == [3, 0, 0, 4]
    assert (graph.starts, graph.blown_up, graph.undecided, graph.discrete) == (9, 2, 0, False)
    for old, new in zip(NODES, graph.nodes, strict=True):
        for field in dataclasses.fields(FlowNode):
            if field.name != "hits":
                np.testing.assert_array_equal(getattr(old, field.name), getattr(new, field.name))
    assert graph.links == LINKS
    assert [n.periodic for n in graph.nodes] == [False, False, False, True]


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.load_network(),
        lambda store: store.points("minimum"),
        lambda store: store.minima(),
        lambda store: store.minimum(0),
        lambda store: store.frame("minima"),
        lambda store: store.attempts(),
        lambda store: Landscape(store).completeness,
    ],
)
def test_what_needs_an_energy_says_so(tmp_path, ask):
    with filled(tmp_path / "flow.db") as store:
        with pytest.raises(
            StoreError, match=r"flow.db holds the graph of a flow \(toggle\)"
        ) as told:
            ask(store)
        assert "thalweg info" in told.value.hint
        assert store.frame("nodes")["kind"].tolist() == ["rest", "rest", "saddle", "cycle"]


def test_kinds_do_not_mix(tmp_path, store, header, make_minimum):
    with pytest.raises(StoreError, match="holds the landscape of an energy"):
        store.graph()
    with pytest.raises(StoreError, match="another kind"):
        store.commit_round(Round(number=1, kind="rests", nodes=[node(0)]))
    with pytest.raises(
        StoreMismatchError, match=r"belongs to the system 'lj3'.* the flow 'toggle'"
    ):
        Store.open(tmp_path / "lj3.db", FLOW)
    with filled(tmp_path / "flow.db") as flow:
        with pytest.raises(StoreError, match="another kind"):
            flow.commit_round(Round(number=2, kind="minimise", minima=[make_minimum(0)]))
        with pytest.raises(StoreError, match="ids must be 4"):
            flow.commit_round(Round(number=2, kind="starts", nodes=[node(7)]))
        with pytest.raises(StoreMismatchError, match="belongs to the flow 'toggle'"):
            Store.open(tmp_path / "flow.db", dataclasses.replace(FLOW, fingerprint="g"))
        with pytest.raises(StoreMismatchError, match=r"belongs to the flow 'toggle'.* 'lj3'"):
            Store.open(tmp_path / "flow.db", header)
        lost = [FlowLink(2, 0, 1, 0.5, "attractor", 77)]
        with pytest.raises(StoreError, match="contradicts"):
            flow.commit_round(Round(number=2, kind="ways", links=lost))
        assert flow.integrity().ok, "a failed round must leave nothing behind"


@pytest.mark.parametrize(
    ("statement", "symptom"),
    [
        ("UPDATE nodes SET hits = 9 WHERE id = 0", "other hits"),
        ("UPDATE nodes SET x = x'00' WHERE id = 0", "number of coordinates"),
        ("UPDATE nodes SET eigenvalues = x'' WHERE id = 0", "without their spectrum"),
        ("UPDATE nodes SET unstable = 1 WHERE id = 0", "attractors with unstable"),
        ("UPDATE nodes SET unstable = 0 WHERE id = 2", "saddles without unstable"),
        ("UPDATE nodes SET kind = 'source' WHERE id = 2", "sources with stable"),
        ("UPDATE nodes SET period = NULL WHERE id = 3", "without a period"),
        ("UPDATE nodes SET loop = x'' WHERE id = 3", "without their points"),
        ("UPDATE nodes SET kind = 'hill' WHERE id = 2", "unknown kind"),
        ("UPDATE links SET target = NULL WHERE target = 0", "contradicts"),
        ("UPDATE links SET direction = 1 WHERE target = 0", "not unstable"),
        ("DELETE FROM nodes WHERE id = 0", "not there"),
    ],
)
def test_integrity_names_the_problem(tmp_path, statement, symptom):
    with filled(tmp_path / "flow.db") as store:
        connection = sqlite3.connect(tmp_path / "flow.db")
        connection.execute(statement)
        connection.commit()
        connection.close()
        problems = store.integrity().problems
    assert any(symptom in problem for problem in problems), problems


def test_stores_of_the_first_version_still_open(tmp_path, store, header):
    """Those knew no flows: neither `kind` nor the tables of one."""
    store.close()
    connection = sqlite3.connect(tmp_path / "lj3.db")
    connection.executescript(
        "DROP TABLE links; DROP TABLE nodes; DELETE FROM meta WHERE key = 'kind';"
        "UPDATE meta SET value = '1' WHERE key = 'schema_version'"
    )
    connection.close()
    with Store.open(tmp_path / "lj3.db", header) as old:
        assert old.header.kind == "energy"
        old.commit_round(
            Round(number=1, kind="climb", discoveries=[Discovery(kind="minimum", id=0)])
        )
        assert old.minimum(0).hits == 3
        assert old.integrity().problems == ()
        assert old.load_network(points=True).n_minima == 3
