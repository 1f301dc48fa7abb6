"""Campaigns: what is asked, what is told, and what is never done."""

import dataclasses
import os
import shutil
import subprocess
from pathlib import Path

import jax
import jaxtyping
import numpy as np
import pytest
import sqlalchemy as sa
from scipy.special import ndtri

from thalweg.core import ArgumentError, StoreError, StoreMismatchError
from thalweg.sampling.campaign import (
    Campaign,
    Choice,
    Cloud,
    ConflictError,
    Levels,
    Measurement,
    Purpose,
    Range,
    Single,
    _campaign,
    _random,
)

BOX = [Range("x", -2.5, 2.5, step=1.0)]
RING = [Range("x", -2.5, 2.5, step=1.0, periodic=True)]  # nothing is outside


def lognormal(request, s=1.0):
    """A tilted double well with lognormal noise of average one."""
    x = request.conditions["x"]
    z = ndtri((request.seed + 0.5) / 2.0**63)
    return float(np.exp(-4 * (x * x - 1) ** 2 - 0.5 * x + s * z - s * s / 2))


@pytest.fixture
def unchecked():
    """Without run-time shape checks, which make a well a hundred times dearer."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def rounds(campaign, number, reader=lognormal, **options):
    for _ in range(number):
        campaign.tell_many([(r.id, reader(r)) for r in campaign.ask(**options)])
    return campaign


@pytest.fixture
def lab(tmp_path):
    with Campaign.create(tmp_path / "lab.db", RING, chains=6, key=3) as campaign:
        yield campaign


# Random numbers


def test_random_numbers_are_those_of_jax(key):
    words = np.array(_random.key_words(key), np.uint32)
    for data in (0, 7, 2**31 + 5):
        expected = jax.random.fold_in(key, np.uint32(data))
        assert (_random.fold_in(words, data) == jax.random.key_data(expected)).all()
        bits = jax.random.bits(expected, (5,), "uint64")
        assert (_random.bits(_random.fold_in(words, data), 5) == np.asarray(bits)).all()


def test_seed_and_key_mean_the_same():
    assert _random.key_words(11) == _random.key_words(jax.random.key(11)) == (0, 11)
    for wrong in (-1, 2**32, "x", 0.5):
        with pytest.raises(ArgumentError, match="key"):
            _random.key_words(wrong)


def test_ball_is_filled_evenly():
    words = _random.fold_in(np.array([0, 1], np.uint32), np.arange(4000))
    points = _random.ball(_random.uniform(words, 4))
    r = np.sort(np.sum(points**2, axis=1) ** 1.5)  # r³ is uniform in three dimensions
    assert np.max(np.abs(r - (np.arange(4000) + 0.5) / 4000)) < 1.95 / np.sqrt(4000)


# Asking


def test_a_chain_waits_for_its_own_result_only(lab):
    first = lab.ask()
    assert [r.purpose for r in first] == [Purpose.start] * 6
    assert lab.ask() == []
    told = lab.tell(first[2].id, 0.3)
    assert (told.committed, told.steps) == (1, 0)
    (move,) = lab.ask()
    assert (move.chain, move.step, move.purpose) == (2, 1, Purpose.move)


def test_partial_plates_go_on_where_they_stopped(tmp_path):
    with Campaign.create(tmp_path / "x.db", BOX, chains=3, kernel=Single(4)) as campaign:
        wells = campaign.ask(5) + campaign.ask(100)
        assert len({r.id for r in wells}) == 12
        assert sorted((r.chain, r.replicate) for r in wells) == [
            (c, k) for c in range(3) for k in range(4)
        ]


def test_furthest_behind_go_first(lab):
    for r in lab.ask():
        lab.tell(r.id, 1.0)
    wells = lab.ask(6)
    lab.tell_many([(r.id, 0.0) for r in wells[:3]])
    assert {r.chain for r in lab.ask(2)} <= {r.chain for r in wells[:3]}


def test_pending_wells_are_offered_again_unchanged(tmp_path):
    path = tmp_path / "lab.db"
    with Campaign.create(path, BOX, chains=4) as campaign:
        before = campaign.ask()
    with Campaign.open(path) as campaign:
        assert campaign.pending() == before
        assert campaign.ask() == []


def test_lease_that_is_over(tmp_path):
    with Campaign.create(tmp_path / "x.db", BOX, chains=4, lease=0) as campaign:
        before = campaign.ask()
        again = campaign.ask(3, lease=3600)
        assert [r.id for r in again] == [r.id for r in before[:3]]
        assert again[0].seed == before[0].seed
        assert again[0].conditions == before[0].conditions
        assert [r.id for r in campaign.ask()] == [before[3].id]
        assert campaign.status().overdue == 1


def test_outside_the_box_costs_no_well(tmp_path):
    conditions = [Range("x", 0.0, 1.0, step=5.0)]
    with Campaign.create(tmp_path / "x.db", conditions, chains=8) as campaign:
        rounds(campaign, 5, lambda r: 1.0)
        table = campaign.decisions()
        outside = table[table["why"] == "outside"]
        assert len(outside) > 8
        assert not outside["accepted"].any()
        assert not outside["to x"].between(0, 1).any()
        assert campaign.status().told == (table["why"] != "outside").sum()


def test_plates_and_their_spare_wells(tmp_path):
    with Campaign.create(
        tmp_path / "x.db", BOX, chains=90, layout=96, controls=("A1", "H12")
    ) as campaign:
        plate = campaign.ask()
        assert len({r.well for r in plate}) == 90
        assert {r.plate for r in plate} == {1}
        assert not {"A1", "H12"} & {r.well for r in plate}
        campaign.tell_many([(r.id, lognormal(r)) for r in plate])
        plate = campaign.ask()
        spare = [r for r in plate if r.purpose is Purpose.repeat]
        assert len(plate) == 94
        assert len(spare) == 4
        assert {r.plate for r in plate} == {2}
        assert campaign.ask() == []  # no plate of nothing but repeats
        assert spare[0].conditions == spare[1].conditions
        assert spare[0].seed != spare[1].seed
    with pytest.raises(ArgumentError, match="100 wells"):
        Campaign.create(tmp_path / "y.db", BOX, layout=100)
    with pytest.raises(ArgumentError, match="no well Z9"):
        Campaign.create(tmp_path / "y.db", BOX, layout=96, controls=("Z9",))


def test_repeats_never_decide(tmp_path):
    def run(name, **options):
        with Campaign.create(tmp_path / name, BOX, chains=10, key=1) as campaign:
            rounds(campaign, 6, **options)
            return campaign.decisions(), campaign.status()

    alone, _ = run("a.db")
    repeated, status = run("b.db", n=30, repeats=True)
    assert status.repeats > 20
    assert alone.equals(repeated[repeated["step"] <= alone["step"].max()])


# Telling


def test_twice_is_once(lab):
    (r, *_) = lab.ask()
    assert lab.tell(r.id, 0.5).committed == 1
    again = lab.tell(r.id, 0.5, operator="somebody else")
    assert (again.committed, again.duplicates, again.steps) == (0, 1, 0)


def test_the_first_result_stands_and_the_log_keeps_both(lab):
    first, second, *_ = lab.ask()
    lab.tell(first.id, 0.5)
    with pytest.raises(ConflictError, match="told before") as caught:
        lab.tell_many([(first.id, 0.7), (second.id, 0.2)])
    assert caught.value.told.committed == 1
    log = lab.log()
    (entry,) = log[log["kind"] == "conflict"]["body"]
    assert '"value":0.5' in entry
    assert '"value":0.7' in entry
    assert lab.status().conflicts == 1
    assert lab.decisions()["log_w_new"].tolist()[0] == np.log(0.5)
    assert lab.verify().ok
    with pytest.raises(ConflictError):
        lab.tell(first.id, status="lost")


def test_twice_in_one_call(lab):
    (r, *_) = lab.ask()
    told = lab.tell_many([(r.id, 0.5), (r.id, 0.5), (r.id, 0.6)], throw=False)
    assert (told.committed, told.duplicates, told.conflicts) == (1, 1, (r.id,))


def test_unknown_ids_are_refused_and_nothing_is_committed(lab, tmp_path):
    (r, *_) = lab.ask()
    with pytest.raises(ArgumentError, match="nobody asked for zzzz-c0"):
        lab.tell_many([(r.id, 0.5), ("zzzz-c0-s0-t0-r0", 0.5)])
    with Campaign.create(tmp_path / "other.db", BOX, chains=6, key=4) as other:
        (foreign, *_) = other.ask()
    with pytest.raises(ArgumentError, match="another campaign"):
        lab.tell(foreign.id, 0.5)
    assert lab.status().told == 0


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf"), None, "much"])
def test_what_can_be_no_weight(lab, value):
    good, bad, *_ = lab.ask()
    with pytest.raises(ArgumentError, match=bad.id):
        lab.tell_many([(good.id, 0.5), (bad.id, value)])
    assert lab.status().told == 0


def test_negative_weights_are_told_how_to_mend_it(lab):
    (r, *_) = lab.ask()
    with pytest.raises(ArgumentError, match=r"outcome='pass'.*threshold.*outcome='signed'"):
        lab.tell(r.id, -1.0)


def test_lost_wells_come_again_with_new_noise(lab):
    (r, *_) = lab.ask()
    assert lab.tell(r.id, status="lost").lost == 1
    (again,) = lab.ask()
    assert again.conditions == r.conditions
    assert again.attempt == 1
    assert again.id != r.id
    assert again.seed != r.seed
    with pytest.raises(ArgumentError, match="must be told"):
        lab.tell(again.id, 0.4, "lost")
    assert lab.tell(again.id, 0.4).committed == 1
    assert lab.verify().ok


def test_censored_needs_a_limit_fixed_beforehand(lab, tmp_path):
    (r, *_) = lab.ask()
    with pytest.raises(ArgumentError, match="limit"):
        lab.tell(r.id, status="censored")
    with Campaign.create(tmp_path / "x.db", BOX, chains=3, limit=2.0) as campaign:
        a, b, c = campaign.ask()
        campaign.tell_many([Measurement(a.id, status="censored"), (b.id, 7.0), (c.id, 0.5)])
        assert campaign.observations()["weight"].tolist() == [2.0, 2.0, 0.5]
        assert campaign.status().censored == 1


def test_measurements_of_ones_own_choice(lab):
    lab.ask()
    before = lab.status().common_step
    assert lab.tell(value=0.7, conditions={"x": 0.1}).observed == 1
    assert lab.status().common_step == before
    assert lab.status().observed == 1
    assert lab.observations()["use"].tolist() == ["observed"]
    with pytest.raises(ArgumentError, match="missing x"):
        lab.tell(value=0.7)
    with pytest.raises(ArgumentError, match="not in"):
        lab.tell(value=0.7, conditions={"x": 99})


def test_pass_and_fail(tmp_path):
    with Campaign.create(tmp_path / "x.db", BOX, chains=5, outcome="pass") as campaign:
        wells = campaign.ask()
        words = ("pass", "No", True, 0, "1")
        campaign.tell_many([(r.id, v) for r, v in zip(wells, words, strict=True)])
        assert campaign.observations()["weight"].tolist() == [1, 0, 1, 0, 1]
        (r, *_) = campaign.ask()
        with pytest.raises(ArgumentError, match="neither pass nor fail"):
            campaign.tell(r.id, 0.4)
    options = {"outcome": "pass", "threshold": 2.5}
    with Campaign.create(tmp_path / "y.db", BOX, chains=3, **options) as campaign:
        wells = campaign.ask()
        campaign.tell_many(zip([r.id for r in wells], (-4.0, 2.5, "pass"), strict=True))
        assert campaign.observations()["weight"].tolist() == [0, 1, 1]


def test_a_chain_begins_with_a_weight_that_was_measured(tmp_path):
    with Campaign.create(tmp_path / "x.db", BOX, chains=4, outcome="pass") as campaign:
        first = campaign.ask()
        campaign.tell_many([(r.id, "fail") for r in first])
        second = campaign.ask()
        assert all(r.purpose is Purpose.start for r in second)
        assert {r.conditions["x"] for r in first}.isdisjoint(r.conditions["x"] for r in second)
        assert campaign.status().started == 0
    points = [{"x": 1.0}, {"x": -1.0}]
    with Campaign.create(tmp_path / "y.db", BOX, chains=3, start=points) as campaign:
        assert [r.conditions["x"] for r in campaign.ask()] == [1.0, -1.0, 1.0]


def test_replicates_are_averaged_and_noise_is_seen(tmp_path, unchecked):
    with Campaign.create(tmp_path / "x.db", BOX, chains=8, kernel=Single(3)) as campaign:
        wells = campaign.ask()
        mine = [r for r in wells if r.chain == 0]
        campaign.tell_many([(r.id, v) for r, v in zip(mine, (1.0, 2.0, 6.0), strict=True)])
        assert campaign.decisions()["log_w_new"].tolist() == [np.log(3.0)]
        rounds(campaign, 1)
        campaign.tell_many([(r.id, lognormal(r)) for r in wells if r.chain], throw=False)
        rounds(campaign, 30)
        assert abs(campaign.status().noise - 1) < 0.1


# A changed assay


def test_a_changed_assay_begins_anew(lab):
    rounds(lab, 5)
    old = lab.samples()
    here = lab._current().x.copy()
    late = lab.ask()
    with pytest.raises(ArgumentError, match="already"):
        lab.change_assay("1")
    lab.change_assay("2", note="another lamp")
    told = lab.tell(late[0].id, 0.5)
    assert (told.late, told.committed) == (1, 0)
    wells = lab.ask()
    assert all(r.purpose is Purpose.start and r.assay == "2" for r in wells)
    assert [r.conditions["x"] for r in wells] == here[:, 0].tolist()
    with pytest.raises(ArgumentError, match="assay 1"):
        lab.tell(wells[0].id, 0.5, assay="1")
    lab.tell_many([Measurement(r.id, lognormal(r), assay="2") for r in wells])
    rounds(lab, 3)
    assert lab.samples().steps == 3
    assert np.array_equal(lab.samples(epoch=0).points, old.points)
    assert lab.verify().ok


# Kernels


def test_tuning_ends_with_the_burn_in_for_all_at_once(tmp_path, unchecked):
    options = {"chains": 40, "burn_in": 15, "tune": True, "key": 2}
    conditions = [Range("x", -2.5, 2.5, step=0.05)]
    with Campaign.create(tmp_path / "x.db", conditions, **options) as campaign:
        slow = 0
        for _ in range(60):
            wells = [r for r in campaign.ask() if r.chain != slow or campaign.status().factor]
            if not wells:
                break
            campaign.tell_many([(r.id, lognormal(r, 0.2)) for r in wells])
        status = campaign.status()
        assert status.factor is None
        assert status.furthest_step == 15
        for _ in range(20):
            campaign.tell_many([(r.id, lognormal(r, 0.2)) for r in campaign.pending()])
            campaign.ask()
        assert campaign.status().factor == 4.0  # steps a twentieth as long as they should be
        (row,) = campaign.log().query("kind == 'tuned'").itertuples()
        assert '"step":15' in row.body
        assert campaign.samples().first == 16
        assert campaign.verify().ok


def test_refresh_measures_the_present_point_anew(tmp_path):
    with Campaign.create(tmp_path / "x.db", BOX, chains=6, refresh=3) as campaign:
        rounds(campaign, 12)
        table = campaign.decisions()
        fresh = table[table["why"] == "refresh"]
        assert (fresh["step"] % 3 == 0).all()
        assert len(fresh) >= 12
        assert (fresh["from x"] == fresh["to x"]).all()
        assert fresh["accepted"].nunique() == 2
        assert campaign.verify().ok


def test_points_of_a_cloud_are_the_samples(tmp_path):
    kernel = Cloud(6, radius=1.5)
    conditions = [Range("x", -2.0, 2.0, step=0.7), Range("phi", 0, 360, step=90, periodic=True)]
    with Campaign.create(
        tmp_path / "x.db", conditions, chains=10, kernel=kernel, outcome="pass"
    ) as campaign:
        rounds(campaign, 25, lambda r: (r.seed % 1000) / 1000 < np.exp(-(r.conditions["x"] ** 2)))
        samples = campaign.samples()
        assert samples.points.shape[2:] == (6, 2)
        assert np.allclose(samples.weights.sum(axis=2), 1)
        frame = samples.frame()
        assert frame["x"].between(-2, 2).all()
        assert frame["phi"].between(0, 360).all()
        assert np.isclose(frame.groupby(["chain", "step"])["weight"].sum(), 1).all()
        assert campaign.verify().ok
        wells = campaign.ask(200, repeats=True)
        assert any(r.purpose is Purpose.repeat for r in wells)
    with pytest.raises(ArgumentError, match="salt has levels"):
        Campaign.create(tmp_path / "y.db", [Choice("salt", ["a", "b"])], kernel=kernel)


def test_levels_choices_and_logarithms(tmp_path, unchecked):
    conditions = [
        Levels("dose", [1, 2, 5, 10], "mg", step=2),
        Choice("salt", ["NaCl", "KCl", "CsCl"]),
        Range("c", 1e-3, 1.0, "mM", log=True),
    ]
    with Campaign.create(tmp_path / "x.db", conditions, chains=150) as campaign:
        rounds(campaign, 40, lambda r: 1.0)
        columns = campaign.samples(burn_in=10).columns
        for name, values in (("dose", [1, 2, 5, 10]), ("salt", ["CsCl", "KCl", "NaCl"])):
            found, counts = np.unique(columns[name], return_counts=True)
            assert found.tolist() == values
            assert np.allclose(counts / counts.sum(), 1 / len(values), atol=0.05)
        logs = np.log10(columns["c"])
        assert abs(logs.mean() + 1.5) < 0.1
        assert abs(logs.std() - 3 / np.sqrt(12)) < 0.05
        assert campaign.verify().ok


# Reading


def test_samples_end_at_a_step_that_all_have_reached(lab):
    rounds(lab, 4)
    wells = lab.ask()
    lab.tell_many([(r.id, lognormal(r)) for r in wells if r.chain != 5])
    slowest = lab.status().common_step
    assert lab.status().furthest_step == slowest + 1
    assert lab.samples().steps == slowest == lab.samples().points.shape[0]
    assert lab.samples(step=2).steps == 2
    with pytest.raises(ArgumentError, match="not every chain"):
        lab.samples(step=slowest + 1)


def test_average_and_error(lab):
    with pytest.raises(ArgumentError, match="no samples"):
        lab.samples().average(lambda c: c["x"])
    rounds(lab, 20)
    samples = lab.samples()
    x = samples.columns["x"][..., 0]
    mean = samples.average(lambda c: c["x"])
    assert mean.value == pytest.approx(x.mean())
    assert mean.error == pytest.approx(x.mean(axis=0).std(ddof=1) / np.sqrt(6))
    assert samples.frame()["x"].mean() == pytest.approx(mean.value)
    with pytest.raises(ArgumentError, match="shape"):
        samples.average(lambda c: c["x"].mean())


def test_warnings(tmp_path):
    with Campaign.create(tmp_path / "x.db", BOX, chains=3, kernel=Single(2)) as campaign:
        rounds(campaign, 40, lambda r: lognormal(r, 5.0))
        text = "\n".join(campaign.status().warnings)
        assert "3 chains" in text
        assert "log-weights scatter" in text
        assert "replicates" in text
        for _ in range(3):
            for r in campaign.ask():
                campaign.tell(r.id, status="lost")
        assert "were lost" in "\n".join(campaign.status().warnings)


# The log


def test_reopened_and_from_a_snapshot(tmp_path, monkeypatch):
    monkeypatch.setattr(_campaign, "SNAPSHOT", 50)
    path = tmp_path / "lab.db"
    with Campaign.create(path, BOX, chains=5, kernel=Single(2), layout=24) as campaign:
        rounds(campaign, 8)
        campaign.ask()
        whole = campaign._current().dump()
    with Campaign.open(path) as campaign:
        assert campaign._log.snapshot(campaign._log._engine.connect()) is not None
        assert campaign._current().dump() == whole
        rounds(campaign, 1)
        assert campaign.verify().ok
    with sa.create_engine(f"sqlite:///{path}").begin() as connection:
        connection.exec_driver_sql("update snapshots set body = replace(body, '0.', '1.')")
    with Campaign.open(path) as campaign:
        assert campaign.verify().problems == ("the stored snapshot does not follow from the log",)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("update events set body = replace(body, '\"accepted\":false', '\"accepted\":true') "
         "where kind = 'decided' and sequence > 40", "has been changed"),
        ("delete from events where sequence = 17", "is missing"),
        ("delete from events where sequence > 60", "does not contain the head"),
    ],
)  # fmt: skip
def test_tampering_shows(lab, tmp_path, statement, problem):
    rounds(lab, 6)
    head = lab.status().head
    assert lab.verify(head).ok
    with sa.create_engine(f"sqlite:///{tmp_path}/lab.db").begin() as connection:
        connection.exec_driver_sql(statement)
    found = lab.verify(head)
    assert not found.ok
    assert any(problem in text for text in found.problems)


def test_a_forged_log_with_good_hashes_is_recomputed(lab, monkeypatch):
    from thalweg.sampling.campaign import _change

    rounds(lab, 3)
    assert lab.verify().ok
    monkeypatch.setattr(_change, "accepts", lambda log_w, log_w_new, u: True)
    rounds(lab, 5)
    assert any("the rule says" in text for text in lab.verify().problems)


def test_a_forgotten_weight_is_noticed(lab):
    rounds(lab, 3)
    lab._current().log_w[:] = 0.0  # as a program that measures the present point again would
    rounds(lab, 1)
    assert any("stored weight" in text for text in lab.verify().problems)


def test_same_plan_opens_another_is_refused(lab, tmp_path):
    lab.ask()
    with Campaign.create(tmp_path / "lab.db", RING, chains=6, key=3) as again:
        assert len(again.pending()) == 6
    with pytest.raises(StoreMismatchError, match=r"another plan \(chains\)"):
        Campaign.create(tmp_path / "lab.db", RING, chains=7, key=3)
    with pytest.raises(StoreError, match="no file"):
        Campaign.open(tmp_path / "nowhere.db")
    with sa.create_engine(f"sqlite:///{tmp_path}/z.db").begin() as connection:
        connection.exec_driver_sql("create table other (x int)")
    with pytest.raises(StoreError, match="no campaign"):
        Campaign.open(tmp_path / "z.db")


def test_two_programs_serve_one_campaign(lab, tmp_path):
    with Campaign.open(tmp_path / "lab.db") as other:
        mine, theirs = lab.ask(3), other.ask()
        assert len({r.id for r in mine + theirs}) == 6
        lab.tell_many([(r.id, lognormal(r)) for r in theirs])
        other.tell_many([(r.id, lognormal(r)) for r in mine])
        for k in range(20):
            rounds((lab, other)[k % 2], 1)
        assert lab._current().dump() == other._current().dump()
        assert lab.decisions().equals(other.decisions())
    assert lab.verify().ok


def test_a_refused_call_leaves_no_trace(lab):
    (r, *_) = lab.ask()
    before = lab._current().dump()
    with pytest.raises(ArgumentError):
        lab.tell_many([(r.id, 1.0), (r.id, -1.0)])
    assert lab._current().dump() == before
    assert lab.verify().ok


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"outcome": "best"}, "outcome: 'best'"),
        ({"chains": 0}, "chains: 0"),
        ({"tune": True}, "burn_in"),
        ({"threshold": 1.0}, "threshold goes with"),
        ({"limit": 1.0, "outcome": "pass"}, "limit goes with"),
        ({"kernel": Single(0)}, "wells of a proposal"),
        ({"kernel": Cloud(4, radius=0.0)}, "radius"),
        ({"start": []}, "start"),
        ({"start": [{"y": 1}]}, "unknown y; missing x"),
        ({"lease": -1}, "lease"),
        ({"refresh": 1}, "never move"),
    ],
)
def test_plans_that_make_no_sense(tmp_path, wish, message):
    with pytest.raises(ArgumentError, match=message):
        Campaign.create(tmp_path / "x.db", BOX, **wish)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Range("x", 1, 1), "low < high"),
        (lambda: Range("x", -1, 1, log=True), "positive"),
        (lambda: Range("x", 0, 1, step=0.0), "step"),
        (lambda: Range("value", 0, 1), "cannot be called"),
        (lambda: Range("a,b", 0, 1), "cannot be called"),
        (lambda: Levels("x", [2, 1]), "ascending"),
        (lambda: Choice("x", ["a"]), "two or more"),
        (lambda: Choice("x", ["a", "b"], change=0), "probability"),
    ],
)
def test_conditions_that_make_no_sense(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


# PostgreSQL


def _postgres():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@pytest.fixture
def postgres(tmp_path_factory):
    pytest.importorskip("psycopg")
    programs = _postgres()
    if programs is None or (os.geteuid() == 0 and shutil.which("runuser") is None):
        pytest.skip("needs PostgreSQL's programs")
    folder = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    prefix = []
    if os.geteuid() == 0:
        prefix = ["runuser", "-u", "postgres", "--"]
        shutil.chown(folder, "postgres")

    def run(program, *words):
        command = [*prefix, str(programs / program), "-D", str(folder / "data"), *words]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"PostgreSQL does not start here: {done.stderr.strip()[-200:]}")

    run("initdb", "-A", "trust", "-U", "tester")
    options = f"-c listen_addresses='' -c unix_socket_directories={folder}"
    run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql+psycopg://tester@/postgres?host={folder}"
    finally:
        run("pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def test_postgresql_holds_the_same_campaign(postgres, lab):
    with (
        Campaign.create(postgres, RING, chains=6, key=3) as campaign,
        Campaign.open(postgres) as other,
    ):
        for k in range(8):
            rounds((campaign, other)[k % 2], 1)
        rounds(lab, 8)
        assert campaign.decisions().equals(lab.decisions())
        assert campaign.verify().ok


def test_records_are_frozen(lab):
    (r, *_) = lab.ask(1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        r.seed = 1
