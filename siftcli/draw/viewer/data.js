// The data of the page: typed arrays, a grid to find keypoints by place, ranges of values.

const DATA = JSON.parse(document.getElementById("data").textContent);

function decoded(text, Kind) {
  if (text === null || text === undefined) return null;
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Kind(bytes.buffer);
}

/** One image, its keypoints, and its place in the common plane. */
class Side {
  constructor(record, left, top) {
    this.name = record.name;
    this.width = record.width;
    this.height = record.height;
    this.left = left;
    this.top = top;
    const f = record.features;
    this.count = f.count;
    this.magnification = f.magnification;
    this.xy = decoded(f.xy, Float32Array);
    this.sigma = decoded(f.sigma, Float32Array);
    this.angle = decoded(f.angle, Float32Array);
    this.response = decoded(f.response, Float32Array);
    this.octave = decoded(f.octave, Int16Array);
    this.level = decoded(f.level, Int16Array);
    this.affine = decoded(f.affine, Float32Array);
    this.descriptors = decoded(f.descriptors, Uint8Array);
    this.shown = new Uint8Array(this.count).fill(1);
    this.matchOf = new Int32Array(this.count).fill(-1);
    this.bucket = new Uint8Array(this.count);
    this.largest = this.sigma.reduce((a, b) => Math.max(a, b), 0);
    this.grid = new Grid(this);
    this.pyramid = [];
  }

  /** Loads the image, and halves it until it is small: drawing a nearby size is fast and looks good. */
  async load(url) {
    const image = new Image();
    image.src = url;
    await image.decode();
    let { naturalWidth: width, naturalHeight: height } = image;
    let source = image;
    for (;;) {
      const canvas = document.createElement("canvas");
      canvas.width = width;
      canvas.height = height;
      const context = canvas.getContext("2d");
      context.imageSmoothingQuality = "medium";
      context.drawImage(source, 0, 0, width, height);
      this.pyramid.push(canvas);
      if (Math.max(width, height) <= 512) return;
      source = canvas;
      width = Math.max(1, width >> 1);
      height = Math.max(1, height >> 1);
    }
  }

  /** The smallest image of the pyramid that has enough pixels for a zoom. */
  imageFor(zoom) {
    let best = this.pyramid[0];
    for (const canvas of this.pyramid) if (canvas.width >= this.width * zoom) best = canvas;
    return best;
  }

  x(i) { return this.xy[2 * i] + this.left; }
  y(i) { return this.xy[2 * i + 1] + this.top; }

  /** The frame's map, [xx, xy, yx, yy]: an offset p in units of sigma along its own axes is at centre + map p. */
  map(i) {
    if (this.affine) return this.affine.subarray(4 * i, 4 * i + 4);
    const c = this.sigma[i] * Math.cos(this.angle[i]), s = this.sigma[i] * Math.sin(this.angle[i]);
    return [c, -s, s, c];
  }
}

/** Keypoints sorted into square cells of the image. */
class Grid {
  constructor(side) {
    this.side = side;
    this.cell = Math.max(8, Math.sqrt((side.width * side.height) / Math.max(1, side.count)) * 2);
    this.columns = Math.max(1, Math.ceil(side.width / this.cell));
    this.rows = Math.max(1, Math.ceil(side.height / this.cell));
    const cells = new Uint32Array(side.count);
    this.start = new Uint32Array(this.columns * this.rows + 1);
    for (let i = 0; i < side.count; i++) {
      cells[i] = this.row(side.xy[2 * i + 1]) * this.columns + this.column(side.xy[2 * i]);
      this.start[cells[i] + 1]++;
    }
    for (let c = 1; c < this.start.length; c++) this.start[c] += this.start[c - 1];
    const next = this.start.slice();
    this.items = new Uint32Array(side.count);
    for (let i = 0; i < side.count; i++) this.items[next[cells[i]]++] = i;
  }

  column(x) { return Math.min(this.columns - 1, Math.max(0, Math.floor(x / this.cell))); }
  row(y) { return Math.min(this.rows - 1, Math.max(0, Math.floor(y / this.cell))); }

