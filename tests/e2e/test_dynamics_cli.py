"""`thalweg simulate`, and `thalweg map` of a dynamics, from the command line to their files."""

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from thalweg.cli._app import app
from thalweg.landscape import Discovery, FlowLink, FlowNode, Round, Store, StoreHeader

FLOW = """
import jax.numpy as jnp
from thalweg.core import AbstractDynamics


class Toggle(AbstractDynamics):
    def __call__(self, t, x, drive):
        return -x + drive[0] / (1 + x[::-1] ** 2)


toggle = Toggle()
"""


def thalweg(*words):
    return CliRunner().invoke(app, list(words))


def test_a_circuit_in_time(tmp_path):
    done = thalweg("simulate", "organics-scalar", "--time", "0.1", "--points", "5")
    assert done.exit_code == 0, done.stderr
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert [row["time"] for row in rows] == ["0", "0.025", "0.05", "0.075", "0.1"]
    assert float(rows[-1]["y1"]) == pytest.approx(0.5 / np.sqrt(0.2525), rel=1e-4)
    assert "1 path of 2 coordinates over 0.1: 1 success" in done.stderr

    figure = tmp_path / "paths.png"
    noisy = ["--noise", "0.01", "--step", "0.0001", "--paths", "5", "--time", "0.02", "--json"]
    done = thalweg("simulate", "organics-scalar", *noisy, "-o", str(figure))
    assert done.exit_code == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["outcomes"] == {"success": 5}
    assert facts["coordinates"] == ["y1", "a1"]
    assert facts["steps"] == 5 * 200
    assert figure.read_bytes()[:4] == b"\x89PNG"


def test_a_circuit_that_blows_up(tmp_path):
    path = tmp_path / "gone.npz"
    done = thalweg("simulate", "organics-negative", "--time", "0.2", "-o", str(path))
    assert done.exit_code == 1
    assert "1 escaped" in done.stderr
    with np.load(path) as file:
        assert np.isnan(file["x"][0, -1]).all()
        assert 0 < file["ended"][0] < 0.2


