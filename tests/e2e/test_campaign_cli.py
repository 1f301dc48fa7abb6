"""`thalweg campaign`: plates as CSV files, from the first well to the exported table."""

import csv
import io
import json

import numpy as np
import pytest
from scipy.special import ndtri
from typer.testing import CliRunner

from thalweg.cli._app import app
from thalweg.sampling.campaign import Campaign

NEW = ["--range", "pH=4:9", "--range", "T=20:60 °C", "--outcome", "pass", "--chains", "20"]


@pytest.fixture
def thalweg(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*words, code=0, stdin=None):
        result = CliRunner().invoke(app, ["campaign", *map(str, words)], input=stdin)
        assert result.exit_code == code, result.stderr
        return result

    return run


def fill(path, passes, keep=lambda row: True):
    """A plate reader: fills in the column value."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if keep(row):
            row["value"] = "pass" if passes(row) else "fail"
    done = path.with_name(f"{path.stem}_done.csv")
    with done.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(reversed(rows))
    return done, rows


def warm(row):
    z = ndtri((int(row["seed"]) + 0.5) / 2.0**63)
    return z < 1 - abs(float(row["T [°C]"]) - 40) / 10


def test_plates_from_the_first_to_the_table(thalweg, tmp_path):
    thalweg("new", "lab.db", *NEW, "--plate", 24, "--control", "A1", "--key", 5, "--burn-in", 2)
    for k in range(12):
        result = thalweg("ask", "lab.db", "-o", "plate.csv")
        assert result.stdout == ""
        assert f"on plate {k + 1}" in result.stderr
        done, rows = fill(tmp_path / "plate.csv", warm)
        assert len({row["well"] for row in rows}) == len(rows) <= 23
        thalweg("tell", "lab.db", done)
    status = json.loads(thalweg("status", "lab.db", "--json", "--check").stdout)
    assert status["check"] == {"ok": True, "problems": []}
    assert status["told"] > 200
    assert status["repeats"] > 0
    assert status["common_step"] >= 2
    assert status["head"] in thalweg("status", "lab.db").stdout.replace("\n", "")
    thalweg("status", "lab.db", "--check", "--head", status["head"])
    thalweg("status", "lab.db", "--check", "--head", "0" * 64, code=1)
    table = list(csv.DictReader(io.StringIO(thalweg("export", "lab.db").stdout)))
    with Campaign.open("lab.db") as campaign:
        frame = campaign.samples().frame()
    assert [float(row["T"]) for row in table] == frame["T"].tolist()
    thalweg("export", "lab.db", "--what", "decisions", "-o", "decisions.csv")
    header = (tmp_path / "decisions.csv").read_text().splitlines()[0]
    assert header.startswith("epoch,chain,step,why,from pH,from T,to pH,to T,log_w,log_w_new,u")
    rows = json.loads(thalweg("export", "lab.db", "--what", "results", "--json", "-q").stdout)[
        "rows"
    ]
    assert len(rows) == status["told"]
    log = thalweg("export", "lab.db", "--what", "log").stdout
    assert len(list(csv.reader(io.StringIO(log)))) == status["events"] + 1


def test_partly_twice_and_against_what_stands(thalweg, tmp_path):
    thalweg("new", "lab.db", *NEW)
    thalweg("ask", "lab.db", "-n", 10, "-o", "a.csv")
    done, rows = fill(tmp_path / "a.csv", lambda row: True, keep=lambda row: int(row["chain"]) < 6)
    told = json.loads(thalweg("tell", "lab.db", done, "--json").stdout)
    assert (told["committed"], told["duplicates"]) == (6, 0)
    told = json.loads(thalweg("tell", "lab.db", done, "--json").stdout)
    assert (told["committed"], told["duplicates"]) == (0, 6)
    again = thalweg("ask", "lab.db", "--pending").stdout
    assert [r["id"] for r in csv.DictReader(io.StringIO(again))] == [
        row["id"] for row in rows if row["value"] == ""
    ]
    other, _ = fill(tmp_path / "a.csv", lambda row: False)
    result = thalweg("tell", "lab.db", other, code=1)
    assert "told before with another result" in result.stderr
    assert "4 results committed" in result.stderr
    thalweg("ask", "lab.db", "-n", 30, "-o", "b.csv")
    thalweg("ask", "lab.db", code=1)


def test_lost_and_unasked_rows_and_spreadsheets(thalweg, tmp_path):
    thalweg("new", "lab.db", *NEW)
    rows = list(csv.DictReader(io.StringIO(thalweg("ask", "lab.db").stdout)))
    text = "\ufeffid;value;status;pH;T [°C];operator\n"
    text += f"{rows[0]['id']};1;;;;Ada\n{rows[1]['id']};;lost;;;\n{rows[2]['id']};;;;;\n"
    text += ";0;;7.5;30;Ada\n"
    (tmp_path / "done.csv").write_text(text, encoding="utf-8")
    told = json.loads(thalweg("tell", "lab.db", "done.csv", "--json").stdout)
    assert (told["committed"], told["lost"], told["observed"]) == (2, 1, 1)
    results = json.loads(thalweg("export", "lab.db", "--what", "results", "--json").stdout)["rows"]
    assert results[-1]["use"] == "observed"
    assert results[-1]["pH"] == 7.5
    wells = json.loads(thalweg("ask", "lab.db", "-n", 1, "--json").stdout)["wells"]
    assert wells[0]["attempt"] == 1


def test_a_changed_assay(thalweg):
    thalweg("new", "lab.db", *NEW)
    old = thalweg("ask", "lab.db").stdout
    assert "20 wells void" in thalweg("assay", "lab.db", "2", "--note", "new lamp").stderr
    row = next(csv.DictReader(io.StringIO(old)))
    told = thalweg("tell", "lab.db", "-", "--json", stdin=f"id,value\n{row['id']},1\n")
    assert json.loads(told.stdout)["late"] == 1
    fresh = next(csv.DictReader(io.StringIO(thalweg("ask", "lab.db").stdout)))
    assert fresh["assay"] == "2"
    assert fresh["pH"] != row["pH"]


def test_all_kinds_of_conditions(thalweg):
    words = ["--log", "c=1e-3:1 mM", "--periodic", "phi=0:360 deg", "--levels", "dose=1,2,5 mg"]
    words += ["--choice", "salt=NaCl, KCl", "--step", "phi=20", "--step", "c=0.5"]
    made = json.loads(thalweg("new", "lab.db", *words, "--replicates", 2, "--json").stdout)
    kinds = {c["name"]: c for c in made["plan"]["space"]}
    assert kinds["c"]["log"]
    assert kinds["phi"]["periodic"]
    assert kinds["phi"]["step"] == 20
    assert kinds["dose"]["values"] == [1, 2, 5]
    assert kinds["salt"]["values"] == ["NaCl", "KCl"]
    row = next(csv.DictReader(io.StringIO(thalweg("ask", "lab.db", "-n", 1).stdout)))
    assert 1e-3 <= float(row["c [mM]"]) <= 1
    assert row["salt"] in {"NaCl", "KCl"}
    assert float(row["dose [mg]"]) in {1, 2, 5}
    assert np.isfinite(float(row["phi [deg]"]))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["new", "x.db"], "needs a condition"),
        (["new", "x.db", "--range", "pH=4-9"], "no range"),
        (["new", "x.db", "--range", "pH=9:4"], "low < high"),
        (["new", "x.db", "--levels", "d=1"], "no levels"),
        (["new", "x.db", "--range", "pH=4:9", "--step", "ph=1"], "no range and no levels"),
        (["new", "x.db", "--range", "pH=4:9", "--cloud", "4", "--replicates", "2"], "exclude"),
        (["new", "x.db", "--range", "pH=4:9", "--plate", "95"], "no plate has 95"),
        (["ask", "nowhere.db"], "no file nowhere.db"),
        (["ask", "lab.db", "-n", "0"], "at least 1"),
        (["ask", "lab.db", "--pending", "-n", "3"], "asks for nothing new"),
        (["tell", "lab.db", "nowhere.csv"], "no file nowhere.csv"),
        (["tell", "lab.db", "bad.csv"], "results need id and value"),
        (["tell", "lab.db", "unknown.csv"], "nobody asked for"),
        (["tell", "lab.db", "negative.csv"], "neither pass nor fail"),
        (["export", "lab.db", "--step", "7"], "not every chain"),
        (["export", "lab.db", "--what", "log", "--step", "7"], "goes with"),
        (["status", "lab.db", "--head", "0"], "goes with --check"),
    ],
)
def test_wrong_calls(thalweg, tmp_path, words, message):
    thalweg("new", "lab.db", *NEW)
    name = next(csv.DictReader(io.StringIO(thalweg("ask", "lab.db").stdout)))["id"]
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    (tmp_path / "unknown.csv").write_text("id,value\nabcd-c0-s0-t0-r0,1\n")
    (tmp_path / "negative.csv").write_text(f"id,value\n{name},-0.2\n")
    result = thalweg(*words, code=2)
    assert message in result.stderr
    assert not (tmp_path / "x.db").exists()
