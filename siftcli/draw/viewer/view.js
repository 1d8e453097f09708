// The canvas: a camera on the plane of the images, and marks that are drawn once and then moved with it.

const MARGIN = 0.3; // of the canvas, on each side, that is drawn ahead
const SLICE = 7; // milliseconds of drawing marks in one frame
const CHUNK = 400; // keypoints drawn before the clock is looked at
const DOT = 1.3; // circles of a smaller radius on screen become dots
const APART = 6; // screen pixels; lines that are closer run together
const TOGETHER = 0.6; // share of a line that may run along others before it is left out
const TURNS = 16; // directions that lines are told apart by
const MOST_LINES = 5000; // that are considered
const ROOMY = 20; // pixels between marks below which their rims become thinner
const RIM = "rgba(0, 0, 0, 0.6)";

class View {
  constructor(canvas, app) {
    this.canvas = canvas;
    this.app = app;
    this.context = canvas.getContext("2d", { alpha: false });
    this.camera = { x: 0, y: 0, zoom: 1 }; // the plane's point in the middle, screen pixels per image pixel
    this.front = null; // finished marks: a canvas and the camera they were drawn for
    this.job = null; // marks that are being drawn
    this.stale = true;
    this.requested = false;
    this.marksDrawn = 0;
    new ResizeObserver(() => this.resize()).observe(canvas);
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    this.ratio = ratio;
    this.width = Math.max(1, this.canvas.clientWidth);
    this.height = Math.max(1, this.canvas.clientHeight);
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    if (!this.fitted) this.fit();
    this.changed();
  }

  bounds() {
    const sides = this.app.sides;
    return {
      right: Math.max(...sides.map((s) => s.left + s.width)),
      bottom: Math.max(...sides.map((s) => s.top + s.height)),
    };
  }

  fit() {
    const { right, bottom } = this.bounds();
    const zoom = Math.min(this.width / (right * 1.02), this.height / (bottom * 1.02));
    this.camera = { x: right / 2 - 0.5, y: bottom / 2 - 0.5, zoom };
    this.fitted = true;
    this.moved();
  }

  /** Zooms about a point of the screen that stays where it is. */
  zoomAt(factor, x, y) {
    const before = this.plane(x, y);
    const least = 0.2 * Math.min(this.width / this.bounds().right, this.height / this.bounds().bottom);
    this.camera.zoom = Math.min(200, Math.max(least, this.camera.zoom * factor));
    const after = this.plane(x, y);
    this.pan(before.x - after.x, before.y - after.y);
  }

  /** Moves the camera in the plane; the images stay in sight. */
  pan(x, y) {
    const { right, bottom } = this.bounds();
    this.camera.x = Math.min(right, Math.max(0, this.camera.x + x));
    this.camera.y = Math.min(bottom, Math.max(0, this.camera.y + y));
    this.moved();
  }

  plane(x, y) {
    const { camera } = this;
    return { x: (x - this.width / 2) / camera.zoom + camera.x, y: (y - this.height / 2) / camera.zoom + camera.y };
  }

  screen(x, y) {
    const { camera } = this;
    return { x: (x - camera.x) * camera.zoom + this.width / 2, y: (y - camera.y) * camera.zoom + this.height / 2 };
  }

  /** What is to be drawn has changed: the marks are drawn anew. */
  changed() { this.stale = true; this.moved(); }

  /** The camera has moved, or what lies on top has changed. */
  moved() {
    if (this.requested) return;
    this.requested = true;
    requestAnimationFrame(() => { this.requested = false; this.frame(); });
  }

  frame() {
    const { context, ratio } = this;
    if (!ratio) return;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--ground");
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    this.drawImages();
    this.advance();
    if (this.front) this.drawFront();
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.app.drawSelection(context, this);
    if (this.job) this.moved();
  }

  drawImages() {
    const { context, ratio, camera } = this;
    for (const side of this.app.sides) {
      const image = side.imageFor(camera.zoom * ratio);
      if (!image) continue;
      const corner = this.screen(side.left - 0.5, side.top - 0.5);
      const scale = camera.zoom * ratio;
      context.imageSmoothingEnabled = scale < 3;
      context.drawImage(image, corner.x * ratio, corner.y * ratio, side.width * scale, side.height * scale);
    }
  }

  /** Shows the finished marks where they are now: exact after a move, a preview after a zoom. */
  drawFront() {
    const { context, ratio, camera, front } = this;
    const scale = camera.zoom / front.camera.zoom;
    const left = (front.left - camera.x) * camera.zoom + this.width / 2;
    const top = (front.top - camera.y) * camera.zoom + this.height / 2;
    context.imageSmoothingEnabled = scale !== 1;
    const at = scale === 1 ? Math.round : (v) => v; // whole pixels stay crisp
    context.drawImage(
      front.canvas, at(left * ratio), at(top * ratio), front.canvas.width * scale, front.canvas.height * scale,
    );
  }

