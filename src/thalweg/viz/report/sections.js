// The sections below the table: thermodynamics, kinetics, a path, completeness, predictions, network, provenance.

function figure(title, series, spec, note) {
  const host = element("div");
  const node = element("figure", {}, element("h3", {}, title), series.some((s) => s.name && s.key !== false) && series.length > 1 ? keys(series) : null, host,
    note ? element("figcaption", {}, note) : null);
  requestAnimationFrame(() => { node.drawn = chart(host, { label: title, series, ...spec }); });
  return node;
}

const group = (i) => `var(--g${i % 8})`;

function thermoSection() {
  const thermo = page.facts.thermo;
  if (!thermo) return;
  const about = "Each minimum is a harmonic well, weighted by its energy, its curvatures and its number of symmetry images; the landscape is the sum of its wells.";
  const node = section("thermodynamics", "Thermodynamics", about);
  if (thermo.reason) { node.append(absent(thermo)); return; }
  const { along, back, wide } = temperatureAxis();
  const T = thermo.temperature.map(along);
  const x = { label: perUnit("Temperature", thermo.temperatureUnit), log: wide };
  const tied = () => ({ marker: along(page.temperature), onPick: (t) => page.warm(back(t)) });
  const shown = thermo.contributionIds.map((id, i) => ({ name: `minimum ${id}`, x: T, y: thermo.contributions[i], colour: group(i), width: 1.5 }));
  const rest = thermo.contributions[thermo.contributionIds.length];
  if (rest.some((value) => value > 1e-9)) shown.push({ name: "all others", x: T, y: rest, colour: "var(--muted)", width: 1.5, dash: "5 3" });
  const capacity = [{ name: "Cv", x: T, y: thermo.heatCapacity, colour: "var(--ink)", width: 2.4 }, ...shown];
  const peaks = thermo.peaks.map(([at, height]) => `T = ${withUnit(digits(at, 4), thermo.temperatureUnit)} (Cv = ${digits(height, 4)} k)`);
  const charts = [
    figure("Heat capacity and the minima that make it", capacity, { height: 330, x, y: { label: "Cv / k", from: 0 }, ...tied() },
      `${peaks.length ? `Maximum at ${peaks.join(", ")}. ` : "No maximum in this range. "}The thin lines are the contributions of single minima; they sum to Cv. Click to set the temperature.`),
    figure("Occupation of the lowest minima", occupationSeries(thermo.temperature, T), { height: 330, x, y: { label: "Occupation", from: 0 }, ...tied() }, "Probability to be in the well of each minimum, symmetry images together."),
    figure("Internal energy", [{ name: "U", x: T, y: thermo.internalEnergy, colour: group(0), width: 2 }], { x, y: { label: perUnit("U", page.facts.energyUnit) }, ...tied() }),
    figure("Entropy", [{ name: "S", x: T, y: thermo.entropy, colour: group(2), width: 2 }], { x, y: { label: "S / k, up to a constant" }, ...tied() }),
  ];
  node.append(element("div", { class: "bar" }, temperatureSlider()), element("div", { class: "grid two" }, ...charts));
  node.append(element("p", { class: "note" }, `Classical vibrations; ${thermo.kinetic ? "their kinetic energy is included" : "configurational, without kinetic energy"}. Entropy is configurational.`));
  const move = perFrame(() => { for (const { drawn } of charts) if (drawn) { drawn.spec.marker = along(page.temperature); drawn.draw(); } });
  page.on("temperature", move);
}

/** Occupations of the minima that matter most somewhere in the range. */
function occupationSeries(temperatures, x) {
  const { core } = page;
  const kept = page.temperature;
  const most = new Float64Array(core.ids.length);
  const rows = temperatures.map((t) => {
    page.temperature = t;
    page.occupations = null;
    const p = logOccupations().map(Math.exp);
    for (let i = 0; i < p.length; i++) most[i] = Math.max(most[i], p[i]);
    return p;
  });
  page.temperature = kept;
  page.occupations = null;
  const best = [...most.keys()].filter((i) => most[i] > 0.005).sort((a, b) => most[b] - most[a]).slice(0, 6).sort((a, b) => core.energies[a] - core.energies[b]);
  const series = best.map((i, n) => ({ name: `minimum ${core.ids[i]}`, x, y: rows.map((p) => p[i]), colour: group(n), width: 1.8 }));
  const others = rows.map((p) => 1 - best.reduce((sum, i) => sum + p[i], 0));
  if (others.some((p) => p > 0.005)) series.push({ name: "all others", x, y: others, colour: "var(--muted)", width: 1.5, dash: "5 3" });
  return series;
}

