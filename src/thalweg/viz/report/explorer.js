// The explorer: the tree, the structure of the selected minimum, and the temperature.

function section(id, title, about, ...children) {
  const node = element("section", { id, "aria-labelledby": `${id}-title` },
    element("h2", { id: `${id}-title` }, title), about ? element("p", { class: "about" }, about) : null, ...children);
  query("#main").append(node);
  query("#contents").append(element("a", { href: `#${id}` }, title));
  return node;
}

/** A notice in place of what cannot be shown. */
function absent({ reason, remedy }) {
  const node = element("p", { class: "notice" }, element("b", {}, "Not shown. "), reason.replace(/\.?$/, ". "));
  if (remedy) node.append(remedy.replace(/\.?$/, "."));
  return node;
}

const thermoReady = () => Boolean(page.facts.thermo && !page.facts.thermo.reason);
const temperatureText = () => withUnit(digits(page.temperature, 3), page.facts.thermo.temperatureUnit);

/** How temperatures lie on an axis: decimal logarithms where they span two decades. */
function temperatureAxis() {
  const { wide } = page.facts.thermo;
  return { wide, along: wide ? Math.log10 : (t) => t, back: wide ? (v) => 10 ** v : (v) => v };
}

/** A slider for the page's temperature; every copy follows the others. */
function temperatureSlider() {
  const { temperature } = page.facts.thermo;
  const { along, back } = temperatureAxis();
  const [low, high] = [along(temperature[0]), along(temperature[temperature.length - 1])];
  const slider = element("input", { type: "range", min: 0, max: 400, "aria-label": "Temperature" });
  const out = element("output");
  slider.addEventListener("input", () => page.warm(back(low + (high - low) * (slider.value / 400))));
  const follow = () => {
    slider.value = Math.round(((along(page.temperature) - low) / (high - low)) * 400);
    slider.setAttribute("aria-valuetext", temperatureText());
    out.textContent = temperatureText();
  };
  page.on("temperature", follow);
  follow();
  return element("label", {}, element("i", {}, "T"), slider, out);
}

function exploreSection() {
  const stage = element("div", { class: "stage tree-stage" },
    element("canvas", { class: "base", tabindex: "0", role: "application", "aria-roledescription": "disconnectivity graph",
      "aria-label": "Disconnectivity graph. Arrow keys go from minimum to minimum, plus and minus zoom, 0 shows everything." }),
    element("canvas", { class: "over", "aria-hidden": "true" }),
    element("div", { class: "hint screen-only" }, "click, then scroll to zoom · drag to pan · double-click a branch"),
    element("div", { class: "tree-print print-only" }));
  const legend = element("div", { class: "legend" });
  const viewer = element("div", { class: "stage viewer-stage" });
  const card = element("div", { class: "card" });
  const bar = element("div", { class: "bar" });
  const about = "Each line ends at the energy of a minimum; two lines join at the lowest energy at which a path leads from one to the other. Choose a minimum to see it.";
  section("explore", "Disconnectivity graph", about, bar, element("div", { class: "grid explore" },
    element("figure", { class: "column" }, stage, legend, element("figcaption", { id: "tree-caption" })),
    element("div", { class: "side" }, viewer, card)));
  const tree = new TreeView(stage);
  const view = page.points.points ? pointView(viewer) : null;
  if (!view) viewer.replaceWith(absent({ reason: "this landscape holds no coordinates", remedy: "Import the points files as well to see structures" }));
  fillBar(bar, tree, view);
  const relegend = () => drawLegend(legend, tree);
  page.on("colour", () => { tree.paint(); relegend(); });
  page.on("theme", () => { tree.paint(); relegend(); });
  page.on("temperature", () => { if (page.colour === "occupation") tree.paint(); relegend(); drawCard(card); });
  page.on("select", (source) => {
    if (source !== "tree") tree.reveal(page.selected);
    tree.redrawOver();
    if (view) view.show(pointOf(page.selected));
    drawCard(card);
    announce(`Minimum ${page.core.ids[page.selected]}, energy ${energyText(page.core.energies[page.selected])}`);
  });
  page.tree = tree;
  page.view = view;
  relegend();
  caption(tree);
}

/** Coordinates of a minimum. */
function pointOf(position) {
  const { facts, points } = page;
  return points.points.subarray(position * facts.dof, (position + 1) * facts.dof);
}

function fillBar(bar, tree, view) {
  const modes = Object.keys(MEANINGS).filter((mode) => mode !== "occupation" || thermoReady());
  const colour = element("select", { id: "colour-by" }, ...modes.map((mode) => element("option", { value: mode }, MEANINGS[mode])));
  colour.value = page.colour;
  colour.addEventListener("change", () => { page.colour = colour.value; page.tell("colour"); });
  const kind = element("select", { id: "tree-kind" }, element("option", { value: "levels" }, `${page.facts.trees.levels.levels} levels`), element("option", { value: "exact" }, "exact joints"));
  kind.addEventListener("change", () => { tree.show(kind.value); page.tell("colour"); caption(tree); });
  const centre = () => tree.centre();
  const button = (text, label, work) => element("button", { type: "button", "aria-label": label, title: label, click: work }, text);
  bar.append(element("label", {}, "Colour by", colour));
  if (thermoReady()) bar.append(temperatureSlider());
  bar.append(element("label", {}, "Joints", kind),
    element("span", { class: "icons" }, button("+", "Zoom in", () => tree.zoom(0.6, ...centre())),
      button(MINUS, "Zoom out", () => tree.zoom(1 / 0.6, ...centre())), button("⤢", "Show the whole tree", () => tree.look({ ...tree.home }))),
    element("button", { type: "button", class: "push", click: () => offer(`${slug()}-tree.svg`, "image/svg+xml", new XMLSerializer().serializeToString(tree.svg())) }, "Save as SVG"));
  if (view instanceof StructureView) {
    bar.append(element("button", { type: "button", "aria-pressed": "true", click: (event) => {
      view.bonds = !view.bonds;
      event.currentTarget.setAttribute("aria-pressed", view.bonds);
      view.redraw();
    } }, "Bonds"));
  }
}