  /** Whether finished marks, or ones that are being drawn, will do for the camera. */
  covers(layer) {
    if (!layer || layer.camera.zoom !== this.camera.zoom) return false;
    const half = { x: this.width / 2 / this.camera.zoom, y: this.height / 2 / this.camera.zoom };
    const { right, bottom } = this.bounds();
    return (
      Math.max(0, this.camera.x - half.x) >= layer.left - 1 && Math.max(0, this.camera.y - half.y) >= layer.top - 1 &&
      Math.min(right, this.camera.x + half.x) <= layer.right + 1 &&
      Math.min(bottom, this.camera.y + half.y) <= layer.bottom + 1
    );
  }

  /** Draws marks for a few milliseconds, if any are missing. */
  advance() {
    if (this.stale || !(this.covers(this.front) || this.covers(this.job))) this.begin();
    if (!this.job) return;
    const { job } = this;
    const until = performance.now() + SLICE;
    while (!job.done && performance.now() < until) job.step();
    if (job.done) { this.front = job; this.job = null; }
  }

  begin() {
    this.stale = false;
    const spare = this.job ? this.job.canvas : null;
    this.job = new Marks(this, spare || document.createElement("canvas"));
    this.marksDrawn = 0;
  }
}

/** Marks for one camera, drawn bit by bit on a canvas somewhat larger than what is seen. */
class Marks {
  constructor(view, canvas) {
    const { camera, ratio } = view;
    this.view = view;
    this.app = view.app;
    this.camera = { ...camera };
    this.canvas = canvas;
    const width = view.width * (1 + 2 * MARGIN), height = view.height * (1 + 2 * MARGIN);
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    this.left = camera.x - width / 2 / camera.zoom;
    this.top = camera.y - height / 2 / camera.zoom;
    this.right = camera.x + width / 2 / camera.zoom;
    this.bottom = camera.y + height / 2 / camera.zoom;
    this.context = canvas.getContext("2d");
    this.context.setTransform(
      ratio * camera.zoom, 0, 0, ratio * camera.zoom, -this.left * ratio * camera.zoom, -this.top * ratio * camera.zoom,
    );
    this.context.lineCap = "round";
    this.queue = this.app.sides.map((side) => ({ side, items: this.inSight(side), next: 0 }));
    const count = this.queue.reduce((sum, { items }) => sum + items.length, 0);
    const room = Math.sqrt((width * height) / Math.max(1, count)); // side of the square that each mark has, in pixels
    this.rim = Math.min(1, Math.max(0.25, room / ROOMY));
    this.lines = this.app.matches && this.app.linesShown ? this.matchesInSight() : [];
    this.nextLine = 0;
    this.done = false;
  }

  /** The shown keypoints whose marks may be seen, large ones first. */
  inSight(side) {
    const reach = side.largest * (this.app.radius === "support" ? 2 * side.magnification : 1);
    const items = [];
    const box = [this.left - side.left, this.top - side.top, this.right - side.left, this.bottom - side.top];
    side.grid.visit(box[0] - reach, box[1] - reach, box[2] + reach, box[3] + reach, (i) => {
      if (side.shown[i]) items.push(i);
    });
    return items.sort((i, j) => side.sigma[j] - side.sigma[i]);
  }

  /** The best of the shown matches whose lines do not run together at this zoom. */
  matchesInSight() {
    const { matches, sides: [a, b] } = this.app;
    const cell = APART / this.camera.zoom;
    const columns = Math.ceil((this.right - this.left) / cell) + 1, rows = Math.ceil((this.bottom - this.top) / cell) + 1;
    const passing = new Uint32Array(columns * rows); // bits: the directions of the lines through each cell
    const shown = matches.best.filter((m) => matches.shown[m]);
    const lines = [];
    for (const m of shown.slice(0, MOST_LINES)) {
      const i = matches.pairs[2 * m], j = matches.pairs[2 * m + 1];
      const line = this.clipped(a.x(i), a.y(i), b.x(j), b.y(j));
      if (!line) continue;
      const [x, y, dx, dy] = line, length = Math.hypot(dx, dy), steps = Math.max(2, Math.ceil(length / cell));
      const turn = (Math.floor((Math.atan2(dy, dx) / Math.PI) * TURNS) + 2 * TURNS) % TURNS;
      const at = (t, shift) => {
        const column = Math.floor((x + t * dx - (shift * dy) / (length || 1) - this.left) / cell);
        const row = Math.floor((y + t * dy + (shift * dx) / (length || 1) - this.top) / cell);
        return Math.min(rows - 1, Math.max(0, row)) * columns + Math.min(columns - 1, Math.max(0, column));
      };
      const similar = [-1, 0, 1].reduce((bits, k) => bits | (1 << (turn + k + TURNS) % TURNS), 0);
      let taken = 0;
      for (let k = 0; k <= steps; k++) if (passing[at(k / steps, 0)] & similar) taken++;
      if (taken > TOGETHER * (steps + 1)) continue;
      for (let k = 0; k <= 2 * steps; k++) {
        for (const shift of [-cell / 2, 0, cell / 2]) passing[at(k / steps / 2, shift)] |= 1 << turn;
      }
      lines.push(m);
    }
    const hidden = lines.length < shown.length;
    $("lines-value").textContent = hidden ? `(${lines.length} of ${shown.length.toLocaleString("en")}; zoom in for more)` : "";
    return lines;
  }

