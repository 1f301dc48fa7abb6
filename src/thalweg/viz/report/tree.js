// The disconnectivity graph: a canvas for thousands of minima, with pan, zoom and hit-testing.

const MEANINGS = {
  energy: "energy",
  occupation: "occupation at T",
  order: "point-group order",
  component: "component",
  hits: "searches that found it",
};
const OCCUPATION_FLOOR = -4; // decimal logarithm below which a basin counts as empty

class TreeView {
  constructor(stage) {
    this.stage = stage;
    this.base = query("canvas.base", stage);
    this.over = query("canvas.over", stage);
    this.hover = -1;
    this.redraw = perFrame(() => this.draw());
    this.redrawOver = perFrame(() => this.drawOver());
    this.show("levels");
    this.listen();
    new ResizeObserver(() => this.draw()).observe(stage);
  }

  /** Take one of the trees: at levels, or exact. */
  show(kind) {
    const { core, facts } = page;
    const arrays = {};
    for (const name of ["parent", "height", "branch", "x", "size", "lowest", "minimum"]) arrays[name] = core[`${kind}.${name}`];
    Object.assign(this, arrays, { kind, leaves: facts.trees[kind].leaves, nodes: arrays.parent.length });
    this.leafOf = new Int32Array(core.ids.length).fill(-1);
    for (let leaf = 0; leaf < this.leaves; leaf++) this.leafOf[this.minimum[leaf]] = leaf;
    let low = Infinity, high = -Infinity;
    for (const value of this.height) { low = Math.min(low, value); high = Math.max(high, value); }
    const span = high - low || Math.max(Math.abs(low), 1) * 0.1;
    this.top = high + 0.035 * span;
    this.home = { x0: -0.8, x1: this.leaves - 0.2, y0: low - 0.05 * span, y1: this.top };
    this.view = { ...this.home };
    this.hover = -1;
    this.paint();
  }

  /** Colours of the nodes: buckets of node numbers, each with its colour. */
  paint() {
    const mode = page.colour;
    const scale = mode === "energy" || mode === "hits" || mode === "occupation";
    const bucket = scale ? this.scaleBuckets(mode) : this.groupBuckets(mode);
    const colours = scale ? [...bucketColours(), theme.values.faint] : bucket.colours;
    const lists = colours.map(() => []);
    for (let node = 0; node < this.nodes; node++) lists[bucket.of[node]].push(node);
    // What is drawn last lies on top: full basins over empty ones, groups over the rest.
    const order = [...colours.keys()];
    if (mode === "occupation") order.unshift(order.pop());
    else if (!scale) order.reverse();
    else order.reverse();
    this.painted = order.filter((i) => lists[i].length).map((i) => ({ colour: colours[i], nodes: lists[i] }));
    this.redraw();
    this.redrawOver();
    return this;
  }

  scaleBuckets(mode) {
    const { core } = page;
    const of = new Uint8Array(this.nodes);
    let values = new Float64Array(this.nodes);
    let [low, high] = [Infinity, -Infinity];
    this.share = null;
    if (mode === "occupation") {
      values = this.occupations();
      this.share = values;
      values = values.map((p) => Math.log10(p));
      [low, high] = [OCCUPATION_FLOOR, 0];
    } else {
      for (let node = 0; node < this.nodes; node++) {
        const at = this.minimum[this.lowest[node]];
        values[node] = mode === "energy" ? core.energies[at] : Math.log10(Math.max(core.hits[at], 1));
        low = Math.min(low, values[node]);
        high = Math.max(high, values[node]);
      }
    }
    for (let node = 0; node < this.nodes; node++) {
      const t = (values[node] - low) / (high - low || 1);
      of[node] = mode === "occupation" && !(values[node] > low) ? BUCKETS : Math.round(clamp(t, 0, 1) * (BUCKETS - 1));
    }
    this.range = [low, high];
    return { of };
  }

