// Points that are no particles: a map of the energy for two coordinates, bars for more.

class PlaneView {
  constructor(canvas) {
    this.canvas = canvas;
    this.point = null;
    this.trail = null;
    this.redraw = perFrame(() => this.draw());
    new ResizeObserver(() => this.draw()).observe(canvas.parentElement);
    page.on("theme", () => { this.picture = null; this.redraw(); });
    canvas.addEventListener("click", (event) => this.pick(event));
    canvas.style.cursor = "pointer";
    this.levels();
  }

  /** Contour levels from the lowest energy to somewhat above the highest pass. */
  levels() {
    const { core, facts } = page;
    const low = core.energies[facts.globalMinimum];
    let high = low;
    for (const energy of [...core.tsEnergies, ...core.energies]) high = Math.max(high, energy);
    let top = high + 0.45 * (high - low);
    if (!(top > low)) { top = low; for (const energy of core.contour) top = Math.max(top, energy); }
    this.low = low;
    this.step = (top - low) / 22 || 1;
    this.cap = top;
  }

  frame() {
    const box = this.canvas.parentElement;
    const { x, y } = page.facts.contour;
    const [width, height] = [box.clientWidth, box.clientHeight];
    const m = { left: 44, right: 12, top: 12, bottom: 32 };
    const [x0, x1, y0, y1] = [x[0], x[x.length - 1], y[0], y[y.length - 1]];
    const sx = (width - m.left - m.right) / (x1 - x0), sy = (height - m.top - m.bottom) / (y1 - y0);
    return { width, height, m, x0, x1, y0, y1, X: (v) => m.left + (v - x0) * sx, Y: (v) => height - m.bottom - (v - y0) * sy };
  }

  show(point, trail = null) {
    this.point = point;
    this.trail = trail ?? this.trail;
    this.redraw();
  }

  /** Filled levels as a small picture, one pixel for each grid point. */
  makePicture() {
    const { x, y } = page.facts.contour;
    const canvas = document.createElement("canvas");
    canvas.width = x.length; canvas.height = y.length;
    const g = canvas.getContext("2d");
    const image = g.createImageData(x.length, y.length);
    const panel = parseColour(theme.values.panel);
    for (let row = 0; row < y.length; row++) {
      for (let column = 0; column < x.length; column++) {
        const energy = page.core.contour[row * x.length + column];
        const t = clamp((energy - this.low) / (this.cap - this.low), 0, 1);
        const colour = energy > this.cap || !Number.isFinite(energy) ? panel : mix(viridis(t, false), panel, theme.dark ? 0.3 + 0.45 * t : 0.22 + 0.6 * t);
        image.data.set([...colour, 255], 4 * ((y.length - 1 - row) * x.length + column));
      }
    }
    g.putImageData(image, 0, 0);
    return canvas;
  }

  draw() {
    const f = this.frame();
    if (!f.width || !f.height) return;
    const g = fitCanvas(this.canvas, f.width, f.height);
    g.clearRect(0, 0, f.width, f.height);
    this.picture ??= this.makePicture();
    g.imageSmoothingEnabled = true;
    g.drawImage(this.picture, f.X(f.x0), f.Y(f.y1), f.X(f.x1) - f.X(f.x0), f.Y(f.y0) - f.Y(f.y1));
    this.drawLines(g, f);
    this.drawAxes(g, f);
    if (this.trail) {
      g.strokeStyle = theme.values.accent; g.lineWidth = 2; g.lineJoin = "round";
      g.beginPath();
      for (let i = 0; i < this.trail.length; i += 2) g.lineTo(f.X(this.trail[i]), f.Y(this.trail[i + 1]));
      g.stroke();
    }
    const { points, core } = page;
    for (let i = 0; points.points && i < core.ids.length; i++) this.dot(g, f, points.points[2 * i], points.points[2 * i + 1], 3.6, theme.values.ink);
    if (this.point) this.dot(g, f, this.point[0], this.point[1], 6.5, theme.values.accent);
  }

  dot(g, f, x, y, r, colour) {
    g.beginPath(); g.arc(f.X(x), f.Y(y), r, 0, 7);
    g.fillStyle = colour; g.fill();
    g.lineWidth = 1.5; g.strokeStyle = theme.values.panel; g.stroke();
  }

  /** Contour lines by marching squares. */
  drawLines(g, f) {
    const { x, y } = page.facts.contour;
    const e = page.core.contour, n = x.length;
    g.strokeStyle = theme.dark ? "rgba(255,255,255,0.32)" : "rgba(20,30,40,0.32)";
    g.lineWidth = 0.8;
    g.beginPath();
    for (let row = 0; row + 1 < y.length; row++) {
      for (let column = 0; column + 1 < n; column++) {
        const corner = [e[row * n + column], e[row * n + column + 1], e[(row + 1) * n + column + 1], e[(row + 1) * n + column]];
        const low = Math.min(...corner), high = Math.max(...corner);
        if (low > this.cap || !Number.isFinite(high)) continue;
        const px = [x[column], x[column + 1], x[column + 1], x[column]], py = [y[row], y[row], y[row + 1], y[row + 1]];
        for (let k = Math.ceil((low - this.low) / this.step); k <= (Math.min(high, this.cap) - this.low) / this.step; k++) {
          this.cross(g, f, corner, px, py, this.low + k * this.step);
        }
      }
    }
    g.stroke();
  }