def test_the_map_of_a_flow(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(FLOW)
    words = ["map", "mine.py:toggle", "--drive", "3", "--dof", "2", "--figure", "t.png", "--json"]
    done = thalweg(*words)
    assert done.exit_code == 0, done.stderr
    facts = json.loads(done.stdout)
    assert [node["kind"] for node in facts["nodes"]] == ["rest", "rest", "saddle"]
    assert facts["connections"] == [[2, 0, 1]]
    assert facts["undecided"] == facts["blown_up"] == 0
    on = sorted(facts["nodes"][0]["x"])
    np.testing.assert_allclose(on, [(3 - 5**0.5) / 2, (3 + 5**0.5) / 2], atol=1e-9)
    assert (tmp_path / "t.png").read_bytes()[:4] == b"\x89PNG"
    again = thalweg(*words)  # nothing left to do
    assert json.loads(again.stdout)["nodes"] == facts["nodes"]
    other = thalweg(*words[:3], "2.5", *words[4:])
    assert other.exit_code == 2
    assert "belongs to the flow" in other.stderr


@pytest.fixture(scope="module")
def flow_store(tmp_path_factory):
    """Two stable states, the saddle between them, and a cycle."""
    path = tmp_path_factory.mktemp("flow") / "toggle.db"
    none, loop = np.zeros((0, 2)), np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    spectra = [[-1 + 2j, -1 - 2j], [-1, -2], [0.5, -2], [1, 8.6e-4]]
    nodes = [
        FlowNode(
            id=i, kind=kind, x=np.array([float(i), 0.5]), unstable=int(kind == "saddle"),
            eigenvalues=np.array(spectra[i], complex), loop=loop if kind == "cycle" else none,
            period=6.6633 if kind == "cycle" else np.nan, residual=1e-15, doubt=1e-9,
        )
        for i, kind in enumerate(["rest", "rest", "saddle", "cycle"])
    ]  # fmt: skip
    links = [FlowLink(2, 0, side, 0.5, "attractor", end) for side, end in ((1, 0), (-1, 1))]
    hits = [Discovery(kind="node", id=i, count=n) for i, n in ((0, 30), (1, 50), (3, 15))]
    totals = {"starts": 100, "blown_up": 5, "undecided": 0}
    header = StoreHeader(fingerprint="f", name="toggle", dof=2, kind="flow")
    with Store.open(path, header) as store:
        store.begin_run({"starts": 100}, {"thalweg": "0"}, "0")
        brought = {"nodes": nodes, "links": links, "discoveries": hits, "state": totals}
        store.commit_round(Round(number=0, kind="starts", attempts=100, **brought))
        store.end_run()
    return str(path)


def test_info_of_a_flow(flow_store):
    done = thalweg("info", flow_store, "--check")
    assert done.exit_code == 0, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "flow toggle, 2 coordinates, no energy" in lines
    assert "known 2 rests, 1 saddle, 1 cycle" in lines
    assert "integrity no problem" in lines
    table = [line for line in lines if line[:2] in {"0 ", "1 ", "2 ", "3 "}]
    assert table == [
        "1 rest 0 -1 50 50 % (40 to 60) 1 0.5",
        "0 rest 0 -1 ± 2i 30 30 % (22 to 40) 0 0.5",
        "3 cycle 0 μ 0.00086 6.6633 15 15 % (9 to 23) 3 0.5",
        "2 saddle 1 0.5 0 2 0.5",
        "2 1 0.5 0 1",
    ]
    facts = json.loads(thalweg("info", flow_store, "--json").stdout)
    assert facts["system"]["kind"] == "flow"
    assert facts["connections"] == [[2, 0, 1]]
    assert facts["nodes"][3]["eigenvalues_real"] == [1, 8.6e-4]
    assert facts["runs"][0]["status"] == "finished"


def test_the_drawing_of_a_flow(flow_store, tmp_path):
    figure = tmp_path / "flow.svg"
    done = thalweg("tree", flow_store, "-o", str(figure), "--json")
    assert done.exit_code == 0, done.stderr
    assert "drawn in" in done.stderr
    assert json.loads(done.stdout)["file"] == str(figure)
    assert b"<svg" in figure.read_bytes()
    page = tmp_path / "flow.html"
    done = thalweg("report", flow_store, "-o", str(page), "--json")
    assert done.exit_code == 0, done.stderr
    text = page.read_text(encoding="utf-8")
    assert json.loads(done.stdout)["bytes"] == len(text.encode())
    assert "<svg" in text
    assert "http-equiv" in text
    assert "<script" not in text
    assert "{{" not in text
    assert "<td>cycle</td><td>0</td><td>0.00086</td>" in text
    assert "50.0 % (40.4 to 59.6)" in text
    done = thalweg("report", flow_store, "-o", str(page), "--from", "0")
    assert "--from goes with an energy" in done.stderr
    done = thalweg("tree", flow_store, "-o", str(figure), "--temperature", "1")
    assert done.exit_code == 2
    assert "--temperature goes with an energy" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["thermo"],
        ["rates", "--temperature", "1", "--from", "0", "--to", "1"],
        ["path", "0", "1"],
        ["volume"],
        ["export", "-f", "csv", "-o", "."],
        ["network"],
    ],
)
def test_readers_of_an_energy_say_what_a_flow_is(flow_store, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = thalweg(words[0], flow_store, *words[1:])
    assert done.exit_code == 2, done.stderr
    assert "holds the graph of a flow (toggle), which has no energy" in done.stderr
    assert "thalweg info" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["simulate", "organics-scalar", "--time", "-1"], "not a positive number"),
        (["simulate", "organics-scalar", "--time", "1", "--noise", "1"], "needs --step"),
        (["simulate", "organics-scalar", "--time", "1", "-o", "x.txt"], "expected .csv"),
        (["simulate", "organics-sclar", "--time", "1"], "organics-scalar"),
        (["simulate", "gru", "--time", "1.5"], "a map steps by one"),
        (["map", "organics-scalar", "--minima", "3"], "goes with an energy"),
        (["map", "lj7", "--drive", "3"], "go with a dynamics"),
    ],
)
def test_wrong_calls(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = thalweg(*words)
    assert done.exit_code == 2, done.stderr
    assert said in done.stderr
