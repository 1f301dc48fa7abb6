import dataclasses
import os
import signal
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from thalweg.core import Outcome, StoreError, StoreMismatchError, StoreVersionError
from thalweg.landscape import (
    Attempt,
    Discovery,
    Rejected,
    Round,
    Store,
    TransitionNetwork,
    import_network,
)
from thalweg.landscape._rows import failed_searches
from thalweg.storage import _engine as engine


def test_reopened_store_holds_what_was_committed(tmp_path, header, first_round):
    with Store.open(tmp_path / "lj3.db", header) as store:
        store.commit_round(first_round)
    with Store.open(str(tmp_path / "lj3.db")) as store:
        assert store.header == header
        assert (store.n_minima, store.n_transition_states, store.next_round) == (3, 2, 1)
        assert store.state == {"next": [1, 2], "key": "0x1"}
        minimum, saddle = store.minimum(1), store.transition_state(0)
    np.testing.assert_array_equal(minimum.x, np.arange(9.0) + 1)
    assert minimum.hits == 2
    assert minimum.certificate == first_round.minima[1].certificate
    assert minimum.curvatures == (1.5, 2.5)
    assert (saddle.minimum_a, saddle.minimum_b, saddle.negative_curvature) == (0, 1, -0.25)
    np.testing.assert_array_equal(saddle.direction, np.ones(9) / 3)
    assert not saddle.degenerate


def test_network_and_records_agree(store):
    network = store.load_network(points=True)
    assert network.energies.tolist() == [m.energy for m in store.minima()]
    assert network.hits.tolist() == [2, 2, 1]
    assert network.ts_minima.tolist() == [[0, 1], [1, 1]]
    assert network.degenerate.tolist() == [False, True]
    np.testing.assert_array_equal(network.ts_points[1], store.transition_states()[1].x)


def test_rounds_count_singletons_and_doubletons(store):
    store.commit_round(
        Round(
            number=1,
            kind="climb",
            discoveries=[Discovery(kind="transition_state", id=1, source=2)],
            rejected=[Rejected(kind="minimum", outcome=Outcome.stalled, x=np.zeros(9), detail="?")],
        )
    )
    last = store.frame("rounds").iloc[-1]
    assert (last["minima"], last["minima_singletons"], last["minima_doubletons"]) == (3, 1, 2)
    assert (last["transition_states"], last["ts_singletons"], last["ts_doubletons"]) == (2, 1, 1)
    assert last["rejected"] == 1
    rejected = store.frame("rejected").iloc[0]
    assert (rejected["outcome"], rejected["round"]) == ("stalled", 1)
    assert np.isnan(rejected["energy"])


def test_failures_count_searches_and_not_rows(store):
    """A round writes one row for all of its searches that failed in one way."""
    many = [failed_searches(Outcome.escaped, "minimum", [4, 7, 9])]
    own = [Rejected(kind="minimum", outcome=Outcome.stalled, x=np.zeros(9), detail="?")]
    store.commit_round(Round(number=1, kind="climb", rejected=many + own))
    store.commit_round(Round(number=2, kind="climb", rejected=many))
    assert store.failures() == {("minimum", "escaped"): 6, ("minimum", "stalled"): 1}


def test_attempts_add_up_over_rounds_and_orders(store):
    tried = [Attempt(minimum_a=1, minimum_b=0), Attempt(minimum_a=2, count=5, successes=2)]
    store.commit_round(Round(number=1, kind="connect", searches=tried))
    again = [Attempt(minimum_a=0, minimum_b=1, successes=1), Attempt(minimum_a=2)]
    store.commit_round(Round(number=2, kind="connect", searches=again))
    assert store.attempts() == {(0, 1): (2, 1), (2, None): (6, 2)}


def test_runs_are_noted(store):
    store.end_run("interrupted")
    run = store.frame("runs").iloc[0]
    assert run["status"] == "interrupted"
    assert run["ended"]
    assert store.frame("rounds")["run"].tolist() == [0]


