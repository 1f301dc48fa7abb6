// Small tools: elements, numbers as text, unpacking, and the page's one shared state.

const query = (selector, root = document) => root.querySelector(selector);

/** An element with attributes (functions become listeners) and children. */
function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";
function vector(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const MINUS = "\u2212";
const signed = (text) => text.replace(/-/g, MINUS);

/** A number with a fixed number of decimals and a true minus sign. */
function fixed(value, decimals) {
  return Number.isFinite(value) ? signed(value.toFixed(decimals)) : "–";
}

/** A count with thousands separated. */
const whole = (value) => Math.round(value).toLocaleString("en-US");

const SUPERSCRIPT = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
const power = (exponent) => "10" + [...String(exponent)].map((digit) => SUPERSCRIPT[digit]).join("");

/** A number to some significant digits; powers of ten where it is very large or small. */
function digits(value, significant = 3) {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.floor(Math.log10(Math.abs(value)));
  if (size >= -3 && size < 6) return signed(String(Number(value.toPrecision(significant))));
  let [mantissa, exponent] = value.toExponential(significant - 1).split("e");
  return `${signed(String(Number(mantissa)))} × ${power(Number(exponent))}`;
}

/** A probability: percentages where they mean something, powers of ten below. */
function probability(value) {
  if (!Number.isFinite(value)) return "–";
  if (value >= 0.9995) return value >= 1 - 1e-12 ? "100 %" : "> 99.9 %";
  if (value >= 0.0001) return `${(100 * value).toPrecision(value >= 0.1 ? 3 : 2)} %`;
  return value < 1e-300 ? "0" : digits(value, 2);
}

const plural = (number, noun, many) => `${whole(number)} ${number === 1 ? noun : many}`;

const TYPES = { f8: Float64Array, f4: Float32Array, i4: Int32Array, u1: Uint8Array };

/** Bytes of a base64 block of the page. */
function blockBytes(id) {
  const node = document.getElementById(id);
  const text = atob(node.textContent);
  node.remove();
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** The arrays of a deflated block, as views on one buffer. */
async function unpack(id, where) {
  const stream = new Blob([blockBytes(id)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const buffer = await new Response(stream).arrayBuffer();
  const arrays = {};
  for (const [name, { type, at, count }] of Object.entries(where)) {
    arrays[name] = new TYPES[type](buffer, at, count);
  }
  return arrays;
}

/** What the parts of the page share; listeners hear of every change by name. */
const page = {
  facts: null,
  core: null,
  points: null,
  selected: -1,
  temperature: NaN,
  colour: "energy",
  listeners: {},
  on(event, listener) {
    (this.listeners[event] ??= []).push(listener);
  },
  tell(event, detail) {
    for (const listener of this.listeners[event] ?? []) listener(detail);
  },
  select(position, source) {
    if (position === this.selected) return;
    this.selected = position;
    this.tell("select", source);
  },
  warm(temperature) {
    this.temperature = temperature;
    this.occupations = null;
    this.tell("temperature");
  },
};

const positionOf = (() => {
  let table = null;
  return (id) => {
    if (!table) table = new Map(Array.from(page.core.ids, (value, i) => [value, i]));
    return table.get(id) ?? -1;
  };
})();

/** Natural logarithms of the occupation of each minimum at the page's temperature. */
function logOccupations() {
  const { core, facts } = page;
  if (page.occupations || !facts.thermo || facts.thermo.reason) return page.occupations ?? null;
  const kT = facts.thermo.boltzmann * page.temperature;
  const count = core.ids.length;
  const lowest = core.energies[facts.globalMinimum];
  const logs = new Float64Array(count);
  let top = -Infinity;
  for (let i = 0; i < count; i++) {
    logs[i] = -(core.energies[i] - lowest) / kT - Math.log(core.orders[i])
      - core.logProducts[i] / 2 + (core.modes[i] / 2) * Math.log(2 * Math.PI * kT);
    if (logs[i] > top) top = logs[i];
  }
  let sum = 0;
  for (let i = 0; i < count; i++) sum += Math.exp(logs[i] - top);
  const norm = top + Math.log(sum);
  for (let i = 0; i < count; i++) logs[i] -= norm;
  page.occupations = logs;
  return logs;
}

/** Call at most once a frame. */
function perFrame(work) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; work(); });
  };
}

/** A canvas sized to its box in device pixels; returns its context in CSS pixels. */
function fitCanvas(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const wide = Math.round(width * ratio), high = Math.round(height * ratio);
  if (canvas.width !== wide || canvas.height !== high) { canvas.width = wide; canvas.height = high; }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

const tip = {
  show(x, y, ...lines) {
    const box = query("#tip");
    box.replaceChildren(...lines);
    box.hidden = false;
    const wide = box.offsetWidth, high = box.offsetHeight;
    const right = document.documentElement.clientWidth;
    box.style.left = `${clamp(x + 14 + wide > right ? x - wide - 14 : x + 14, 4, right - wide - 4) + window.scrollX}px`;
    box.style.top = `${Math.max(y - high - 12, 4) + window.scrollY}px`;
  },
  hide() { query("#tip").hidden = true; },
};

function announce(text) { query("#announce").textContent = text; }

/** Offer a text as a file. */
function offer(name, type, text) {
  const link = element("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const slug = () => page.facts.name.toLowerCase().replace(/[^\w.-]+/g, "-");
const perUnit = (name, unit) => (unit ? `${name} / ${unit}` : name);
const energyLabel = () => perUnit("Energy", page.facts.energyUnit);
const withUnit = (text, unit) => (unit ? `${text} ${unit}` : text);

/** Decimals that tell the energies of this landscape apart. */
const energyText = (value) => fixed(value, 6);
