"""The report's data and its page, without a browser (`tests/e2e/test_report.py` has one)."""

import base64
import dataclasses
import json
import re
import zlib
from html.parser import HTMLParser

import numpy as np
import pytest

from thalweg.core import ArgumentError
from thalweg.landscape import (
    Completeness,
    TransitionNetwork,
    disconnectivity_tree,
    estimate_completeness,
)
from thalweg.viz import (
    Evidence,
    Provenance,
    ReportData,
    ThermoCurves,
    Unavailable,
    report_html,
    write_report,
)

VOID = {"meta", "link", "img", "br", "hr", "input", "col", "circle", "path", "line", "rect"}


class Reader(HTMLParser):
    """Elements, whether they nest, what each script holds, and what would be fetched."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.links, self.texts = [], [], [], {}
        self.script = None

    def handle_starttag(self, tag, attrs):
        facts = dict(attrs)
        self.tags.append(tag)
        self.links += [facts[name] for name in ("src", "href") if facts.get(name)]
        if tag == "script":
            self.script = facts.get("id", "program")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.script = None

    def handle_data(self, data):
        if self.script:
            self.texts[self.script] = self.texts.get(self.script, "") + data


def read(text):
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def network(count, dof=9):
    energies = -3.0 + np.arange(count) * 0.5
    ends = np.array([(i, i // 2) for i in range(1, count)], dtype=int).reshape(-1, 2)
    bare = TransitionNetwork.bare(energies, 0.25 + np.arange(1, count) * 0.5, ends)
    points = np.sin(np.arange(count * dof)).reshape(count, dof) if dof else None
    return dataclasses.replace(bare, points=points, hits=np.full(count, 3))


def report_data(count=5, dof=9, **more):
    found = network(count, dof)
    known = estimate_completeness(found.hits)
    fields = {
        "name": "lj3",
        "energy_unit": "ε",
        "length_unit": "σ",
        "shape": (3, 3) if dof == 9 else (dof,),
        "labels": (),
        "particles": dof == 9,
        "network": found,
        "tree": disconnectivity_tree(found, levels=10),
        "merge_tree": disconnectivity_tree(found, levels=None),
        "evidence": Evidence(
            known=np.ones(count, dtype=bool),
            passed=np.ones(count, dtype=bool),
            gradient_norm=np.full(count, 1e-12),
            index=np.zeros(count, dtype=int),
            zero_modes=np.full(count, 6),
            expected_zero_modes=np.full(count, 6),
        ),
        "completeness": Completeness(minima=known, transition_states=known),
        "provenance": Provenance(store="lj3.db", fingerprint="abc", schema=1),
    }
    return ReportData(**{**fields, **more})


def unpack(reader, block):
    """The arrays of a block, as the page's script reads them."""
    where = json.loads(reader.texts["facts-json"])["arrays"][block]
    data = zlib.decompress(base64.b64decode(reader.texts[f"block-{block}"]))
    return {
        name: np.frombuffer(data, dtype=at["type"], count=at["count"], offset=at["at"])
        for name, at in where.items()
    }