  /** The part of a line within this layer: one end, and the way to the other; or null. */
  clipped(x, y, toX, toY) {
    const dx = toX - x, dy = toY - y;
    let from = 0, to = 1;
    for (const [start, along, low, high] of [[x, dx, this.left, this.right], [y, dy, this.top, this.bottom]]) {
      if (!along) { if (start < low || start > high) return null; continue; }
      const ends = [(low - start) / along, (high - start) / along];
      from = Math.max(from, Math.min(...ends));
      to = Math.min(to, Math.max(...ends));
    }
    return from <= to ? [x + from * dx, y + from * dy, (to - from) * dx, (to - from) * dy] : null;
  }

  /** Draws the next few. */
  step() {
    if (this.nextLine < this.lines.length) {
      this.drawLines(this.lines.slice(this.nextLine, this.nextLine + CHUNK));
      this.nextLine += CHUNK;
      return;
    }
    const part = this.queue.find((p) => p.next < p.items.length);
    if (!part) { this.done = true; return; }
    const items = part.items.slice(part.next, part.next + CHUNK);
    part.next += items.length;
    this.view.marksDrawn += items.length;
    this.drawKeypoints(part.side, items);
  }

  drawLines(items) {
    const { context, app, camera } = this;
    const [a, b] = app.sides;
    const paths = [new Path2D(), new Path2D()];
    for (const m of items) {
      const path = paths[app.matches.inlier && !app.matches.inlier[m] ? 1 : 0];
      const i = app.matches.pairs[2 * m], j = app.matches.pairs[2 * m + 1];
      path.moveTo(a.x(i), a.y(i));
      path.lineTo(b.x(j), b.y(j));
    }
    paths.forEach((path, outlier) => {
      const alpha = Math.min(0.8, Math.max(0.3, 8 / Math.sqrt(this.lines.length))); // many stay a veil
      context.globalAlpha = outlier ? alpha / 2 : alpha;
      context.lineWidth = 1 / camera.zoom;
      context.setLineDash(outlier ? [6 / camera.zoom, 5 / camera.zoom] : []);
      context.strokeStyle = outlier ? DATA.colors.outlier : DATA.colors.inlier;
      context.stroke(path);
    });
    context.globalAlpha = 1;
    context.setLineDash([]);
  }

  /** Keypoints of one colour become one path, stroked twice: rim and colour. */
  drawKeypoints(side, items) {
    const { context, app, camera } = this;
    const reach = app.radius === "support" ? 2 * side.magnification : 1;
    const dots = new Map(), outlines = new Map();
    for (const i of items) {
      const small = app.style === "points" || side.sigma[i] * reach * camera.zoom < DOT;
      const paths = small ? dots : outlines, bucket = side.bucket[i];
      if (!paths.has(bucket)) paths.set(bucket, new Path2D());
      const path = paths.get(bucket);
      if (small) addDot(path, side, i, (app.style === "points" ? 2.2 : 1.1) / camera.zoom);
      else addFrame(path, side, i, reach, app.style);
    }
    const width = 1.3 / camera.zoom, rim = this.rim / camera.zoom;
    for (const [bucket, path] of dots) {
      context.strokeStyle = RIM;
      context.lineWidth = 1.2 * rim;
      context.stroke(path);
      context.fillStyle = app.shades[bucket];
      context.fill(path);
    }
    for (const path of outlines.values()) {
      context.strokeStyle = RIM;
      context.lineWidth = width + 1.5 * rim;
      context.stroke(path);
    }
    for (const [bucket, path] of outlines) {
      context.strokeStyle = app.shades[bucket];
      context.lineWidth = width;
      context.stroke(path);
    }
  }
}

function addDot(path, side, i, radius) {
  path.rect(side.x(i) - radius, side.y(i) - radius, 2 * radius, 2 * radius);
}

/** Adds a circle (or its affine image) or a square of `reach` times the frame, and the line along its orientation. */
function addFrame(path, side, i, reach, style) {
  const x = side.x(i), y = side.y(i);
  const [xx, xy, yx, yy] = Array.from(side.map(i), (v) => v * reach);
  path.moveTo(x, y);
  path.lineTo(x + xx, y + yx);
  if (style === "frames") {
    const corners = [[-1, -1], [1, -1], [1, 1], [-1, 1]];
    corners.forEach(([u, v], k) => path[k ? "lineTo" : "moveTo"](x + xx * u + xy * v, y + yx * u + yy * v));
    path.closePath();
  } else if (side.affine) {
    for (let k = 0; k <= 32; k++) {
      const u = Math.cos((k * Math.PI) / 16), v = Math.sin((k * Math.PI) / 16);
      path[k ? "lineTo" : "moveTo"](x + xx * u + xy * v, y + yx * u + yy * v);
    }
  } else {
    path.moveTo(x + side.sigma[i] * reach, y);
    path.arc(x, y, side.sigma[i] * reach, 0, 2 * Math.PI);
  }
}