function kineticsSection() {
  const kinetics = page.facts.kinetics;
  if (!kinetics) return;
  const node = section("kinetics", "Kinetics", "Rates from harmonic transition-state theory over every known transition state, in both directions.");
  if (kinetics.reason) { node.append(absent(kinetics)); return; }
  const per = perUnit("time", kinetics.timeUnit);
  const [a, b] = kinetics.ends;
  const inverse = kinetics.temperatures.map((t) => 1 / (kinetics.boltzmann * t));
  const xLabel = page.facts.energyUnit ? `1 / kT  (per ${page.facts.energyUnit})` : "1 / kT";
  const rates = [
    { name: `${a} → ${b}`, x: inverse, y: kinetics.log10Forward, colour: group(0), width: 2 },
    { name: `${b} → ${a}`, x: inverse, y: kinetics.log10Backward, colour: group(1), width: 2 },
  ];
  const count = Math.max(0, ...kinetics.timescales.map((row) => row.length));
  const times = Array.from({ length: count }, (_, k) => ({ name: `t${"₁₂₃₄₅₆₇₈₉"[k] ?? k + 1}`, x: inverse, y: kinetics.timescales.map((row) => (row[k] > 0 ? Math.log10(row[k]) : null)), colour: group(k), width: 1.8 }));
  const matrix = element("figure", {}, element("h3", {}, `Rates at T = ${withUnit(digits(kinetics.temperature, 3), kinetics.temperatureUnit)}`), rateMatrix(kinetics), element("figcaption", {}, kinetics.meaning));
  const slopes = activation(inverse, kinetics);
  node.append(element("div", { class: "grid two" },
    figure(`Arrhenius plot between minima ${a} and ${b}`, rates, { height: 310, x: { label: xLabel }, y: { label: `Rate / ${per}⁻¹`.replace("time / ", ""), log: true } }, slopes),
    times.length ? figure("Slowest relaxation times", times, { height: 310, x: { label: xLabel }, y: { label: per[0].toUpperCase() + per.slice(1), log: true } }, "From the eigenvalues of the generator; the first is the slowest.") : null),
  element("div", { style: "margin-top:26px" }, matrix));
  if (kinetics.note) node.append(element("p", { class: "note" }, kinetics.note));
}

/** Effective barriers: slopes of the Arrhenius plot at its cold end. */
function activation(inverse, kinetics) {
  const slope = (logs) => {
    const good = [...inverse.keys()].filter((i) => Number.isFinite(logs[i] ?? NaN)).sort((i, j) => inverse[j] - inverse[i]);
    if (good.length < 2) return null;
    const [i, j] = good;
    return -((logs[i] - logs[j]) * Math.LN10) / (inverse[i] - inverse[j]);
  };
  const [forward, backward] = [slope(kinetics.log10Forward), slope(kinetics.log10Backward)];
  if (forward === null || backward === null) return "";
  const unit = page.facts.energyUnit;
  return `Effective barriers at the cold end: ${withUnit(digits(forward, 4), unit)} there, ${withUnit(digits(backward, 4), unit)} back.`;
}

function rateMatrix(kinetics) {
  const values = kinetics.log10Rates;
  const known = values.flat().filter((v) => typeof v === "number" && Number.isFinite(v));
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const head = element("tr", {}, element("th", {}, "from \\ to"), ...kinetics.ids.map((id) => element("th", { scope: "col" }, String(id))));
  const rows = kinetics.ids.map((id, i) => element("tr", {}, element("th", { scope: "row" }, String(id)), ...kinetics.ids.map((_, j) => {
    if (i === j) return element("td", { class: "self" }, "·");
    const value = values[i][j];
    if (typeof value !== "number") return element("td", { class: "self" }, "0");
    const cell = element("td", { title: `${digits(10 ** value, 4)} from minimum ${id} to ${kinetics.ids[j]}` }, digits(10 ** value, 2));
    const colour = viridis((value - low) / (high - low || 1), false);
    cell.style.background = rgb(colour);
    cell.style.color = luminance(colour) > 0.5 ? "#10151a" : "#ffffff";
    return cell;
  })));
  return element("div", { class: "sideways" }, element("table", { class: "matrix", "aria-label": "Rates between minima" }, element("thead", {}, head), element("tbody", {}, ...rows)));
}