  cross(g, f, corner, px, py, level) {
    const ends = [];
    for (let a = 0; a < 4; a++) {
      const b = (a + 1) % 4;
      if (corner[a] < level === corner[b] < level) continue;
      const t = (level - corner[a]) / (corner[b] - corner[a]);
      ends.push([f.X(px[a] + t * (px[b] - px[a])), f.Y(py[a] + t * (py[b] - py[a]))]);
    }
    for (let i = 0; i + 1 < ends.length; i += 2) { g.moveTo(...ends[i]); g.lineTo(...ends[i + 1]); }
  }

  drawAxes(g, f) {
    g.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    g.fillStyle = theme.values.muted;
    g.strokeStyle = theme.values.faint;
    g.lineWidth = 1;
    g.strokeRect(f.X(f.x0) + 0.5, f.Y(f.y1) + 0.5, f.X(f.x1) - f.X(f.x0), f.Y(f.y0) - f.Y(f.y1));
    g.textAlign = "center"; g.textBaseline = "top";
    const xs = ticks(f.x0, f.x1, f.width / 90), ys = ticks(f.y0, f.y1, f.height / 60);
    for (const v of xs) g.fillText(tickText(v, xs[1] - xs[0]), f.X(v), f.height - f.m.bottom + 6);
    g.textAlign = "right"; g.textBaseline = "middle";
    for (const v of ys) g.fillText(tickText(v, ys[1] - ys[0]), f.m.left - 7, f.Y(v));
    g.fillStyle = theme.values.soft;
    g.textAlign = "left";
    g.fillText("x₁", f.width - f.m.right - 14, f.height - 8);
    g.fillText("x₂", 6, f.m.top + 6);
  }

  pick(event) {
    const { points, core } = page;
    if (!points.points) return;
    const box = this.canvas.getBoundingClientRect();
    const f = this.frame();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    let best = -1, least = 400;
    for (let i = 0; i < core.ids.length; i++) {
      const d = (f.X(points.points[2 * i]) - px) ** 2 + (f.Y(points.points[2 * i + 1]) - py) ** 2;
      if (d < least) { least = d; best = i; }
    }
    if (best >= 0) page.select(best, "plane");
  }
}

/** Coordinates as bars. */
class BarsView {
  constructor(canvas) {
    this.canvas = canvas;
    this.redraw = perFrame(() => this.draw());
    new ResizeObserver(() => this.draw()).observe(canvas.parentElement);
    page.on("theme", this.redraw);
    canvas.style.cursor = "default";
  }

  show(point) { this.point = point; this.redraw(); }

  draw() {
    const box = this.canvas.parentElement;
    const [width, height] = [box.clientWidth, box.clientHeight];
    if (!width || !height || !this.point) return;
    const g = fitCanvas(this.canvas, width, height);
    g.clearRect(0, 0, width, height);
    const [left, right, top, bottom] = [48, 12, 14, 34];
    const low = Math.min(0, ...this.point), high = Math.max(0, ...this.point);
    const room = (high - low || 1) * 0.06;
    const y0 = low - (low < 0 ? room : 0), y1 = high + (high > 0 ? room : 0) || 1;
    const Y = (v) => height - bottom - ((v - y0) / (y1 - y0)) * (height - top - bottom);
    g.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    g.textAlign = "right"; g.textBaseline = "middle";
    const marks = ticks(y0, y1, height / 60);
    for (const v of marks) {
      g.strokeStyle = theme.values.hair;
      g.beginPath(); g.moveTo(left, Math.round(Y(v)) + 0.5); g.lineTo(width - right, Math.round(Y(v)) + 0.5); g.stroke();
      g.fillStyle = theme.values.muted;
      g.fillText(tickText(v, marks[1] - marks[0]), left - 8, Y(v));
    }
    const step = (width - left - right) / this.point.length;
    for (let i = 0; i < this.point.length; i++) {
      g.fillStyle = this.point[i] < 0 ? theme.groups[1] : theme.groups[0];
      const y = Y(this.point[i]);
      g.fillRect(left + i * step + step * 0.12, Math.min(y, Y(0)), Math.max(step * 0.76, 0.6), Math.max(Math.abs(y - Y(0)), 0.8));
    }
    g.fillStyle = theme.values.soft;
    g.textAlign = "center";
    g.fillText(`coordinate 1 … ${this.point.length}`, (left + width - right) / 2, height - 13);
  }
}

/** The right view for a point of this system, in a stage of its own. */
function pointView(stage) {
  const canvas = element("canvas", { tabindex: "0", role: "img", "aria-label": "The selected point" });
  stage.append(canvas);
  const { facts } = page;
  if (facts.particles) return new StructureView(canvas);
  if (facts.contour) return new PlaneView(canvas);
  return new BarsView(canvas);
}