function caption(tree) {
  const message = page.facts.trees[tree.kind].message;
  const exact = tree.kind === "exact" ? "Joints lie at the energies of the transition states." : `Joints are rounded up to one of ${page.facts.trees.levels.levels} levels.`;
  query("#tree-caption").replaceChildren(element("b", {}, `${whole(tree.leaves)} minima. `), exact, " The red dot is the global minimum.",
    message ? ` ${message[0].toUpperCase()}${message.slice(1)}.` : "");
}

function drawLegend(legend, tree) {
  const mode = page.colour;
  if (["energy", "hits", "occupation"].includes(mode)) {
    const ramp = element("div", { class: "ramp" });
    ramp.style.background = `linear-gradient(90deg, ${Array.from({ length: 12 }, (_, i) => rgb(viridis(i / 11))).join(",")})`;
    const [low, high] = tree.range ?? [0, 1];
    const ends = mode === "energy" ? [fixed(low, 3), fixed(high, 3)] : mode === "hits" ? [whole(10 ** low), whole(10 ** high)] : [`≤ ${power(OCCUPATION_FLOOR)}`, "1"];
    const name = { energy: "Energy of the lowest minimum of each basin", hits: "Searches that ended in the lowest minimum of each basin (logarithmic)", occupation: `Occupation of each basin at ${mode === "occupation" ? temperatureText() : ""} (logarithmic; width as well)` }[mode];
    legend.replaceChildren(element("span", {}, name), element("span", {}, ends[0]), ramp, element("span", {}, ends[1]));
    return;
  }
  const chips = tree.groups.map(({ name, colour, count }) => chip(mode === "order" ? `order ${name}` : `component ${name}`, colour, count));
  if (tree.plain.count || tree.plain.more) {
    const rest = mode === "order" ? `order ${tree.plain.name}` : `component ${tree.plain.name}`;
    chips.unshift(chip(`${rest}${tree.plain.more ? ", others" : ""}, mixed basins`, theme.values.muted, tree.plain.count));
  }
  legend.replaceChildren(...chips);
}

function chip(text, colour, count) {
  const node = element("span", { class: "chip" }, element("i"), `${text} (${whole(count)})`);
  node.firstChild.style.background = colour;
  return node;
}

/** The lowest transition state to each neighbour of a minimum, lowest first. */
function neighbours(position) {
  const { core } = page;
  const best = new Map();
  for (let t = 0; t < core.tsIds.length; t++) {
    const [a, b] = [core.tsMinima[2 * t], core.tsMinima[2 * t + 1]];
    if (a === b || (a !== position && b !== position)) continue;
    const other = a === position ? b : a;
    const known = best.get(other);
    if (known === undefined || core.tsEnergies[t] < core.tsEnergies[known]) best.set(other, t);
  }
  return [...best].sort((one, two) => core.tsEnergies[one[1]] - core.tsEnergies[two[1]]);
}

function verdict(i) {
  const { core } = page;
  if (!core.certified[i]) return { text: "no certificate", mark: "–", kind: "" };
  return core.passed[i] ? { text: "certified", mark: "✓", kind: "good" } : { text: "failed", mark: "✗", kind: "bad" };
}

function drawCard(card) {
  const i = page.selected;
  if (i < 0) return;
  const { core, facts } = page;
  const logs = logOccupations();
  const proof = verdict(i);
  const list = element("dl", { class: "pairs" });
  const row = (name, ...value) => list.append(element("dt", {}, name), element("dd", {}, ...value));
  row("Energy", withUnit(energyText(core.energies[i]), facts.energyUnit));
  row("Above lowest", withUnit(energyText(core.energies[i] - core.energies[facts.globalMinimum]), facts.energyUnit));
  row("Certificate", element("span", { class: proof.kind }, `${proof.mark} ${proof.text}`),
    core.certified[i] ? `, gradient ${digits(core.gradients[i], 2)}, ${core.indices[i]} negative curvatures, ${core.zeros[i]} zero modes (${core.zerosExpected[i]} expected)` : "");
  row("Point-group order", String(core.orders[i]));
  row("Log-product", fixed(core.logProducts[i], 4));
  if (logs) row(`Occupation at ${temperatureText()}`, probability(Math.exp(logs[i])));
  row("Found", plural(core.hits[i], "time", "times"));
  if (page.tree.leafOf[i] < 0) row("In the graph", `not drawn: component ${core.components[i]} is among the small ones`);
  const near = neighbours(i);
  const items = near.slice(0, 5).map(([other, t]) => element("li", {},
    element("span", {}, "to ", element("button", { type: "button", class: "plain", click: () => page.select(other, "card") }, `minimum ${core.ids[other]}`)),
    element("span", {}, `barrier ${fixed(core.tsEnergies[t] - core.energies[i], 4)}`)));
  card.replaceChildren(
    element("h3", {}, `Minimum ${core.ids[i]}`, i === facts.globalMinimum ? element("small", {}, "global minimum") : null),
    list,
    near.length ? element("h3", { class: "screen-only", style: "margin-top:14px;font-size:14px" }, "Nearest by barrier", element("small", {}, plural(near.length, "neighbour", "neighbours"))) : null,
    near.length ? element("ul", { class: "neighbours screen-only" }, ...items) : element("p", { class: "note" }, "No transition state to another minimum is known."));
}