function pathSection() {
  const path = page.facts.path;
  if (!path) return;
  const node = section("path", "A path", "Steepest descent from every transition state to the minima on either side, end to end.");
  if (path.reason) { node.append(absent(path)); return; }
  const { core, points, facts } = page;
  const arc = Array.from(core["path.arc"]), energies = Array.from(core["path.energies"]);
  const at = (parity) => path.stations.filter((_, i) => i % 2 === parity);
  const stations = (parity, name, colour) => ({ name, kind: "points", x: at(parity).map((row) => arc[row]), y: at(parity).map((row) => energies[row]), colour, radius: 4 });
  const series = [{ name: "energy", key: false, x: arc, y: energies, colour: "var(--soft)", width: 1.8 }, stations(0, "minima", group(0)), stations(1, "transition states", group(1))];
  const minima = path.stationIds.filter((_, i) => i % 2 === 0);
  const top = Math.max(...at(1).map((row) => energies[row]));
  const text = `From minimum ${minima[0]} to minimum ${minima[minima.length - 1]} over ${plural(at(1).length, "transition state", "transition states")}; the highest lies ${withUnit(fixed(top - energies[0], 4), facts.energyUnit)} above the start. ` +
    `Path length ${withUnit(digits(arc[arc.length - 1], 4), facts.lengthUnit)}.` + (path.note ? ` ${path.note}` : "");
  const profile = figure("Energy along the path", series, { height: 330, x: { label: perUnit("Path length", facts.lengthUnit) }, y: { label: energyLabel() }, marker: arc[path.frameRows[0]], onPick: (s) => go(nearest(path.frameRows.map((row) => arc[row]), s)) }, text);
  const stage = element("div", { class: "stage viewer-stage" });
  const frames = points["path.frames"];
  const dof = frames.length / path.frames;
  const view = pointView(stage);
  const slider = element("input", { type: "range", min: 0, max: path.frames - 1, value: 0, "aria-label": "Place on the path" });
  const out = element("output");
  const play = element("button", { type: "button", "aria-pressed": "false", style: "min-width:76px" }, "Play");
  let now = 0, playing = null;
  function go(frame) {
    now = frame;
    slider.value = frame;
    out.textContent = withUnit(fixed(energies[path.frameRows[frame]], 4), facts.energyUnit);
    view.show(frames.subarray(frame * dof, (frame + 1) * dof), view instanceof PlaneView ? frames : { steady: true });
    if (profile.drawn) { profile.drawn.spec.marker = arc[path.frameRows[frame]]; profile.drawn.draw(); }
  }
  function stop() { clearInterval(playing); playing = null; play.textContent = "Play"; play.setAttribute("aria-pressed", "false"); }
  play.addEventListener("click", () => {
    if (playing) return stop();
    play.textContent = "Pause";
    play.setAttribute("aria-pressed", "true");
    const pace = Math.max(33, 7000 / path.frames);
    playing = setInterval(() => go((now + 1) % path.frames), pace);
  });
  slider.addEventListener("input", () => { stop(); go(Number(slider.value)); });
  const controls = element("div", { class: "bar", style: "margin-top:10px" }, play, slider, out);
  node.append(element("div", { class: "grid explore", style: "align-items:start" }, profile, element("div", { class: "side" }, stage, controls)));
  page.on("beforeprint", stop);
  go(0);
}

function estimateSentence(known, one, many) {
  const missing = known.total - known.observed;
  if (!known.searches) return `${plural(known.observed, one, many)}; there are no searches to estimate the rest from`;
  const upper = known.upper === null ? "an unknown number" : whole(known.upper);
  const least = known.trusted ? "about" : "at least";
  if (missing < 0.5 && known.trusted) return `${whole(known.observed)} ${many}, probably all (up to ${upper})`;
  return `${whole(known.observed)} of ${least} ${whole(known.total)} ${many} (${Math.round(100 * known.confidence)} % interval ${whole(known.lower)} to ${upper})`;
}

function completenessSection() {
  const { completeness, rounds } = page.facts;
  const node = section("completeness", "Completeness", "How many points are probably still missing, judged from how often each known one was found.");
  const cell = (text) => element("td", { class: "number" }, text);
  const bound = (known) => (known.upper === null ? "∞" : whole(known.upper));
  const rows = [["Minima", completeness.minima], ["Transition states", completeness.transitionStates]].map(([name, known]) => element("tr", {},
    element("th", { scope: "row" }, name), cell(whole(known.observed)), cell(known.searches ? `${known.trusted ? "" : "≥ "}${whole(known.total)}` : "?"),
    cell(known.searches ? `${whole(known.lower)} to ${bound(known)}` : "–"), cell(known.searches ? `${(100 * known.coverage).toFixed(known.coverage > 0.99 ? 3 : 1)} %` : "–"), cell(whole(known.singletons)), cell(whole(known.searches))));
  const heads = ["", "known", "estimated", `${Math.round(100 * completeness.minima.confidence)} % interval`, "coverage", "found once", "successful searches"];
  node.append(element("div", { class: "sideways" }, element("table", { class: "lines" }, element("thead", {}, element("tr", {}, ...heads.map((text, i) => element("th", { style: i ? "text-align:right" : null }, text)))), element("tbody", {}, ...rows))),
    element("p", { class: "note" }, "Coverage is the probability that the next successful search ends in a known point (Good 1953). Searches start from known minima, so they are no independent sample: the estimates are guides, not guarantees."));
  if (!rounds || rounds.searches.length < 2) return;
  const curve = (title, known, least) => figure(title, [
    { name: "known", x: rounds.searches, y: known, colour: group(0), width: 2 },
    { name: "Chao's lower bound of all", x: rounds.searches, y: least, colour: group(1), dash: "5 3" },
  ], { x: { label: "Searches" }, y: { label: "Number", from: 0 } });
  node.append(element("div", { class: "grid two", style: "margin-top:24px" }, curve("Minima, as the map grew", rounds.minima, rounds.minimaBound), curve("Transition states, as the map grew", rounds.transitionStates, rounds.tsBound)));
}