  groupBuckets(mode) {
    const { core } = page;
    this.share = null;
    const values = mode === "order" ? core.orders : core.components;
    const tally = new Map();
    for (let leaf = 0; leaf < this.leaves; leaf++) {
      const value = values[this.minimum[leaf]];
      tally.set(value, (tally.get(value) ?? 0) + 1);
    }
    let names = [...tally.keys()].sort((a, b) => tally.get(b) - tally.get(a));
    const plain = mode === "order" ? 1 : 0; // the ordinary case stays quiet
    names = names.filter((name) => name !== plain).slice(0, 8).sort((a, b) => a - b);
    const place = new Map(names.map((name, i) => [name, i]));
    const rest = names.length;
    const of = new Uint8Array(this.nodes);
    const group = new Int32Array(this.nodes).fill(-2);
    for (let node = 0; node < this.nodes; node++) {
      if (node < this.leaves) {
        const value = values[this.minimum[node]];
        group[node] = place.has(value) ? place.get(value) : rest;
      }
      of[node] = group[node] < 0 ? rest : group[node];
      const parent = this.parent[node];
      if (parent >= 0) group[parent] = group[parent] === -2 || group[parent] === group[node] ? group[node] : rest;
    }
    this.groups = names.map((name, i) => ({ name, colour: theme.groups[i], count: tally.get(name) }));
    this.plain = { name: plain, count: tally.get(plain) ?? 0, more: tally.size > names.length + (tally.has(plain) ? 1 : 0) };
    return { of, colours: [...theme.groups.slice(0, rest), theme.values.muted] };
  }

  /** Occupation of each node: of its minima together. */
  occupations() {
    const logs = logOccupations();
    const sums = new Float64Array(this.nodes);
    for (let leaf = 0; leaf < this.leaves; leaf++) sums[leaf] = logs ? Math.exp(logs[this.minimum[leaf]]) : 0;
    for (let node = 0; node < this.nodes; node++) {
      if (this.parent[node] >= 0) sums[this.parent[node]] += sums[node];
    }
    return sums;
  }

  margins() {
    return { left: 74, right: 14, top: 14, bottom: 16 };
  }

  /** From data to pixels, in a box of this size. */
  frame(width, height, view = this.view) {
    const m = this.margins();
    const sx = (width - m.left - m.right) / (view.x1 - view.x0);
    const sy = (height - m.top - m.bottom) / (view.y1 - view.y0);
    return { X: (x) => m.left + (x - view.x0) * sx, Y: (y) => height - m.bottom - (y - view.y0) * sy, sx, sy, m, width, height };
  }

  lineWidth(view = this.view) {
    const visible = Math.min(this.leaves, view.x1 - view.x0);
    return clamp(16 / Math.sqrt(Math.max(visible, 1)), 0.55, 1.7);
  }

  draw() {
    const width = this.stage.clientWidth, height = this.stage.clientHeight;
    if (!width || !height) return;
    const began = performance.now();
    const g = fitCanvas(this.base, width, height);
    g.clearRect(0, 0, width, height);
    const f = this.frame(width, height);
    this.drawAxis(g, f);
    if (!this.leaves) {
      g.fillStyle = theme.values.soft;
      g.textAlign = "center";
      g.fillText(page.facts.trees[this.kind].message, width / 2, height / 2);
      return;
    }
    g.save();
    g.beginPath();
    g.rect(f.m.left - 4, 0, width - f.m.left - f.m.right + 8, height);
    g.clip();
    g.lineCap = "round";
    g.lineJoin = "round";
    const fade = clamp(12 / Math.sqrt(Math.max(Math.min(this.leaves, this.view.x1 - this.view.x0), 1)), 0.3, 1);
    for (const slopes of [true, false]) {
      for (const { colour, nodes } of this.painted) {
        g.strokeStyle = colour;
        g.globalAlpha = slopes ? fade : 1;
        this.strokeNodes(g, f, nodes, slopes);
      }
    }
    g.globalAlpha = 1;
    this.drawGlobal(g, f);
    g.restore();
    this.drawOver();
    this.cost = performance.now() - began;
  }

