"""The path of a report where a landscape is in pieces: wells in a row, some passes unknown."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from typer.testing import CliRunner

from thalweg.cli._app import app
from thalweg.core import System, fingerprint
from thalweg.landscape import Discovery, Landscape, Minimum, Round, Store, StoreHeader
from thalweg.landscape import TransitionState as Saddle
from thalweg.viz import PathProfile, Unavailable
from thalweg.workflows import ReportConfig, gather_report


def wells(point):
    """Six wells at x = 0, 2, …, 10, deeper to the right."""
    x, y = point
    return -jnp.cos(jnp.pi * x) - 0.05 * x + 0.02 * jnp.cos(2.0 * x) + 2.0 * y**2


SYSTEM = System(wells, shape=(2,), name="wells")


def stationary(guess):
    x = scipy.optimize.brentq(
        lambda x: np.pi * np.sin(np.pi * x) - 0.05 - 0.04 * np.sin(2.0 * x),
        guess - 0.3,
        guess + 0.3,
    )
    point = np.array([x, 0.0])
    return point, float(wells(point))


def store_of(path, passes):
    """A store with all six wells and the passes between `i` and `i + 1` for `i` in `passes`."""
    header = StoreHeader(fingerprint=fingerprint(SYSTEM), name="wells", dof=2, shape=(2,))
    points, energies = zip(*(stationary(2.0 * i) for i in range(6)), strict=True)
    order = np.argsort(energies)
    name = {int(well): number for number, well in enumerate(order)}
    minima = [
        Minimum(id=n, energy=energies[well], x=points[well], order=1, log_product=1.0)
        for n, well in enumerate(order)
    ]
    found = []
    for number, i in enumerate(passes):
        x, energy = stationary(2.0 * i + 1.0)
        found.append(
            Saddle(
                id=number,
                energy=energy,
                x=x,
                order=1,
                log_product=1.0,
                minimum_a=name[i],
                minimum_b=name[i + 1],
                negative_curvature=-1.0,
            )
        )
    with Store.open(path, header) as store:
        store.begin_run({}, {}, "0")
        hits = [Discovery(kind="minimum", id=n, count=2) for n in range(6)]
        store.commit_round(
            Round(
                number=0,
                kind="climb",
                attempts=1,
                minima=minima,
                transition_states=found,
                discoveries=hits,
            )
        )
    return path, name


def path_of(path, **wishes):
    with Landscape.open(path) as landscape:
        return gather_report(landscape, ReportConfig(modes=2, **wishes), system=SYSTEM).path


def ends(profile):
    assert isinstance(profile, PathProfile)
    return {int(profile.station_ids[0]), int(profile.station_ids[-1])}


def test_the_path_stays_in_the_piece_of_the_global_minimum(tmp_path):
    path, name = store_of(tmp_path / "two.db", [0, 1, 3, 4])
    found = path_of(path)
    right = {name[3], name[4], name[5]}
    assert 0 in ends(found)
    assert ends(found) <= right
    best = min(name[i] for i in (0, 1, 2))
    assert f"Minimum {best} (energy" in found.note
    assert "another piece" in found.note


def test_a_global_minimum_that_nothing_is_joined_to(tmp_path):
    path, name = store_of(tmp_path / "alone.db", [0, 1, 3])
    lowest = next(well for well, number in name.items() if number == 0)
    assert lowest == 5
    found = path_of(path)
    assert ends(found) <= {name[0], name[1], name[2]}
    assert "The global minimum 0 (energy" in found.note


@pytest.mark.parametrize("which", ["start", "end"])
def test_the_other_end_is_chosen_in_reach(tmp_path, which):
    path, name = store_of(tmp_path / "two.db", [0, 1, 3, 4])
    found = path_of(path, **{which: name[1]})
    assert ends(found) < {name[0], name[1], name[2]}
    assert name[1] in ends(found)
    place = 0 if which == "start" else -1
    assert found.station_ids[place] == name[1]


def test_what_cannot_be_reached_is_said(tmp_path):
    path, name = store_of(tmp_path / "two.db", [0, 1, 3, 4])
    found = path_of(path, start=name[0], end=name[4])
    assert isinstance(found, Unavailable)
    assert f"{name[0]}" in found.reason
    lonely = path_of(store_of(tmp_path / "none.db", [])[0])
    assert isinstance(lonely, Unavailable)
    assert "no two minima" in lonely.reason
    one = path_of(store_of(tmp_path / "some.db", [0])[0], start=name[3])
    assert isinstance(one, Unavailable)


def test_the_command_writes_a_report_of_pieces(tmp_path):
    path, _ = store_of(tmp_path / "none.db", [])
    page = tmp_path / "x.html"
    result = CliRunner().invoke(app, ["report", str(path), "-o", str(page), "--modes", "2"])
    assert result.exit_code == 0, result.stderr
    assert page.stat().st_size > 10_000