function predictionsSection() {
  const found = page.facts.predictions;
  if (!found) return;
  const node = section("predictions", "Predictions", found.about);
  if (found.reason) { node.append(absent(found)); return; }
  const line = (cells, tag) => element("tr", {}, ...cells.map((cell) => element(tag, tag === "th" ? { scope: "col" } : { class: "number" }, cell)));
  const grid = (headings, rows) => element("div", { style: "overflow-x:auto" }, element("table", { class: "lines" }, element("thead", {}, line(headings, "th")), element("tbody", {}, ...rows.map((row) => line(row, "td")))));
  const facts = found.facts.map(([name, value, meaning]) => element("tr", {}, element("th", { scope: "row" }, name), element("td", { class: "number" }, value), element("td", {}, meaning)));
  const series = [{ name: "minima", kind: "points", x: found.energies, y: found.errors, colour: group(0) }];
  node.append(grid(found.headings, found.rows),
    element("div", { class: "grid two", style: "margin-top:24px" }, element("div", {}, element("table", { class: "lines" }, element("tbody", {}, ...facts))),
      figure(`${found.errorName} against loss`, series, { x: { label: "Loss with its penalty" }, y: { label: found.errorName, from: 0 } })));
  if (found.ensembles.length) node.append(element("h3", {}, "Ensembles of the lowest minima"), grid(found.ensembleHeadings, found.ensembles));
  if (found.note) node.append(element("p", { class: "about" }, found.note));
}

function networkSection() {
  const statistics = page.facts.statistics;
  if (!statistics) return;
  const node = section("network", "Network", "Minima as nodes, joined where a transition state leads from one to the other.");
  if (statistics.reason) { node.append(absent(statistics)); return; }
  const rows = statistics.rows.map(([name, value, meaning]) => element("tr", {}, element("th", { scope: "row" }, name), element("td", { class: "number" }, value), element("td", {}, meaning)));
  const positive = [...statistics.degrees.keys()].filter((i) => statistics.degrees[i] > 0);
  const series = [{ name: "minima", kind: "points", x: positive.map((i) => Math.log10(statistics.degrees[i])), y: positive.map((i) => Math.log10(statistics.degreeCounts[i])), colour: group(0) }];
  node.append(element("div", { class: "grid two" }, element("div", {}, element("table", { class: "lines" }, element("tbody", {}, ...rows))),
    figure("Degree distribution", series, { x: { label: "Neighbours", log: true }, y: { label: "Minima", log: true, from: 0 } })));
}

function provenanceSection() {
  const { provenance, caveats } = page.facts;
  const node = section("provenance", "Provenance", null);
  const rows = [];
  const row = (name, ...value) => rows.push(element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, ...value)));
  row("Store", provenance.store);
  row("System fingerprint", element("code", {}, provenance.fingerprint || "none"), `, store schema ${provenance.schema}`);
  row("Work", `${plural(provenance.searches, "search", "searches")} in ${plural(provenance.rounds, "round", "rounds")} and ${digits(provenance.seconds, 3)} s`);
  for (const run of provenance.runs.slice(-4)) row("Run", `${String(run.started).slice(0, 19).replace("T", " ")} UTC, ${run.status}, key ${run.key}, thalweg ${run.versions.thalweg ?? "?"}`);
  for (const [kind, reason, count] of provenance.rejected) row("Rejected", `${plural(count, kind, `${kind}s`.replace("minimums", "minima"))}: ${reason}`);
  row("Report", `${provenance.written ? `written ${provenance.written} ` : ""}by thalweg ${provenance.version}`);
  node.append(element("table", { class: "lines" }, element("tbody", {}, ...rows)));
  const last = provenance.runs[provenance.runs.length - 1];
  if (last) node.append(element("details", {}, element("summary", {}, "Config and versions of the last run"), element("pre", {}, JSON.stringify({ config: last.config, versions: last.versions }, null, 2))));
  if (caveats.length) {
    const doubt = section("limits", "What this report does not prove", null);
    doubt.append(element("ul", { class: "caveats" }, ...caveats.map((text) => element("li", {}, text))));
  }
}