  strokeNodes(g, f, nodes, slopes) {
    const { x, height, branch, parent } = this;
    const { x0, x1, y0, y1 } = this.view;
    const width = this.lineWidth();
    let count = 0;
    // Thousands of lines share few columns of pixels: draw what can be told apart.
    let [column, foot, head, joint] = [NaN, NaN, NaN, -1];
    g.lineWidth = width;
    g.beginPath();
    for (const node of nodes) {
      const up = parent[node];
      const turn = up < 0 ? this.top : branch[node];
      if (turn < y0 && up >= 0 && height[up] < y0) continue;
      if (height[node] > y1) continue;
      if (slopes) {
        if (up < 0) continue;
        const a = x[node], b = x[up];
        if ((a < x0 && b < x0) || (a > x1 && b > x1)) continue;
        const [px, py] = [f.X(a), f.Y(turn)];
        if (up === joint && Math.abs(px - column) < 0.7 && Math.abs(py - head) < 0.7) continue;
        [column, head, joint] = [px, py, up];
        g.moveTo(px, py);
        g.lineTo(f.X(b), f.Y(height[up]));
      } else {
        if (x[node] < x0 || x[node] > x1) continue;
        const [px, low, high] = [f.X(x[node]), f.Y(height[node]), f.Y(turn)];
        if (!this.share && Math.abs(px - column) < 0.5 && low <= foot + 0.5 && high >= head - 0.5) continue;
        [column, foot, head] = [px, low, high];
        if (this.share && this.share[node] > 1e-3) {
          g.stroke();
          g.beginPath();
          g.lineWidth = width * (1 + 2.2 * this.share[node]);
        }
        g.moveTo(px, low);
        g.lineTo(px, high);
      }
      if (++count % 1500 === 0) { g.stroke(); g.beginPath(); }
    }
    g.stroke();
  }

  drawAxis(g, f) {
    const { view } = this;
    g.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    g.textAlign = "right";
    g.textBaseline = "middle";
    g.lineWidth = 1;
    const marks = ticks(view.y0, view.y1, Math.round(f.height / 62));
    const step = marks.length > 1 ? marks[1] - marks[0] : 1;
    for (const value of marks) {
      const y = Math.round(f.Y(value)) + 0.5;
      g.strokeStyle = theme.values.hair;
      g.beginPath(); g.moveTo(f.m.left, y); g.lineTo(f.width - f.m.right, y); g.stroke();
      g.fillStyle = theme.values.muted;
      g.fillText(tickText(value, step), f.m.left - 10, y);
    }
    g.save();
    g.translate(15, (f.m.top + f.height - f.m.bottom) / 2);
    g.rotate(-Math.PI / 2);
    g.textAlign = "center";
    g.fillStyle = theme.values.soft;
    g.fillText(energyLabel(), 0, 0);
    g.restore();
  }

  drawGlobal(g, f) {
    const leaf = this.leafOf[page.facts.globalMinimum];
    if (leaf < 0) return;
    g.beginPath();
    g.arc(f.X(this.x[leaf]), f.Y(this.height[leaf]), 4, 0, 7);
    g.fillStyle = theme.values.accent;
    g.fill();
    g.lineWidth = 1.5;
    g.strokeStyle = theme.values.panel;
    g.stroke();
  }

  /** The selected minimum with its way up, and whatever the pointer is on. */
  drawOver() {
    const width = this.stage.clientWidth, height = this.stage.clientHeight;
    if (!width || !height || !this.leaves) return;
    const g = fitCanvas(this.over, width, height);
    g.clearRect(0, 0, width, height);
    const f = this.frame(width, height);
    g.save();
    g.beginPath();
    g.rect(f.m.left - 8, 0, width, height);
    g.clip();
    if (this.hover >= 0) this.drawBasin(g, f, this.hover);
    const leaf = page.selected >= 0 ? this.leafOf[page.selected] : -1;
    if (leaf >= 0) this.drawSelected(g, f, leaf);
    g.restore();
  }

  drawBasin(g, f, node) {
    g.strokeStyle = theme.values.link;
    g.lineCap = "round";
    g.lineWidth = this.lineWidth() + 1.6;
    g.globalAlpha = 0.75;
    const up = this.parent[node];
    g.beginPath();
    g.moveTo(f.X(this.x[node]), f.Y(this.height[node]));
    g.lineTo(f.X(this.x[node]), f.Y(up < 0 ? this.top : this.branch[node]));
    if (up >= 0) g.lineTo(f.X(this.x[up]), f.Y(this.height[up]));
    g.stroke();
    g.globalAlpha = 1;
    const leaf = this.lowest[node];
    g.beginPath();
    g.arc(f.X(this.x[leaf]), f.Y(this.height[leaf]), 4.5, 0, 7);
    g.fillStyle = theme.values.link;
    g.fill();
  }

