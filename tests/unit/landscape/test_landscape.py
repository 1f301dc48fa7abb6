import numpy as np
import pytest

from thalweg.core import StoreError, solve_many
from thalweg.energies import system
from thalweg.landscape import Collector, Discovery, Landscape, Round, Store
from thalweg.search import Climb, EigenvectorFollowing
from thalweg.workflows import explore, store_header


def test_frames(store):
    landscape = Landscape(store)
    minima, saddles = landscape.minima, landscape.transition_states
    assert list(minima.columns[:6]) == [
        "id",
        "energy",
        "order",
        "log_product",
        "hits",
        "component",
    ]
    assert minima["component"].tolist() == [0, 0, 1]
    assert saddles["minimum_b"].tolist() == [1, 1]
    assert saddles["negative_curvature"].tolist() == [-0.25, -0.25]
    assert landscape.minimum(2).id == 2
    assert landscape.transition_state(1).degenerate
    assert landscape.points().shape == (3, 9)
    assert "3 minima" in repr(landscape)
    assert landscape.integrity().ok


def test_completeness_counts_hits(store):
    completeness = Landscape(store).completeness
    assert completeness.minima.observed == 3
    assert completeness.minima.doubletons == 2
    assert completeness.transition_states.singletons == 2
    assert "minima 3 of" in str(completeness)
    assert Landscape(store).estimate("chao1").minima.method == "chao1"


def test_refresh_reads_again(store):
    landscape = Landscape(store)
    assert landscape.minima["hits"].sum() == 5
    store.commit_round(Round(number=1, kind="climb", discoveries=[Discovery(kind="minimum", id=0)]))
    assert landscape.minima["hits"].sum() == 5
    landscape.refresh()
    assert landscape.minima["hits"].sum() == 6
    assert landscape.network.hits.sum() == 6


def test_open_and_close(store, tmp_path):
    with Landscape.open(tmp_path / "lj3.db") as landscape:
        assert landscape.header.name == "lj3"
    with pytest.raises(StoreError, match="no file"):
        Landscape.open(tmp_path / "none.db")


def test_climbs_from_elsewhere(tmp_path):
    """Transition states that another landscape knew: nothing was searched from its own minima."""
    cluster = system("lj7")
    known = explore(cluster, tmp_path / "known.db", key=0, transition_states=2, budget=60)
    points = known.landscape.store.transition_states()
    start = Climb(np.stack([p.x for p in points]), np.stack([p.direction for p in points]))
    with Store.open(tmp_path / "new.db", store_header(cluster)) as store:
        store.begin_run({}, {}, "0")
        collector = Collector(cluster, store)
        finished = solve_many(cluster, EigenvectorFollowing(), start)
        collector.saddles(finished, np.arange(len(points)))
        collector.commit("climb", len(points), 1.0, {"item": len(points)})
        assert store.n_transition_states == len(points)
        assert store.n_minima >= 2
        assert not store.attempts()
