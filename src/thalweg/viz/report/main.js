// Unpack, put the page together, and follow theme, printing and scrolling.

function masthead() {
  const { facts, core } = page;
  const g = facts.globalMinimum;
  const fact = (name, value, more) => element("div", {}, element("dt", {}, name), element("dd", {}, value, more ? element("small", {}, ` ${more}`) : null));
  const atoms = facts.particles ? plural(facts.shape[0], "particle", "particles") : facts.dof ? plural(facts.dof, "coordinate", "coordinates") : "";
  query("#facts-list").append(
    fact("Minima", whole(core.ids.length)),
    fact("Transition states", whole(core.tsIds.length), facts.degenerate ? `${whole(facts.degenerate)} degenerate` : ""),
    fact("Components", whole(facts.components)),
    fact("Global minimum", energyText(core.energies[g]), `${facts.energyUnit ? `${facts.energyUnit}, ` : ""}id ${core.ids[g]}`),
    fact("Its point group", `order ${core.orders[g]}`));
  query("#lead").textContent = `The energy landscape of ${facts.name}${atoms ? `, ${atoms}` : ""}.`;
  query("#completeness-line").textContent = `Known: ${estimateSentence(facts.completeness.minima, "minimum", "minima")}, and ${estimateSentence(facts.completeness.transitionStates, "transition state", "transition states")}.`;
  query("#colophon").textContent = `Written by thalweg ${facts.provenance.version}. This file holds all its data and fetches nothing.`;
}

function watchTheme() {
  const renew = () => { theme.read(); page.tell("theme"); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", renew);
  window.addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) { details.dataset.was = details.open; details.open = true; }
    theme.read();
    // Paper is light: what is drawn on canvases follows before the page is printed.
    printTheme();
    page.tell("theme");
    page.tell("beforeprint");
    if (page.view) page.view.draw();
    query(".tree-print").replaceChildren(page.tree.svg(900, 430));
  });
  window.addEventListener("afterprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = details.dataset.was === "true";
    query(".tree-print").replaceChildren();
    renew();
  });
}

/** Use the colours of paper, whatever the screen's are; `afterprint` reads those anew. */
function printTheme() {
  Object.assign(theme.values, {
    paper: "#ffffff", panel: "#ffffff", well: "#f6f6f3", ink: "#1b1f24", soft: "#333a42", muted: "#59616b",
    faint: "#a3abb5", rule: "#d5d5cf", hair: "#e6e6e0", accent: "#c8102e", link: "#1b1f24",
  });
  theme.groups = ["#1f6fb4", "#d9731a", "#2f8f4e", "#8b5fbf", "#b5893a", "#2aa5a0", "#c2528b", "#6b7280"];
  theme.dark = false;
}

function watchScroll() {
  const links = new Map([...document.querySelectorAll("#contents a")].map((link) => [link.hash.slice(1), link]));
  const seen = new Set();
  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries) entry.isIntersecting ? seen.add(entry.target.id) : seen.delete(entry.target.id);
    const first = [...links.keys()].find((id) => seen.has(id));
    for (const [id, link] of links) id === first ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current");
  }, { rootMargin: "-60px 0px -55% 0px" });
  for (const node of document.querySelectorAll("main > section")) observer.observe(node);
}

async function start() {
  page.facts = JSON.parse(query("#facts-json").textContent);
  theme.read();
  const { arrays, thermo } = page.facts;
  page.core = await unpack("block-core", arrays.core);
  if (thermoReady()) page.temperature = thermo.start;
  masthead();
  page.points = await unpack("block-points", arrays.points);
  query("#loading").remove();
  exploreSection();
  statesSection();
  page.select(page.facts.globalMinimum, "start");
  page.ready = performance.now();
  // The first picture is on the screen before the rest is built.
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  for (const build of [thermoSection, kineticsSection, pathSection, predictionsSection, completenessSection, networkSection, provenanceSection]) build();
  watchTheme();
  watchScroll();
  window.thalweg = { page, done: performance.now() };
  document.documentElement.dataset.ready = "yes";
}

start().catch((error) => {
  console.error(error);
  const why = typeof DecompressionStream === "undefined" ? "This browser is too old for the report: it needs DecompressionStream (2023)." : `The report could not be drawn: ${error.message}`;
  (query("#loading") ?? query("#main").appendChild(element("p", { class: "notice" }))).textContent = why;
});
