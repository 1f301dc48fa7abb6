// Particles in three dimensions on a plain canvas: shaded spheres, bonds, perspective, fog.

const SHADES = 10; // steps of depth for which each colour has a sprite
const SPRITE = 128;

/** A lit sphere in one colour. */
function sphereSprite(colour, rim) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SPRITE;
  const g = canvas.getContext("2d");
  const r = SPRITE / 2 - 1, c = SPRITE / 2;
  const light = g.createRadialGradient(c - 0.36 * r, c - 0.42 * r, 0.04 * r, c - 0.1 * r, c - 0.1 * r, 1.12 * r);
  light.addColorStop(0, rgb(mix(colour, [255, 255, 255], 0.78)));
  light.addColorStop(0.18, rgb(mix(colour, [255, 255, 255], 0.34)));
  light.addColorStop(0.52, rgb(colour));
  light.addColorStop(1, rgb(mix(colour, rim, 0.52)));
  g.beginPath();
  g.arc(c, c, r, 0, 7);
  g.fillStyle = light;
  g.fill();
  g.lineWidth = 1.6;
  g.strokeStyle = rgb(mix(colour, rim, 0.66));
  g.stroke();
  return canvas;
}

/** Pairs of particles that touch: sums of covalent radii where they apply, neighbours elsewhere. */
function findBonds(points, count, labels, unit) {
  const scale = ANGSTROM[unit];
  const radii = scale && labels.length && labels.every((name) => ELEMENTS[name]) ? labels.map((name) => ELEMENTS[name][1] / scale) : null;
  const covalent = radii ? pairsWithin(points, count, (i, j) => 1.25 * (radii[i] + radii[j])) : [];
  if (covalent.length >= count - 1) return covalent;
  const near = new Float64Array(count).fill(Infinity);
  for (let i = 0; i < count; i++) {
    for (let j = i + 1; j < count; j++) {
      const d = distance(points, i, j);
      near[i] = Math.min(near[i], d);
      near[j] = Math.min(near[j], d);
    }
  }
  const typical = [...near].sort((a, b) => a - b)[count >> 1];
  return pairsWithin(points, count, () => 1.22 * typical);
}

function distance(points, i, j) {
  return Math.hypot(points[3 * i] - points[3 * j], points[3 * i + 1] - points[3 * j + 1], points[3 * i + 2] - points[3 * j + 2]);
}

function pairsWithin(points, count, reach) {
  const found = [];
  for (let i = 0; i < count; i++) {
    for (let j = i + 1; j < count; j++) if (distance(points, i, j) < reach(i, j)) found.push([i, j]);
  }
  return found;
}

/** A turn by two angles, applied before the present one. */
function turned(m, yaw, pitch) {
  const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  const t = [cy, 0, sy, sp * sy, cp, -sp * cy, -cp * sy, sp, cp * cy];
  const out = new Array(9);
  for (let r = 0; r < 3; r++) for (let c = 0; c < 3; c++) out[3 * r + c] = t[3 * r] * m[c] + t[3 * r + 1] * m[3 + c] + t[3 * r + 2] * m[6 + c];
  return out;
}

class StructureView {
  constructor(canvas) {
    this.canvas = canvas;
    this.turn = turned([1, 0, 0, 0, 1, 0, 0, 0, 1], 0.5, 0.35);
    this.near = 1;
    this.points = null;
    this.bonds = true;
    this.names = [...new Set(page.facts.labels)];
    this.redraw = perFrame(() => this.draw());
    this.listen();
    new ResizeObserver(() => this.draw()).observe(canvas.parentElement);
    page.on("theme", () => { this.sprites = null; this.redraw(); });
  }

  /** Show these positions. With `steady`, scale and centre stay, as an animation needs. */
  show(points, { steady = false } = {}) {
    const count = points.length / 3;
    if (!steady || !this.points || this.points.length !== points.length) {
      const centre = [0, 0, 0];
      for (let i = 0; i < points.length; i++) centre[i % 3] += points[i] / count;
      let far = 0;
      for (let i = 0; i < count; i++) far = Math.max(far, Math.hypot(points[3 * i] - centre[0], points[3 * i + 1] - centre[1], points[3 * i + 2] - centre[2]));
      this.centre = centre;
      this.extent = far || 1;
    }
    this.points = points;
    this.pairs = count <= 600 ? findBonds(points, count, page.facts.labels, page.facts.lengthUnit) : [];
    if (!steady || !this.radius) {
      const lengths = this.pairs.map(([i, j]) => distance(points, i, j)).sort((a, b) => a - b);
      this.radius = 0.27 * (lengths.length ? lengths[lengths.length >> 1] : this.extent / Math.cbrt(count));
    }
    this.redraw();
  }