@pytest.mark.parametrize(
    "change",
    [
        {"number": 5},
        {"number": 0},
        {"discoveries": [Discovery(kind="minimum", id=9)]},
    ],
)
def test_a_round_that_does_not_follow_is_refused(store, change):
    batch = dataclasses.replace(Round(number=1, kind="climb"), **change)
    with pytest.raises(StoreError):
        store.commit_round(batch)
    assert store.next_round == 1
    assert store.integrity().ok


def test_ids_must_follow(store, make_minimum, make_saddle):
    with pytest.raises(StoreError, match="ids must be 3"):
        store.commit_round(Round(number=1, kind="climb", minima=[make_minimum(4)]))
    wrong = dataclasses.replace(make_minimum(3), x=np.zeros(4))
    with pytest.raises(StoreError, match="coordinates"):
        store.commit_round(Round(number=1, kind="climb", minima=[wrong]))
    lost = make_saddle(2, 0, 77)
    with pytest.raises(StoreError, match="contradicts"):
        store.commit_round(Round(number=1, kind="climb", transition_states=[lost]))
    assert store.integrity().ok, "a failed round must leave nothing behind"
    assert store.n_transition_states == len(store.transition_states()) == 2


def test_two_writers_cannot_interleave(store, tmp_path, header):
    with Store.open(tmp_path / "lj3.db", header) as other:
        other.commit_round(Round(number=1, kind="climb"))
    with pytest.raises(StoreError, match="another run"):
        store.commit_round(Round(number=1, kind="climb"))


def test_another_system_is_refused(store, tmp_path, header):
    other = dataclasses.replace(header, fingerprint="xyz", name="lj4")
    with pytest.raises(StoreMismatchError, match="belongs to the system 'lj3'"):
        Store.open(tmp_path / "lj3.db", other)


def test_newer_schema_is_refused(store, tmp_path, header):
    store.close()
    with sqlite3.connect(tmp_path / "lj3.db") as connection:
        connection.execute("UPDATE meta SET value = '999' WHERE key = 'schema_version'")
    connection.close()
    with pytest.raises(StoreVersionError, match="999"):
        Store.open(tmp_path / "lj3.db", header)


def test_files_that_are_no_stores(tmp_path, header):
    with pytest.raises(StoreError, match="no file"):
        Store.open(tmp_path / "none.db")
    with pytest.raises(StoreError, match="no folder"):
        Store.open(tmp_path / "none" / "x.db", header)
    with pytest.raises(StoreError, match="folder, not a file"):
        Store.open(tmp_path, header)
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but long enough to have a header " * 40)
    with pytest.raises(StoreError, match="not a landscape store"):
        Store.open(text, header)
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE mine (id INTEGER)")
    connection.close()
    with pytest.raises(StoreError, match="holds other tables"):
        Store.open(tmp_path / "other.db", header)
    with pytest.raises(StoreError, match="URL"):
        Store.open("://nothing", header)
    with pytest.raises(StoreError, match="no database is called"):
        Store.open("nonsense://here", header)


def test_sqlite_urls_and_memory(tmp_path, header, first_round):
    for url in (f"sqlite:///{tmp_path}/url.db", ":memory:"):
        with Store.open(url, header) as store:
            store.commit_round(first_round)
            assert store.integrity().ok
    assert (tmp_path / "url.db").exists()


