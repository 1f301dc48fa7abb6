// The table of states: only the rows in sight are in the document, however many there are.

const ROW = 32;
const SPARE = 8;

/** Columns: key, heading, value for sorting and filtering, text, width. */
function stateColumns() {
  const { core, facts } = page;
  const lowest = core.energies[facts.globalMinimum];
  const columns = [
    { key: "id", name: "id", value: (i) => core.ids[i], text: (i) => String(core.ids[i]), width: 9 },
    { key: "energy", name: perUnit("energy", facts.energyUnit), value: (i) => core.energies[i], text: (i) => energyText(core.energies[i]), width: 16 },
    { key: "above", name: "above lowest", value: (i) => core.energies[i] - lowest, text: (i) => fixed(core.energies[i] - lowest, 6), width: 13 },
    { key: "gradient", name: "certificate", value: (i) => (core.certified[i] ? core.gradients[i] + (core.passed[i] ? 0 : 1e9) : 1e10), text: (i) => certificateText(i), width: 27, left: true },
    { key: "order", name: "order", value: (i) => core.orders[i], text: (i) => String(core.orders[i]), width: 9 },
    { key: "hits", name: "hits", value: (i) => core.hits[i], text: (i) => whole(core.hits[i]), width: 10 },
    { key: "component", name: "component", value: (i) => core.components[i], text: (i) => String(core.components[i]), width: 12 },
  ];
  if (thermoReady()) {
    columns.splice(5, 0, { key: "occupation", name: "occupation", value: (i) => logOccupations()[i], text: (i) => probability(Math.exp(logOccupations()[i])), width: 13 });
  }
  return columns;
}

function certificateText(i) {
  const { core } = page;
  const proof = verdict(i);
  if (!core.certified[i]) return "– none";
  return `${proof.mark} |g| ${digits(core.gradients[i], 2)}, index ${core.indices[i]}, zeros ${core.zeros[i]}/${core.zerosExpected[i]}`;
}

/** A test of rows from what was typed: `12`, `energy<-43`, `order>=2 hits=1`; throws if it is neither. */
function parseFilter(text, columns) {
  const tests = text.trim().split(/\s+/).filter(Boolean).map((term) => {
    if (/^\d+$/.test(term)) return (i) => page.core.ids[i] === Number(term);
    const match = /^([a-z]+)(<=|>=|<|>|=)([-+−]?[\d.]+(?:e[-+]?\d+)?)$/i.exec(term);
    const column = match && columns.find(({ key }) => key === match[1].toLowerCase());
    if (!column) throw new Error(term);
    const bound = Number(match[3].replace("−", "-"));
    const read = column.key === "occupation" ? (i) => Math.exp(column.value(i)) : column.value;
    const holds = { "<": (v) => v < bound, ">": (v) => v > bound, "<=": (v) => v <= bound, ">=": (v) => v >= bound, "=": (v) => Math.abs(v - bound) <= 1e-9 * Math.max(1, Math.abs(bound)) }[match[2]];
    return (i) => holds(read(i));
  });
  return (i) => tests.every((test) => test(i));
}