def test_page_is_well_formed_and_fetches_nothing():
    text = report_html(report_data())
    reader = read(text)
    assert text.startswith("<!DOCTYPE html>")
    assert {"title", "main", "nav", "style"} <= set(reader.tags)
    assert all(link.startswith(("#", "data:")) for link in reader.links)
    assert "default-src 'none'" in text
    # The only address in the file is the name of the SVG vocabulary, which nobody fetches.
    assert set(re.findall(r"https?://[\w./]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|url\((?!#)|\bfetch\(|XMLHttpRequest|WebSocket|import\(", text)


def test_arrays_arrive_as_they_were():
    data = report_data()
    reader = read(report_html(data))
    core, points = unpack(reader, "core"), unpack(reader, "points")
    np.testing.assert_array_equal(core["energies"], data.network.energies)
    np.testing.assert_array_equal(core["tsMinima"], data.network.ts_minima.ravel())
    np.testing.assert_array_equal(core["levels.parent"], data.tree.parent)
    np.testing.assert_array_equal(core["exact.height"], data.merge_tree.height)
    np.testing.assert_allclose(
        points["points"], data.network.points.ravel().astype("f4"), rtol=0, atol=0
    )


def test_text_of_users_cannot_break_out():
    name = "</script><script>alert('{{core}}')</script>&"
    reader = read(report_html(report_data(name=name)))
    assert json.loads(reader.texts["facts-json"])["name"] == name
    assert reader.tags.count("script") == 4


def test_numbers_that_json_does_not_know_become_null():
    bad = estimate_completeness(np.array([1, 1, 1]))
    assert not np.isfinite(bad.upper)
    known = Completeness(minima=bad, transition_states=bad)
    reader = read(report_html(report_data(completeness=known)))
    assert json.loads(reader.texts["facts-json"])["completeness"]["minima"]["upper"] is None


def test_sections_without_data_say_why_or_are_left_out():
    reader = read(report_html(report_data(thermo=Unavailable("a flat mode", "add a term"))))
    facts = json.loads(reader.texts["facts-json"])
    assert facts["thermo"] == {"reason": "a flat mode", "remedy": "add a term"}
    assert facts["kinetics"] is None


def test_thermodynamics_arrive():
    curve = np.linspace(1.0, 2.0, 4)
    thermo = ThermoCurves(
        temperature=curve,
        temperature_unit="ε/k",
        heat_capacity=curve,
        internal_energy=curve,
        entropy=curve,
        contribution_ids=np.array([0]),
        contributions=np.stack([curve, 0 * curve]),
        modes=np.full(5, 3),
        boltzmann=1.0,
        start=1.5,
        peaks=np.array([[1.5, 1.6]]),
    )
    reader = read(report_html(report_data(thermo=thermo)))
    assert json.loads(reader.texts["facts-json"])["thermo"]["heatCapacity"] == curve.tolist()
    np.testing.assert_array_equal(unpack(reader, "core")["modes"], np.full(5, 3))


@pytest.mark.parametrize(("count", "dof"), [(1, 9), (4, 0), (3, 2), (6, 40)])
def test_any_kind_of_landscape_makes_a_page(count, dof):
    reader = read(report_html(report_data(count, dof)))
    assert len(unpack(reader, "core")["energies"]) == count
    assert ("points" in unpack(reader, "points")) == bool(dof)


def test_ten_thousand_minima_stay_small():
    found = network(10_000, 0)
    points = np.sin(1e3 * np.arange(10_000 * 114.0)).reshape(10_000, 114)
    evidence = report_data(10_000, 0).evidence
    data = report_data(10_000, 0, evidence=evidence)
    data = dataclasses.replace(data, network=dataclasses.replace(found, points=points), shape=())
    assert len(report_html(data)) < 20e6


def test_file_is_written_where_it_can_be(tmp_path):
    path = write_report(report_data(), tmp_path / "lj3.html")
    assert path.read_text(encoding="utf-8") == report_html(report_data())
    with pytest.raises(ArgumentError, match=r"ends in \.html"):
        write_report(report_data(), tmp_path / "lj3.pdf")
    with pytest.raises(ArgumentError, match="there is no folder"):
        write_report(report_data(), tmp_path / "none" / "lj3.html")


def test_data_that_do_not_fit_are_refused():
    with pytest.raises(ArgumentError, match="evidence has 5 entries for 4 minima"):
        report_data(4, evidence=report_data(5).evidence)
    with pytest.raises(ArgumentError, match="particles need"):
        report_data(4, shape=(9,))
    with pytest.raises(ArgumentError, match="9 coordinates"):
        report_data(4, shape=(4, 3))
    with pytest.raises(ArgumentError, match="another network"):
        report_data(3, tree=report_data(5).tree)
