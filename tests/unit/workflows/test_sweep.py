"""Sweeps resume, keep to their budgets, and survive a map that fails."""

import jax.numpy as jnp
import pytest

from thalweg.core import ArgumentError, System
from thalweg.viz import plot_trees
from thalweg.workflows import sweep, sweep_trees
from thalweg.workflows._sweep import _due


def well(name, tilt=0.0, wrong=False):
    def energy(x):
        value = (x[0] ** 2 - 1) ** 2 + tilt * x[0] + 0.5 * x[1] ** 2
        return jnp.where(wrong, jnp.nan, value)

    return System(energy, shape=(2,), name=name, length=1.0)


WISHES = {"quenches": 8, "searches": 4, "climbs": 8, "coverage": 0.5}


def test_a_sweep_maps_each_once_and_goes_on(tmp_path):
    systems = [well("flat well"), well("tilted", 0.2)]
    rounds = []
    first = sweep(
        systems, tmp_path, report=lambda system, now: rounds.append((system.name, now.kind)),
        interrupted=lambda: len(rounds) == 1, **WISHES,
    )  # fmt: skip
    assert first.interrupted
    assert rounds == [("flat well", "minimise")]
    assert first.entries[1].ended == "not begun"
    done = []
    second = sweep(systems, tmp_path, done=lambda entry: done.append(entry.name), **WISHES)
    assert done == ["flat well", "tilted"]
    assert [entry.minima for entry in second.entries] == [2, 2]
    assert [entry.transition_states for entry in second.entries] == [1, 1]
    assert second.entries[0].store.name == "flat-well.db"
    assert not second.interrupted
    third = sweep(systems, tmp_path, done=lambda entry: done.append(entry.name), **WISHES)
    assert len(done) == 2, "a complete map is left alone"
    assert third.table()["minima"].tolist() == [2, 2]
    panels = sweep_trees(third, systems)
    assert [panel.title for panel in panels] == ["flat well", "tilted"]
    figure = plot_trees(panels)
    limits = [ax.get_ylim() for ax in figure.axes]
    assert limits[0] == limits[1]
    own = plot_trees(panels, same_scale=False, columns=1)
    assert own.axes[0].get_ylim() != own.axes[1].get_ylim()


def test_a_budget_is_for_all_runs(tmp_path):
    (tmp_path / "w.db").touch()
    entry = {"reason": "budget", "seconds": 5.0}
    assert not _due(entry, tmp_path / "w.db", 5.0)
    assert _due(entry, tmp_path / "w.db", 6.0)
    assert _due(entry, tmp_path / "w.db", None)
    assert _due(entry, tmp_path / "other.db", 5.0)


def test_a_map_that_fails_is_noted(tmp_path):
    found = sweep([well("wrong", wrong=True)], tmp_path, **WISHES)
    assert found.entries[0].failed
    assert found.entries[0].ended
    assert sweep_trees(found, [well("wrong", wrong=True)]) == []


def test_wrong_calls(tmp_path):
    with pytest.raises(ArgumentError, match="no systems"):
        sweep([], tmp_path)
    with pytest.raises(ArgumentError, match="two systems"):
        sweep([well("a"), well("a")], tmp_path)
    (tmp_path / "sweep.json").write_text("{")
    with pytest.raises(ArgumentError, match="cannot be read"):
        sweep([well("a")], tmp_path, **WISHES)
    with pytest.raises(ArgumentError, match="no trees"):
        plot_trees([])