class StateTable {
  constructor(node) {
    this.columns = stateColumns();
    this.sort = { key: "energy", down: false };
    this.filter = () => true;
    this.body = element("tbody");
    this.heads = new Map();
    this.table = element("table", { class: "states", "aria-label": "Minima" },
      element("colgroup", {}, ...this.columns.map(({ width }) => { const col = element("col"); col.style.width = `${width}%`; return col; })),
      element("thead", {}, element("tr", {}, ...this.columns.map((column) => this.heading(column)))), this.body);
    this.scroller = element("div", { class: "scroller", id: "states-scroller" }, this.table);
    this.count = element("span", { "aria-live": "polite" });
    node.append(this.bar(), this.scroller, this.printed());
    this.scroller.addEventListener("scroll", perFrame(() => this.render()), { passive: true });
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest("tr[data-at]");
      if (row) page.select(Number(row.dataset.at), "table");
    });
    this.body.addEventListener("keydown", (event) => this.key(event));
    page.on("select", (source) => { if (source !== "table") this.reveal(); this.render(true); });
    page.on("temperature", () => { if (this.sort.key === "occupation") this.arrange(); else this.render(true); });
    this.arrange();
  }

  heading(column) {
    const head = element("th", { scope: "col", "aria-sort": "none", class: column.left ? "left" : null },
      element("button", { type: "button", click: () => this.sortBy(column.key) }, column.name));
    this.heads.set(column.key, head);
    return head;
  }

  bar() {
    const box = element("input", { type: "search", id: "states-filter", placeholder: "id, or energy<-43 order>=2 hits=1", "aria-label": "Filter the minima", autocomplete: "off", spellcheck: "false" });
    const wrong = element("span", { class: "bad", role: "status" });
    box.addEventListener("input", () => {
      try {
        this.filter = parseFilter(box.value, this.columns);
        wrong.textContent = "";
        this.arrange();
      } catch (error) {
        wrong.textContent = `“${error.message}” is no condition; names are ${this.columns.map(({ key }) => key).join(", ")}`;
      }
    });
    return element("div", { class: "bar" }, element("label", {}, "Filter", box), wrong, this.count,
      element("button", { type: "button", class: "push", click: () => this.save() }, "Save as CSV"));
  }

  sortBy(key) {
    const same = this.sort.key === key;
    const downFirst = key === "occupation" || key === "hits" || key === "order";
    this.sort = { key, down: same ? !this.sort.down : downFirst };
    this.scroller.scrollTop = 0;
    this.arrange();
  }

  arrange() {
    const column = this.columns.find(({ key }) => key === this.sort.key);
    const total = page.core.ids.length;
    const keys = new Float64Array(total);
    const rows = [];
    for (let i = 0; i < total; i++) if (this.filter(i)) { rows.push(i); keys[i] = column.value(i); }
    const sign = this.sort.down ? -1 : 1;
    rows.sort((a, b) => sign * (keys[a] - keys[b]) || page.core.energies[a] - page.core.energies[b] || a - b);
    this.rows = rows;
    for (const [key, head] of this.heads) head.setAttribute("aria-sort", key !== this.sort.key ? "none" : this.sort.down ? "descending" : "ascending");
    this.table.setAttribute("aria-rowcount", rows.length + 1);
    this.count.textContent = rows.length === total ? plural(total, "minimum", "minima") : `${whole(rows.length)} of ${whole(total)} minima`;
    this.render(true);
  }

  /** Put the rows in sight into the document, between two empty ones of the right height. */
  render(force = false) {
    const from = Math.max(0, Math.floor(this.scroller.scrollTop / ROW) - SPARE);
    const to = Math.min(this.rows.length, from + Math.ceil((this.scroller.clientHeight || 446) / ROW) + 2 * SPARE);
    if (!force && from === this.from && to === this.to) return;
    const focused = this.body.contains(document.activeElement) ? document.activeElement.dataset.at : null;
    [this.from, this.to] = [from, to];
    const gap = (count) => {
      const row = element("tr", { class: "gap", "aria-hidden": "true" }, element("td", { colspan: this.columns.length }));
      row.style.height = `${count * ROW}px`;
      row.firstChild.style.height = `${count * ROW}px`;
      return row;
    };
    const shown = this.rows.slice(from, to).map((i, n) => this.row(i, from + n));
    this.body.replaceChildren(gap(from), ...shown, gap(this.rows.length - to));
    if (focused !== null) query(`tr[data-at="${focused}"]`, this.body)?.focus({ preventScroll: true });
    else if (!query('tr[tabindex="0"]', this.body)) shown[0]?.setAttribute("tabindex", "0");
  }

  row(i, number) {
    const chosen = i === page.selected;
    return element("tr", { "data-at": i, tabindex: chosen ? "0" : "-1", "aria-selected": String(chosen), "aria-rowindex": number + 2 },
      ...this.columns.map((column) => element("td", { class: column.left ? "left" : null }, column.text(i))));
  }

  reveal() {
    const at = this.rows.indexOf(page.selected);
    if (at < 0) return;
    const top = at * ROW, high = this.scroller.clientHeight - 2 * ROW;
    if (top < this.scroller.scrollTop || top > this.scroller.scrollTop + high) this.scroller.scrollTop = Math.max(0, top - high / 2);
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 12, PageUp: -12 }[event.key];
    const row = event.target.closest("tr[data-at]");
    if (!row) return;
    let to = this.rows.indexOf(Number(row.dataset.at));
    if (step) to = clamp(to + step, 0, this.rows.length - 1);
    else if (event.key === "Home") to = 0;
    else if (event.key === "End") to = this.rows.length - 1;
    else if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    page.select(this.rows[to], "row");
    this.reveal();
    this.render(true);
    query(`tr[data-at="${this.rows[to]}"]`, this.body)?.focus({ preventScroll: true });
  }

  save() {
    const quoted = (text) => `"${String(text).replace(/"/g, '""')}"`;
    const lines = [this.columns.map(({ key }) => key).join(",")];
    for (const i of this.rows) {
      lines.push(this.columns.map(({ key, value }) => {
        if (key === "gradient") return quoted(certificateText(i));
        return key === "occupation" ? Math.exp(value(i)) : value(i);
      }).join(","));
    }
    offer(`${slug()}-minima.csv`, "text/csv", lines.join("\n") + "\n");
  }

  /** The lowest states, for paper. */
  printed() {
    const box = element("div", { class: "print-only" });
    window.addEventListener("beforeprint", () => {
      const few = this.rows.slice(0, 30);
      const table = element("table", { class: "states few" },
        element("thead", {}, element("tr", {}, ...this.columns.map((column) => element("th", { class: column.left ? "left" : null }, column.name)))),
        element("tbody", {}, ...few.map((i) => element("tr", {}, ...this.columns.map((column) => element("td", { class: column.left ? "left" : null }, column.text(i)))))));
      const note = this.rows.length > few.length ? `The first ${few.length} of ${whole(this.rows.length)} minima in the order chosen; the file on screen holds them all.` : "";
      box.replaceChildren(table, element("p", { class: "note" }, note));
    });
    return box;
  }
}

function statesSection() {
  const node = section("states", "Minima", "Every minimum with its evidence: the root-mean-square gradient left, the number of negative curvatures, and the zero modes found and expected from the symmetry.");
  page.table = new StateTable(node);
}