  drawSelected(g, f, leaf) {
    g.strokeStyle = theme.values.accent;
    g.lineWidth = Math.max(this.lineWidth() + 0.6, 1.6);
    g.lineJoin = "round";
    g.beginPath();
    g.moveTo(f.X(this.x[leaf]), f.Y(this.height[leaf]));
    for (let node = leaf; ; node = this.parent[node]) {
      const up = this.parent[node];
      g.lineTo(f.X(this.x[node]), f.Y(up < 0 ? this.top : this.branch[node]));
      if (up < 0) break;
      g.lineTo(f.X(this.x[up]), f.Y(this.height[up]));
    }
    g.stroke();
    const [x, y] = [f.X(this.x[leaf]), f.Y(this.height[leaf])];
    g.beginPath();
    g.arc(x, y, 6, 0, 7);
    g.fillStyle = theme.values.panel;
    g.fill();
    g.lineWidth = 2.2;
    g.stroke();
    const text = String(page.core.ids[page.selected]);
    g.font = `600 12px ${getComputedStyle(document.body).fontFamily}`;
    const wide = g.measureText(text).width;
    const right = x + 11 + wide < f.width;
    const tx = right ? x + 10 : x - 10 - wide;
    g.fillStyle = theme.values.panel;
    g.globalAlpha = 0.85;
    g.fillRect(tx - 3, y - 8, wide + 6, 16);
    g.globalAlpha = 1;
    g.fillStyle = theme.values.accent;
    g.textBaseline = "middle";
    g.textAlign = "left";
    g.fillText(text, tx, y);
  }

  /** The node whose line is nearest to a pixel, or -1. */
  hit(px, py) {
    const f = this.frame(this.stage.clientWidth, this.stage.clientHeight);
    const { x, height, branch, parent, leaves } = this;
    let best = -1, least = 81;
    for (let node = 0; node < this.nodes; node++) {
      const ax = f.X(x[node]) - px, ay = f.Y(height[node]) - py;
      const up = parent[node];
      const by = f.Y(up < 0 ? this.top : branch[node]) - py;
      // Upright part: from (ax, ay) up to (ax, by).
      const dy = ay < 0 ? ay : by > 0 ? by : 0;
      let d = ax * ax + dy * dy;
      if (up >= 0) d = Math.min(d, slopeDistance(ax, by, f.X(x[up]) - px, f.Y(height[up]) - py));
      if (node < leaves) d = Math.min(d, (ax * ax + ay * ay) * 0.4);
      if (d < least) { least = d; best = node; }
    }
    return best;
  }

  describe(node) {
    const { core } = page;
    const leaf = this.lowest[node], at = this.minimum[leaf];
    const lines = [];
    const add = (...parts) => lines.push(element("div", {}, ...parts));
    const logs = logOccupations();
    if (node < this.leaves) {
      add(element("b", {}, `Minimum ${core.ids[at]}`));
      add(element("span", {}, "energy "), withUnit(energyText(core.energies[at]), page.facts.energyUnit));
      add(element("span", {}, "point-group order "), String(core.orders[at]));
      if (logs) add(element("span", {}, "occupation "), probability(Math.exp(logs[at])));
      if (this.parent[node] >= 0) add(element("span", {}, "joins others at "), fixed(this.height[this.parent[node]], 3));
    } else {
      add(element("b", {}, `Basin of ${whole(this.size[node])} minima`));
      add(element("span", {}, "connected below "), withUnit(fixed(this.height[node], 3), page.facts.energyUnit));
      add(element("span", {}, "lowest "), `minimum ${core.ids[at]}, ${fixed(core.energies[at], 4)}`);
      if (logs) add(element("span", {}, "occupation "), probability(this.occupations()[node]));
    }
    return lines;
  }

