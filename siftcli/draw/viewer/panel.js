// What is known of one keypoint: its numbers, its patch, its descriptor.

const PIXELS = 260; // of the small pictures, which are shown at half that size
const MARGIN_CELLS = 2.5; // to each side of a patch; the descriptor has two

function degrees(angle) { return ((angle * 180) / Math.PI).toFixed(1); }

function numbers(side, i) {
  const rows = [
    ["x, y", `${side.xy[2 * i].toFixed(2)}, ${side.xy[2 * i + 1].toFixed(2)}`],
    ["sigma", `${side.sigma[i].toFixed(2)} px`],
    ["orientation", `${degrees(side.angle[i])}° clockwise`],
  ];
  if (side.response) rows.push(["response", side.response[i].toPrecision(3)]);
  if (side.octave) rows.push(["octave", String(side.octave[i])]);
  if (side.level) rows.push(["level", String(side.level[i])]);
  return rows;
}

function element(name, text) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  return node;
}

function list(rows) {
  const dl = element("dl");
  for (const [term, value] of rows) dl.append(element("dt", term), element("dd", value));
  return dl;
}

/** The image around a keypoint, turned and scaled as its frame, with the descriptor's cells. */
function drawPatch(context, side, i) {
  const unit = PIXELS / (2 * MARGIN_CELLS); // canvas pixels per cell
  const [xx, xy, yx, yy] = Array.from(side.map(i), (v) => (v * side.magnification) / unit);
  const det = xx * yy - xy * yx;
  context.fillStyle = "#808080";
  context.fillRect(0, 0, PIXELS, PIXELS);
  if (det) {
    context.save();
    context.translate(PIXELS / 2, PIXELS / 2);
    context.transform(yy / det, -yx / det, -xy / det, xx / det, 0, 0);
    context.translate(-side.xy[2 * i], -side.xy[2 * i + 1]);
    const image = side.imageFor(1 / Math.sqrt(Math.abs(det)));
    context.imageSmoothingEnabled = Math.abs(det) > 0.1;
    if (image) context.drawImage(image, -0.5, -0.5, side.width, side.height);
    context.restore();
  }
  drawCells(context, "rgba(255, 226, 77, 0.8)");
}

function drawCells(context, color) {
  const unit = PIXELS / (2 * MARGIN_CELLS), low = PIXELS / 2 - 2 * unit, high = PIXELS / 2 + 2 * unit;
  context.strokeStyle = color;
  context.lineWidth = 1.5;
  context.beginPath();
  for (let k = 0; k <= 4; k++) {
    context.moveTo(low + k * unit, low); context.lineTo(low + k * unit, high);
    context.moveTo(low, low + k * unit); context.lineTo(high, low + k * unit);
  }
  context.stroke();
}

/** The 4 x 4 histograms of a descriptor: a ray for each of the 8 directions, the largest as long as half a cell. */
function drawDescriptor(context, side, i) {
  const style = getComputedStyle(document.documentElement);
  const unit = PIXELS / (2 * MARGIN_CELLS), low = PIXELS / 2 - 2 * unit;
  const values = side.descriptors.subarray(128 * i, 128 * i + 128);
  const largest = values.reduce((a, b) => Math.max(a, b), 1);
  context.clearRect(0, 0, PIXELS, PIXELS);
  drawCells(context, style.getPropertyValue("--line"));
  context.strokeStyle = style.getPropertyValue("--ink");
  context.lineWidth = 3;
  context.lineCap = "round";
  context.beginPath();
  for (let k = 0; k < 128; k++) {
    if (!values[k]) continue;
    const x = low + (((k >> 3) & 3) + 0.5) * unit, y = low + ((k >> 5) + 0.5) * unit;
    const length = (0.48 * unit * values[k]) / largest, angle = ((k & 7) * Math.PI) / 4;
    context.moveTo(x, y);
    context.lineTo(x + length * Math.cos(angle), y + length * Math.sin(angle));
  }
  context.stroke();
}

function picture(caption, draw) {
  const figure = element("figure"), canvas = element("canvas");
  canvas.width = canvas.height = PIXELS;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", caption);
  draw(canvas.getContext("2d"));
  figure.append(canvas, element("figcaption", caption));
  return figure;
}

function keypointSection(side, i, title) {
  const section = element("div"), pictures = element("div");
  section.className = "keypoint";
  pictures.className = "pictures";
  pictures.append(picture("patch", (context) => drawPatch(context, side, i)));
  if (side.descriptors) pictures.append(picture("descriptor", (context) => drawDescriptor(context, side, i)));
  section.append(element("h2", title), list(numbers(side, i)), pictures);
  return section;
}

function matchSection(matches, m) {
  const rows = [];
  if (matches.distance) rows.push(["distance", matches.distance[m].toFixed(4)]);
  if (matches.ratio) rows.push(["ratio", matches.ratio[m].toFixed(3)]);
  if (matches.inlier) rows.push(["verdict", matches.inlier[m] ? "inlier" : "outlier"]);
  const section = element("div");
  section.className = "match";
  section.append(element("h2", `match ${m}`), list(rows));
  return section;
}
