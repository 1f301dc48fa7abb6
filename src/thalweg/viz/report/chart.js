// Charts as SVG: lines, bands and points on two axes, with a reading under the pointer.

/** Round numbers that divide a range. */
function ticks(low, high, wanted) {
  const raw = (high - low) / Math.max(wanted, 1);
  if (!(raw > 0)) return [low];
  const scale = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * scale).find((n) => n >= raw * 0.999);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i <= high / step + 1e-9; i++) found.push(i * step);
  return found;
}

function tickText(value, step) {
  if (Math.abs(value) < step * 1e-6) return "0";
  if (Math.abs(value) >= 1e6 || step < 1e-5) return digits(value, 3);
  let decimals = clamp(-Math.floor(Math.log10(step) + 1e-9), 0, 6);
  if (Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals)) > 1e-6) decimals += 1;
  return signed(Math.abs(value) >= 1e4 ? value.toLocaleString("en-US", { maximumFractionDigits: decimals }) : value.toFixed(decimals));
}

/** Ticks of a logarithmic axis: powers of ten, thinned out. */
function decades(low, high, wanted) {
  const from = Math.ceil(low - 1e-9), to = Math.floor(high + 1e-9);
  const step = Math.max(1, Math.ceil((to - from) / wanted));
  const found = [];
  for (let n = from; n <= to; n += step) found.push(n);
  return found;
}

let chartCount = 0;

/**
 * Draw a chart into a host element, again whenever its width or the theme changes.
 * spec: {label, x: {label, log}, y: {label, log, from}, height, series, marker, bands, onPick}
 * A series: {name, x, y, colour, kind: "line" | "points" | "steps", dash, width, low, high}
 * Logarithmic axes take decimal logarithms.
 */
function chart(host, spec) {
  host.classList.add("chart");
  const id = `clip${++chartCount}`;
  let wide = 0;
  function draw() {
    const width = host.clientWidth || 560;
    if (!width) return;
    wide = width;
    host.replaceChildren(drawChart(spec, width, id));
  }
  new ResizeObserver(() => { if (Math.abs(host.clientWidth - wide) > 1) draw(); }).observe(host);
  page.on("theme", draw);
  // Two columns of an A4 page: the text of a chart stays as large as the text around it.
  page.on("beforeprint", () => host.replaceChildren(drawChart({ ...spec, height: 0.82 * (spec.height ?? 260) }, 400, id)));
  draw();
  return { draw, spec };
}

function chartRanges(spec) {
  let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const series of spec.series) {
    for (let i = 0; i < series.x.length; i++) {
      const x = series.x[i];
      if (!Number.isFinite(x)) continue;
      let seen = false;
      for (const y of [series.y[i], series.low?.[i], series.high?.[i]]) {
        if (y === null || y === undefined || !Number.isFinite(y)) continue;
        seen = true;
        y0 = Math.min(y0, y); y1 = Math.max(y1, y);
      }
      if (seen) { x0 = Math.min(x0, x); x1 = Math.max(x1, x); }
    }
  }
  for (const line of spec.lines ?? []) { y0 = Math.min(y0, line.y); y1 = Math.max(y1, line.y); }
  if (!(x1 >= x0)) [x0, x1, y0, y1] = [0, 1, 0, 1];
  if (x1 === x0) [x0, x1] = [x0 - 0.5, x1 + 0.5];
  if (spec.y.from !== undefined) y0 = Math.min(y0, spec.y.from);
  const room = (y1 - y0 || Math.abs(y0) || 1) * 0.06;
  return [x0, x1, spec.y.from === y0 ? y0 : y0 - room, y1 + room];
}