  zoom(factor, px, py, { upright = true } = {}) {
    const f = this.frame(this.stage.clientWidth, this.stage.clientHeight);
    const v = this.view, h = this.home;
    const cx = v.x0 + (px - f.m.left) / f.sx;
    const cy = v.y0 + (f.height - f.m.bottom - py) / f.sy;
    const wide = clamp((v.x1 - v.x0) * factor, Math.min(3, h.x1 - h.x0), h.x1 - h.x0);
    const high = clamp((v.y1 - v.y0) * (upright ? factor : 1), (h.y1 - h.y0) * 1e-5, h.y1 - h.y0);
    const fx = wide / (v.x1 - v.x0), fy = high / (v.y1 - v.y0);
    this.look({ x0: cx - (cx - v.x0) * fx, x1: cx + (v.x1 - cx) * fx, y0: cy - (cy - v.y0) * fy, y1: cy + (v.y1 - cy) * fy });
  }

  /** Change the view, kept inside what there is. */
  look(view) {
    const h = this.home;
    const slide = (low, high, from, to) => {
      const size = Math.min(high - low, to - from);
      const start = clamp(low, from, to - size);
      return [start, start + size];
    };
    [view.x0, view.x1] = slide(view.x0, view.x1, h.x0, h.x1);
    [view.y0, view.y1] = slide(view.y0, view.y1, h.y0, h.y1);
    this.view = view;
    this.redraw();
  }

  centre() { return [this.stage.clientWidth / 2, this.stage.clientHeight / 2]; }

  /** Zoom to the minima below a node. */
  zoomTo(node) {
    let [left, right, low] = [Infinity, -Infinity, Infinity];
    const inside = new Uint8Array(this.nodes);
    inside[node] = 1;
    for (let i = this.nodes - 1; i >= 0; i--) {
      if (this.parent[i] >= 0 && inside[this.parent[i]]) inside[i] = 1;
      if (!inside[i]) continue;
      left = Math.min(left, this.x[i]); right = Math.max(right, this.x[i]); low = Math.min(low, this.height[i]);
    }
    const top = this.parent[node] < 0 ? this.top : this.height[this.parent[node]];
    const room = Math.max((right - left) * 0.08, 1.2);
    const tall = (top - low || 1) * 0.08;
    this.look({ x0: left - room, x1: right + room, y0: low - tall, y1: top + tall });
  }

  /** Bring a minimum into view if it is outside. */
  reveal(position) {
    const leaf = this.leafOf[position];
    if (leaf < 0) return;
    const v = this.view;
    const [x, y] = [this.x[leaf], this.height[leaf]];
    if (x >= v.x0 && x <= v.x1 && y >= v.y0 && y <= v.y1) return;
    const [w, h] = [(v.x1 - v.x0) / 2, v.y1 - v.y0];
    this.look({ x0: x - w, x1: x + w, y0: Math.min(v.y0, y - 0.1 * h), y1: Math.min(v.y0, y - 0.1 * h) + h });
  }

