// Colours: themes from the style sheet, one sequential scale, eight groups, chemical elements.

// Viridis (Smith & van der Walt, CC0) at nine even steps.
const VIRIDIS = [
  [68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141],
  [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37],
];
const BUCKETS = 48;

const theme = {
  values: {},
  dark: false,
  /** Read the style sheet's colours; printing always takes the light ones. */
  read() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["paper", "panel", "well", "ink", "soft", "muted", "faint", "rule", "hair", "accent", "link"]) {
      this.values[name] = style.getPropertyValue(`--${name}`).trim();
    }
    this.groups = Array.from({ length: 8 }, (_, i) => style.getPropertyValue(`--g${i}`).trim());
    this.dark = luminance(parseColour(this.values.paper)) < 0.3;
  },
};

function parseColour(text) {
  if (text.length === 4) text = "#" + [...text.slice(1)].map((c) => c + c).join("");
  return [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
}
const luminance = ([r, g, b]) => (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
const rgb = ([r, g, b]) => `rgb(${Math.round(r)},${Math.round(g)},${Math.round(b)})`;
const mix = (a, b, t) => a.map((v, i) => v + (b[i] - v) * t);

/** Viridis between 0 and 1, cut where it would vanish into the background. */
function viridis(t, dark = theme.dark) {
  const cut = dark ? 0.2 + 0.8 * t : 0.88 * t;
  const at = clamp(cut, 0, 1) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(at), VIRIDIS.length - 2);
  return mix(VIRIDIS[low], VIRIDIS[low + 1], at - low);
}
const bucketColours = () => Array.from({ length: BUCKETS }, (_, i) => rgb(viridis(i / (BUCKETS - 1))));

// Jmol-like colours and covalent radii / Å (Cordero et al., Dalton Trans. 2008, 2832).
const ELEMENTS = {
  H: ["#e8e8e8", 0.31], He: ["#bfeff2", 0.28], Li: ["#b57fe0", 1.28], Be: ["#b9d94c", 0.96], B: ["#f2a79b", 0.84],
  C: ["#5b626b", 0.76], N: ["#3b62d8", 0.71], O: ["#dd2f2f", 0.66], F: ["#79c65a", 0.57], Ne: ["#a5dbe8", 0.58],
  Na: ["#9a5fe0", 1.66], Mg: ["#7fc51f", 1.41], Al: ["#b9a4a4", 1.21], Si: ["#d9b98c", 1.11], P: ["#ef8a1d", 1.07],
  S: ["#e3c22b", 1.05], Cl: ["#3fbf3f", 1.02], Ar: ["#7cc7d6", 1.06], K: ["#8840c8", 2.03], Ca: ["#5fc53a", 1.76],
  Ti: ["#a9adb3", 1.6], Cr: ["#8a99c7", 1.39], Mn: ["#9c7ac7", 1.39], Fe: ["#d06a35", 1.32], Co: ["#e08aa0", 1.26],
  Ni: ["#55c055", 1.24], Cu: ["#c8803a", 1.32], Zn: ["#8086b0", 1.22], Ga: ["#c08f8f", 1.22], Ge: ["#7f9f9f", 1.2],
  As: ["#b480d6", 1.19], Se: ["#e59a1e", 1.2], Br: ["#a33a2c", 1.2], Kr: ["#6cbbd2", 1.16], Ag: ["#c0c4ca", 1.45],
  Pd: ["#2f7f97", 1.39], Sn: ["#7d9aa0", 1.39], I: ["#8c1f8c", 1.39], Xe: ["#549fb8", 1.4], Pt: ["#c9cbd6", 1.36],
  Au: ["#e8bd2a", 1.36], Hg: ["#b8b8cf", 1.32], Pb: ["#5d636b", 1.46],
};
const ANGSTROM = { "Å": 1, nm: 10, bohr: 0.529177210903, a0: 0.529177210903 };

/** Colour of a particle: of its element, or of its name's place among the names. */
function particleColour(label, names) {
  if (!label) return parseColour("#5b9bd0");
  if (ELEMENTS[label]) return parseColour(ELEMENTS[label][0]);
  return parseColour(["#4f94cf", "#e0893c", "#56a970", "#a179cb", "#c7a04e", "#4fb5b0", "#cf6fa3", "#8b929c"][names.indexOf(label) % 8]);
}