  prepare() {
    const background = parseColour(theme.values.panel);
    const rim = theme.dark ? [4, 6, 10] : [18, 24, 34];
    this.sprites = {};
    this.bondColours = [];
    for (const name of this.names.length ? this.names : [""]) {
      const colour = particleColour(name, this.names);
      this.sprites[name] = Array.from({ length: SHADES }, (_, i) => {
        const fog = 0.62 * (1 - i / (SHADES - 1)) ** 1.25;
        return sphereSprite(mix(colour, background, fog), mix(rim, background, fog));
      });
    }
    const stick = theme.dark ? [150, 158, 168] : [126, 134, 144];
    const edge = theme.dark ? [12, 14, 18] : [70, 78, 88];
    for (let i = 0; i < SHADES; i++) {
      const fog = 0.7 * (1 - i / (SHADES - 1)) ** 1.25;
      this.bondColours.push([rgb(mix(edge, background, fog)), rgb(mix(stick, background, fog)), rgb(mix(mix(stick, [255, 255, 255], 0.55), background, fog))]);
    }
  }

  draw() {
    const box = this.canvas.parentElement;
    const width = box.clientWidth, height = box.clientHeight;
    if (!width || !height || !this.points) return;
    if (!this.sprites) this.prepare();
    const g = fitCanvas(this.canvas, width, height);
    g.clearRect(0, 0, width, height);
    const { points, turn: m, centre, radius } = this;
    const count = points.length / 3, reach = this.extent + radius;
    const eye = 4.2 * reach;
    const scale = (0.46 * Math.min(width, height) * this.near) / reach;
    const x = new Float64Array(count), y = new Float64Array(count), z = new Float64Array(count), s = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      const [a, b, c] = [points[3 * i] - centre[0], points[3 * i + 1] - centre[1], points[3 * i + 2] - centre[2]];
      const depth = m[6] * a + m[7] * b + m[8] * c;
      s[i] = (scale * eye) / (eye - depth);
      x[i] = width / 2 + s[i] * (m[0] * a + m[1] * b + m[2] * c);
      y[i] = height / 2 - s[i] * (m[3] * a + m[4] * b + m[5] * c);
      z[i] = depth;
    }
    const things = [...x.keys()].map((i) => ({ z: z[i], i, j: -1 }));
    if (this.bonds) for (const [i, j] of this.pairs) things.push({ z: (z[i] + z[j]) / 2, i, j });
    things.sort((a, b) => a.z - b.z);
    const shade = (depth) => clamp(Math.round(((depth / reach + 1) / 2) * (SHADES - 1)), 0, SHADES - 1);
    g.lineCap = "butt";
    for (const { z: depth, i, j } of things) {
      if (j >= 0) this.drawBond(g, x, y, s, i, j, shade(depth));
      else {
        const r = radius * s[i] * this.size(i);
        g.drawImage(this.sprites[page.facts.labels[i] ?? ""][shade(depth)], x[i] - r, y[i] - r, 2 * r, 2 * r);
      }
    }
  }

  /** Relative size of a particle. */
  size(i) {
    const known = ELEMENTS[page.facts.labels[i]];
    return known ? clamp(0.62 + 0.42 * known[1], 0.72, 1.35) : 1;
  }

  /** A stick from surface to surface, in three layers: edge, body, light. */
  drawBond(g, x, y, s, i, j, shade) {
    const { points } = this;
    const length = distance(points, i, j) || 1;
    const [from, to] = [0.86 * this.radius * this.size(i), 0.86 * this.radius * this.size(j)].map((r) => Math.min(r / length, 0.48));
    const [dx, dy] = [x[j] - x[i], y[j] - y[i]];
    const width = 0.25 * this.radius * (s[i] + s[j]);
    this.bondColours[shade].forEach((colour, layer) => {
      g.strokeStyle = colour;
      g.lineWidth = width * [1, 0.76, 0.26][layer];
      const lift = layer === 2 ? -0.15 * width : 0;
      g.beginPath();
      g.moveTo(x[i] + from * dx + lift, y[i] + from * dy + lift);
      g.lineTo(x[j] - to * dx + lift, y[j] - to * dy + lift);
      g.stroke();
    });
  }

  listen() {
    const canvas = this.canvas;
    let last = null;
    canvas.addEventListener("pointerdown", (event) => { last = [event.clientX, event.clientY]; canvas.focus({ preventScroll: true }); canvas.setPointerCapture(event.pointerId); });
    canvas.addEventListener("pointermove", (event) => {
      if (!last) return;
      this.turn = turned(this.turn, (event.clientX - last[0]) * 0.009, (event.clientY - last[1]) * 0.009);
      last = [event.clientX, event.clientY];
      this.redraw();
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { last = null; });
    canvas.addEventListener("wheel", (event) => {
      if (document.activeElement !== canvas && !event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      this.zoom(Math.exp(-clamp(event.deltaY, -120, 120) * 0.0022));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const turns = { ArrowLeft: [-0.12, 0], ArrowRight: [0.12, 0], ArrowUp: [0, -0.12], ArrowDown: [0, 0.12] };
      if (turns[event.key]) this.turn = turned(this.turn, ...turns[event.key]);
      else if (event.key === "+" || event.key === "=") this.zoom(1.15);
      else if (event.key === "-") this.zoom(1 / 1.15);
      else return;
      event.preventDefault();
      this.redraw();
    });
  }

  zoom(factor) {
    this.near = clamp(this.near * factor, 0.4, 6);
    this.redraw();
  }
}