function drawChart(spec, width, id) {
  const height = spec.height ?? 260;
  const [x0, x1, y0, y1] = chartRanges(spec);
  const yTicks = (spec.y.log ? decades : ticks)(y0, y1, Math.round(height / 52));
  const yStep = yTicks.length > 1 ? yTicks[1] - yTicks[0] : 1;
  const yTexts = yTicks.map((v) => (spec.y.log ? power(v) : tickText(v, yStep)));
  const left = 30 + 6.6 * Math.max(3, ...yTexts.map((text) => text.length));
  const [right, top, bottom] = [12, 10, 40];
  const X = (v) => left + ((v - x0) / (x1 - x0)) * (width - left - right);
  const Y = (v) => height - bottom - ((v - y0) / (y1 - y0)) * (height - top - bottom);
  const svg = vector("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": spec.label });
  const clip = vector("clipPath", { id }, vector("rect", { x: left, y: top - 4, width: width - left - right + 2, height: height - top - bottom + 8 }));
  svg.append(vector("defs", {}, clip));
  yTicks.forEach((v, i) => {
    svg.append(vector("line", { class: "grid-line", x1: left, x2: width - right, y1: Y(v), y2: Y(v) }));
    const text = vector("text", { x: left - 8, y: Y(v) + 4, "text-anchor": "end" });
    text.textContent = yTexts[i];
    svg.append(text);
  });
  const xTicks = (spec.x.log ? decades : ticks)(x0, x1, Math.round((width - left) / 84));
  const xStep = xTicks.length > 1 ? xTicks[1] - xTicks[0] : 1;
  for (const v of xTicks) {
    svg.append(vector("line", { class: "axis", x1: X(v), x2: X(v), y1: height - bottom, y2: height - bottom + 5 }));
    const text = vector("text", { x: X(v), y: height - bottom + 19, "text-anchor": "middle" });
    text.textContent = spec.x.log ? power(v) : tickText(v, xStep);
    svg.append(text);
  }
  svg.append(vector("line", { class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }));
  const xLabel = vector("text", { class: "label", x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" });
  xLabel.textContent = spec.x.label;
  const yLabel = vector("text", { class: "label", transform: `translate(13 ${(top + height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle" });
  yLabel.textContent = spec.y.label;
  svg.append(xLabel, yLabel);
  const body = vector("g", { "clip-path": `url(#${id})` });
  for (const line of spec.lines ?? []) {
    body.append(vector("line", { x1: left, x2: width - right, y1: Y(line.y), y2: Y(line.y), stroke: "var(--faint)", "stroke-dasharray": "2 4" }));
  }
  for (const series of spec.series) drawSeries(body, series, X, Y);
  if (Number.isFinite(spec.marker)) {
    body.append(vector("line", { class: "marker", x1: X(spec.marker), x2: X(spec.marker), y1: top, y2: height - bottom }));
  }
  svg.append(body);
  addReading(svg, spec, { X, Y, left, right, top, bottom, width, height, x0, x1 });
  return svg;
}

function drawSeries(body, series, X, Y) {
  const { x, y, colour } = series;
  if (series.low && series.high) {
    const there = [...x.keys()].filter((i) => Number.isFinite(series.low[i] ?? NaN) && Number.isFinite(series.high[i] ?? NaN));
    const up = there.map((i) => `${X(x[i]).toFixed(1)} ${Y(series.high[i]).toFixed(1)}`);
    const down = there.reverse().map((i) => `${X(x[i]).toFixed(1)} ${Y(series.low[i]).toFixed(1)}`);
    if (up.length) body.append(vector("path", { d: `M${up.join("L")}L${down.join("L")}Z`, fill: colour, opacity: 0.14 }));
  }
  if (series.kind === "points") {
    for (let i = 0; i < x.length; i++) {
      if (Number.isFinite(y[i] ?? NaN)) body.append(vector("circle", { cx: X(x[i]), cy: Y(y[i]), r: series.radius ?? 3.2, fill: colour, stroke: "var(--panel)", "stroke-width": 0.8 }));
    }
    return;
  }
  let path = "", pen = false;
  for (let i = 0; i < x.length; i++) {
    if (!Number.isFinite(y[i] ?? NaN)) { pen = false; continue; }
    const at = `${X(x[i]).toFixed(2)} ${Y(y[i]).toFixed(2)}`;
    if (pen && series.kind === "steps") path += `H${X(x[i]).toFixed(2)}V${Y(y[i]).toFixed(2)}`;
    else path += (pen ? "L" : "M") + at;
    pen = true;
  }
  body.append(vector("path", {
    d: path, fill: "none", stroke: colour, "stroke-width": series.width ?? 1.8,
    "stroke-linejoin": "round", "stroke-linecap": "round", ...(series.dash ? { "stroke-dasharray": series.dash } : {}),
  }));
}

/** A line under the pointer with the values there. */
function addReading(svg, spec, frame) {
  const read = spec.series.filter((series) => series.x.length && series.name);
  if (!read.length) return;
  const cross = vector("line", { class: "cross", y1: frame.top, y2: frame.height - frame.bottom, visibility: "hidden" });
  svg.append(cross);
  const area = vector("rect", { x: frame.left, y: frame.top, width: frame.width - frame.left - frame.right, height: frame.height - frame.top - frame.bottom, fill: "transparent" });
  const toX = (event) => {
    const box = svg.getBoundingClientRect();
    const px = ((event.clientX - box.left) * frame.width) / box.width;
    return frame.x0 + ((px - frame.left) / (frame.width - frame.left - frame.right)) * (frame.x1 - frame.x0);
  };
  area.addEventListener("pointermove", (event) => {
    const at = toX(event);
    const near = nearest(read[0].x, at);
    const x = read[0].x[near];
    cross.setAttribute("x1", frame.X(x)); cross.setAttribute("x2", frame.X(x));
    cross.setAttribute("visibility", "visible");
    const show = (v, log) => (log ? digits(10 ** v, 3) : digits(v, 5));
    const lines = [element("div", {}, element("b", {}, `${spec.x.label}: ${show(x, spec.x.log)}`))];
    for (const series of read) {
      const y = series.y[nearest(series.x, x)];
      if (Number.isFinite(y ?? NaN)) lines.push(element("div", {}, element("span", {}, `${series.name}: `), show(y, spec.y.log)));
    }
    tip.show(event.clientX, event.clientY, ...lines);
  });
  area.addEventListener("pointerleave", () => { cross.setAttribute("visibility", "hidden"); tip.hide(); });
  if (spec.onPick) {
    area.style.cursor = "pointer";
    area.addEventListener("click", (event) => spec.onPick(toX(event)));
  }
  svg.append(area);
}

function nearest(values, at) {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (Math.abs(values[i] - at) < Math.abs(values[best] - at)) best = i;
  return best;
}

/** The names of a chart's series. */
function keys(series) {
  return element("div", { class: "keys" }, ...series.filter((s) => s.name && s.key !== false).map((s) => {
    const line = element("i");
    line.style.borderColor = s.colour;
    if (s.dash) line.style.borderTopStyle = "dashed";
    return element("span", {}, line, s.name);
  }));
}