def test_a_locked_file_says_so(store, tmp_path, header, monkeypatch):
    monkeypatch.setattr(engine, "_BUSY_SECONDS", 0.01)
    blocker = sqlite3.connect(tmp_path / "lj3.db", isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    try:
        with (
            Store.open(tmp_path / "lj3.db", header) as other,
            pytest.raises(StoreError, match="another process"),
        ):
            other.commit_round(Round(number=1, kind="climb"))
    finally:
        blocker.close()


def test_read_only_files_can_be_read(store, tmp_path, header, monkeypatch):
    store.close()
    # Root may write everywhere, so the permission is denied by proxy.
    monkeypatch.setattr(engine.os, "access", lambda path, mode: mode != os.W_OK)
    path = tmp_path / "lj3.db"
    with Store.open(path) as again:
        assert again.n_minima == 3
        with pytest.raises(StoreError, match="cannot be written"):
            again.commit_round(Round(number=1, kind="climb"))
    with pytest.raises(StoreError, match="cannot be written"):
        Store.open(path, header)


def test_damage_is_noticed(store, tmp_path):
    store.close()
    path = tmp_path / "lj3.db"
    data = bytearray(path.read_bytes())
    for page in range(1, len(data) // 4096):  # the first page holds the schema
        data[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(data)
    with pytest.raises(StoreError, match="damaged"):
        Store.open(path)


@pytest.mark.parametrize(
    ("statement", "symptom"),
    [
        ("UPDATE minima SET hits = 9 WHERE id = 0", "other hits"),
        ("UPDATE minima SET certificate = NULL WHERE id = 0", "no certificate"),
        ("UPDATE minima SET x = x'00' WHERE id = 0", "number of coordinates"),
        ("DELETE FROM minima WHERE id = 1", "not there"),
        ("UPDATE transition_states SET energy = -9 WHERE id = 0", "below"),
        (
            "UPDATE minima SET certificate = replace(certificate, 'success', 'wrong_index')",
            "says they failed",
        ),
        ("UPDATE rounds SET number = 4 WHERE number = 0", "numbers run from"),
    ],
)
def test_integrity_names_the_problem(store, tmp_path, statement, symptom):
    assert store.integrity().problems == ()
    connection = sqlite3.connect(tmp_path / "lj3.db")
    connection.execute(statement)
    connection.commit()
    connection.close()
    problems = store.integrity().problems
    assert any(symptom in problem for problem in problems), problems


def test_imported_points_need_no_certificate(tmp_path, header):
    network = TransitionNetwork.bare(np.array([-3.0, -2.0]), np.array([-1.0]), np.array([[0, 1]]))
    with Store.open(tmp_path / "in.db", header) as store:
        import_network(store, network)
        report = store.integrity()
        assert (report.ok, report.uncertified) == (True, 3)
        assert store.load_network().ts_energies.tolist() == [-1.0]
        with pytest.raises(StoreError, match="no coordinates"):
            store.points("minimum")
        with pytest.raises(StoreError, match="already holds"):
            import_network(store, network)


def test_unknown_ids(store):
    with pytest.raises(StoreError, match="no minima with id 8"):
        store.minimum(8)


KILLED = """
import sys
import numpy as np
from thalweg.landscape import Discovery, FlowNode, Minimum, Round, Store, StoreHeader

flow = Store.open(sys.argv[2], StoreHeader(fingerprint="k", name="k", dof=1, kind="flow"))
rest = {"kind": "rest", "x": np.zeros(1), "unstable": 0, "eigenvalues": np.array([-1 + 0j])}
with Store.open(sys.argv[1], StoreHeader(fingerprint="k", name="k", dof=0)) as store:
    for i in range(store.next_round, 10**6):
        if i == flow.next_round:
            node = FlowNode(id=i, loop=np.zeros((0, 1)), **rest)
            found = [Discovery(kind="node", id=i)]
            flow.commit_round(Round(number=i, kind="rests", nodes=[node], discoveries=found))
        store.commit_round(
            Round(
                number=i,
                kind="minimise",
                minima=[Minimum(id=i, energy=0.0, x=None, order=1, log_product=0.0)],
                discoveries=[Discovery(kind="minimum", id=i)],
                state={"done": i},
            )
        )
        print(i, flush=True)
"""


def test_kill_9_loses_nothing_that_was_reported(tmp_path):
    path, flow_path = tmp_path / "killed.db", tmp_path / "flow.db"
    reported = -1
    for rounds in (20, 35):
        child = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path), str(flow_path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        with child:
            for line in child.stdout:
                reported = int(line)
                if reported >= rounds:
                    child.send_signal(signal.SIGKILL)
                    break
        with Store.open(path) as store:
            assert store.next_round > reported
            assert store.state == {"done": store.next_round - 1}
            assert store.n_minima == store.next_round
            assert [p for p in store.integrity().problems if "certificate" not in p] == []
        with Store.open(flow_path) as store:
            assert store.n_nodes == store.next_round > reported
            assert store.integrity().problems == ()