  /** Calls with every keypoint of the cells that a rectangle of the image touches. */
  visit(left, top, right, bottom, call) {
    const first = this.column(left), last = this.column(right);
    for (let row = this.row(top); row <= this.row(bottom); row++) {
      const end = this.start[row * this.columns + last + 1];
      for (let k = this.start[row * this.columns + first]; k < end; k++) call(this.items[k]);
    }
  }

  /** The shown keypoint nearest to a place of the image, within a distance, or -1. */
  nearest(x, y, within) {
    let best = -1, least = within * within;
    this.visit(x - within, y - within, x + within, y + within, (i) => {
      if (!this.side.shown[i]) return;
      const dx = this.side.xy[2 * i] - x, dy = this.side.xy[2 * i + 1] - y, d = dx * dx + dy * dy;
      if (d <= least) { best = i; least = d; }
    });
    return best;
  }
}

/** The matches between the two images. */
class Matches {
  constructor(record, sides) {
    this.count = record.count;
    this.pairs = decoded(record.indices, Int32Array);
    this.distance = decoded(record.distances, Float32Array);
    this.ratio = decoded(record.ratios, Float32Array);
    this.inlier = decoded(record.inliers, Uint8Array);
    this.shown = new Uint8Array(this.count).fill(1);
    for (let m = 0; m < this.count; m++) {
      sides[0].matchOf[this.pairs[2 * m]] = m;
      sides[1].matchOf[this.pairs[2 * m + 1]] = m;
    }
    this.best = this.bestFirst();
  }

  /** All matches by ratio, inliers and outliers in proportion to their numbers. */
  bestFirst() {
    const all = Array.from({ length: this.count }, (_, m) => m);
    const by = this.ratio || this.distance || new Float32Array(this.count);
    const rank = new Float64Array(this.count);
    for (const verdict of this.inlier ? [0, 1] : [undefined]) {
      const group = all.filter((m) => !this.inlier || this.inlier[m] === verdict).sort((m, n) => by[m] - by[n]);
      group.forEach((m, k) => { rank[m] = (k + 0.5) / group.length; });
    }
    return all.sort((m, n) => rank[m] - rank[n]);
  }
}

const WIDE = 4; // width over height from which on two images are below each other

function loadedSides() {
  const gap = 16;
  const [a, b] = DATA.images;
  const sides = [new Side(a, 0, 0)];
  if (b) {
    const beside = (a.width + b.width) / Math.max(a.height, b.height);
    sides.push(beside > WIDE ? new Side(b, 0, a.height + gap) : new Side(b, a.width + gap, 0));
  }
  return sides;
}

/** A number in two or more digits, without an exponent. */
function short(value) { return value >= 10 ? String(Math.round(value)) : Number(value.toPrecision(2)).toString(); }

function extent(values) {
  let low = Infinity, high = -Infinity;
  for (const v of values) { if (v < low) low = v; if (v > high) high = v; }
  return low <= high ? [low, high] : [0, 1];
}

/** Colours of positive values: half by rank, so that all colours are used, and half by logarithm. */
function spread(arrays, range) {
  const sorted = Float32Array.from(arrays.flatMap((values) => Array.from(values))).sort();
  const first = (v) => { // how many are smaller
    let low = 0, high = sorted.length;
    while (low < high) { const middle = (low + high) >> 1; if (sorted[middle] < v) low = middle + 1; else high = middle; }
    return low;
  };
  const share = (v) => (first(v) / Math.max(1, sorted.length - 1) + range.share(v)) / 2;
  const value = (t) => { // by bisection
    let low = 0, high = 1;
    for (let k = 0; k < 30; k++) {
      const middle = (low + high) / 2;
      if (share(range.value(middle)) < t) low = middle; else high = middle;
    }
    return range.value(high);
  };
  return { share, value };
}

/** A slider's way from the smallest to the largest of positive values, in equal ratios. */
function logRange(extents) {
  const low = Math.max(1e-6, Math.min(...extents.map((e) => e[0])));
  const high = Math.max(low * 1.0001, ...extents.map((e) => e[1]));
  const span = Math.log(high / low);
  return { value: (t) => low * Math.exp(t * span), share: (v) => Math.log(Math.max(v, low) / low) / span };
}