  listen() {
    const canvas = this.base;
    let drag = null;
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      drag = { at: at(event), view: { ...this.view }, moved: false };
      canvas.focus({ preventScroll: true }); canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      const [x, y] = at(event);
      if (drag) {
        const [dx, dy] = [x - drag.at[0], y - drag.at[1]];
        if (!drag.moved && Math.hypot(dx, dy) < 4) return;
        drag.moved = true;
        canvas.classList.add("dragging");
        tip.hide();
        const f = this.frame(this.stage.clientWidth, this.stage.clientHeight);
        const v = drag.view;
        this.look({ x0: v.x0 - dx / f.sx, x1: v.x1 - dx / f.sx, y0: v.y0 + dy / f.sy, y1: v.y1 + dy / f.sy });
        return;
      }
      const node = this.leaves ? this.hit(x, y) : -1;
      if (node !== this.hover) { this.hover = node; this.redrawOver(); }
      if (node >= 0) tip.show(event.clientX, event.clientY, ...this.describe(node));
      else tip.hide();
    });
    canvas.addEventListener("pointerup", (event) => {
      const clicked = drag && !drag.moved;
      drag = null;
      canvas.classList.remove("dragging");
      if (!clicked) return;
      const node = this.hit(...at(event));
      if (node >= 0) page.select(this.minimum[this.lowest[node]], "tree");
    });
    canvas.addEventListener("pointercancel", () => { drag = null; });
    canvas.addEventListener("pointerleave", () => { this.hover = -1; this.redrawOver(); tip.hide(); });
    canvas.addEventListener("dblclick", (event) => {
      const node = this.hit(...at(event));
      if (node >= 0) this.zoomTo(node < this.leaves && this.parent[node] >= 0 ? this.parent[node] : node);
    });
    canvas.addEventListener("wheel", (event) => {
      // The page scrolls as always until the graph has the focus, or Ctrl is held.
      if (document.activeElement !== canvas && !event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      this.zoom(Math.exp(clamp(event.deltaY, -120, 120) * 0.0022), ...at(event), { upright: !event.shiftKey });
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const leaf = page.selected >= 0 ? this.leafOf[page.selected] : -1;
    const steps = { ArrowLeft: -1, ArrowRight: 1 };
    if (event.key in steps && this.leaves) {
      page.select(this.minimum[clamp(leaf + steps[event.key], 0, this.leaves - 1)], "key");
    } else if (event.key === "+" || event.key === "=") this.zoom(0.7, ...this.focus());
    else if (event.key === "-") this.zoom(1 / 0.7, ...this.focus());
    else if (event.key === "0" || event.key === "Escape") this.look({ ...this.home });
    else return;
    event.preventDefault();
  }

  /** Where keys zoom: at the selected minimum if it can be seen. */
  focus() {
    const leaf = page.selected >= 0 ? this.leafOf[page.selected] : -1;
    if (leaf < 0) return this.centre();
    const f = this.frame(this.stage.clientWidth, this.stage.clientHeight);
    return [f.X(this.x[leaf]), f.Y(this.height[leaf])];
  }

  /** The whole tree as lines that print at any size. */
  svg(width = 900, height = 520) {
    const f = this.frame(width, height, this.home);
    const root = vector("svg", { viewBox: `0 0 ${width} ${height}`, xmlns: SVG, role: "img", "aria-label": "Disconnectivity graph" });
    const line = this.lineWidth(this.home);
    const near = (value) => Math.round(value * 10) / 10;
    const marks = ticks(this.home.y0, this.home.y1, 9);
    for (const value of marks) {
      root.append(vector("line", { x1: f.m.left, x2: width - f.m.right, y1: near(f.Y(value)), y2: near(f.Y(value)), stroke: theme.values.hair }));
      const text = vector("text", { x: f.m.left - 9, y: near(f.Y(value)) + 4, "text-anchor": "end", "font-size": 12, "font-family": "sans-serif", fill: theme.values.muted });
      text.textContent = tickText(value, marks.length > 1 ? marks[1] - marks[0] : 1);
      root.append(text);
    }
    const label = vector("text", { transform: `translate(15 ${height / 2}) rotate(-90)`, "text-anchor": "middle", "font-size": 12, "font-family": "sans-serif", fill: theme.values.soft });
    label.textContent = energyLabel();
    root.append(label);
    for (const { colour, nodes } of this.painted) {
      let path = "";
      for (const node of nodes) {
        const up = this.parent[node];
        path += `M${near(f.X(this.x[node]))} ${near(f.Y(this.height[node]))}V${near(f.Y(up < 0 ? this.top : this.branch[node]))}`;
        if (up >= 0) path += `L${near(f.X(this.x[up]))} ${near(f.Y(this.height[up]))}`;
      }
      root.append(vector("path", { d: path, fill: "none", stroke: colour, "stroke-width": near(line), "stroke-linejoin": "round", "stroke-linecap": "round" }));
    }
    const leaf = this.leafOf[page.facts.globalMinimum];
    if (leaf >= 0) root.append(vector("circle", { cx: near(f.X(this.x[leaf])), cy: near(f.Y(this.height[leaf])), r: 4, fill: theme.values.accent, stroke: theme.values.panel }));
    return root;
  }
}

/** Squared distance of the origin from a segment. */
function slopeDistance(ax, ay, bx, by) {
  const [dx, dy] = [bx - ax, by - ay];
  const t = clamp(-(ax * dx + ay * dy) / (dx * dx + dy * dy || 1), 0, 1);
  const [x, y] = [ax + t * dx, ay + t * dy];
  return x * x + y * y;
}
