// The page: its controls, what is shown, and what is selected.

const $ = (id) => document.getElementById(id);
const NEAR = 14; // screen pixels within which a keypoint is pointed at
const BUCKETS = 64; // colours that keypoints are told apart by

class App {
  constructor() {
    this.sides = loadedSides();
    this.matches = DATA.matches ? new Matches(DATA.matches, this.sides) : null;
    this.linesShown = true;
    this.hovered = null; // { side, index }
    this.selected = null;
    this.view = new View($("view"), this);
    this.setUpControls();
    setUpPointer(this);
    setUpKeys(this);
    this.filter();
    this.recolor();
  }

  async load() {
    await Promise.all(this.sides.map((side, k) => side.load(DATA.images[k].url)));
    this.view.changed();
    const wanted = Number(location.hash.slice(1));
    if (location.hash && this.sides[0].shown[wanted]) this.select({ side: this.sides[0], index: wanted });
    document.documentElement.dataset.ready = "true";
  }

  // --- controls

  setUpControls() {
    const all = (name) => this.sides.flatMap((side) => (side[name] ? [extent(side[name])] : []));
    this.scales = logRange(all("sigma"));
    this.responses = all("response").length === this.sides.length ? logRange(all("response")) : null;
    const values = (name) => this.sides.map((side) => side[name]);
    this.shadesOf = {
      scale: spread(values("sigma"), this.scales),
      response: this.responses && spread(values("response"), this.responses),
    };
    this.ratios = this.matches && this.matches.ratio ? extent(this.matches.ratio) : null;
    $("response-row").hidden = !this.responses;
    $("match-controls").hidden = !this.matches;
    $("ratio-row").hidden = !this.ratios;
    $("verdicts").hidden = !(this.matches && this.matches.inlier);
    for (const [id, words] of Object.entries(this.matches ? DATA.matches.verdicts : {})) {
      $(id).parentElement.lastChild.textContent = ` ${words}`;
    }
    const colorings = ["scale", "response", "orientation", "octave", "none"];
    for (const name of colorings) {
      if (name === "response" && !this.responses) continue;
      if (name === "octave" && !this.sides.every((side) => side.octave)) continue;
      $("color").append(new Option(name, name));
    }
    for (const [id, value] of Object.entries(DATA.look)) {
      if ([...$(id).options].some((choice) => choice.value === value)) $(id).value = value;
    }
    this.style = $("style").value;
    this.radius = $("radius").value;
    for (const id of ["scale-from", "scale-to", "response-from", "ratio-to"]) {
      $(id).addEventListener("input", () => this.filter());
    }
    for (const id of ["matched-only", "inliers", "outliers"]) $(id).addEventListener("change", () => this.filter());
    $("lines").addEventListener("change", () => { this.linesShown = $("lines").checked; this.view.changed(); });
    $("color").addEventListener("change", () => this.recolor());
    $("style").addEventListener("change", () => { this.style = $("style").value; this.view.changed(); });
    $("radius").addEventListener("change", () => { this.radius = $("radius").value; this.view.changed(); });
    $("fit").addEventListener("click", () => this.view.fit());
    $("theme").addEventListener("click", () => this.turnTheme());
    $("help-button").addEventListener("click", () => this.toggleHelp());
    $("controls").addEventListener("submit", (event) => event.preventDefault());
    if (window.matchMedia("(prefers-color-scheme: light)").matches) document.documentElement.dataset.theme = "light";
  }

  turnTheme() {
    const root = document.documentElement;
    root.dataset.theme = root.dataset.theme === "light" ? "dark" : "light";
    this.showDetails();
    this.view.moved();
  }

  toggleHelp() {
    $("help").hidden = !$("help").hidden;
    $("help-button").setAttribute("aria-expanded", String(!$("help").hidden));
  }

  /** Decides anew what is shown. */
  filter() {
    const at = (id) => Number($(id).value) / 1000;
    const low = this.scales.value(at("scale-from")), high = this.scales.value(at("scale-to"));
    const least = this.responses ? this.responses.value(at("response-from")) : 0;
    const most = this.ratios ? this.ratios[0] + at("ratio-to") * (this.ratios[1] - this.ratios[0]) : Infinity;
    $("scale-from-value").textContent = `${low.toPrecision(3)} px`;
    $("scale-to-value").textContent = `${high.toPrecision(3)} px`;
    $("response-from-value").textContent = least.toPrecision(3);
    $("ratio-to-value").textContent = most.toFixed(3);
    // The ends of a slider mean no limit, whatever rounding makes of them.
    const smallest = at("scale-from") === 0 ? 0 : low, largest = at("scale-to") === 1 ? Infinity : high;
    const weakest = this.responses && at("response-from") > 0 ? least : 0;
    const fits = (side, i) =>
      side.sigma[i] >= smallest && side.sigma[i] <= largest && !(side.response && side.response[i] < weakest);
    const { matches } = this;
    if (matches) {
      const [a, b] = this.sides;
      for (let m = 0; m < matches.count; m++) {
        const verdict = !matches.inlier || $(matches.inlier[m] ? "inliers" : "outliers").checked;
        const near = !this.ratios || at("ratio-to") === 1 || matches.ratio[m] <= most;
        const ends = fits(a, matches.pairs[2 * m]) && fits(b, matches.pairs[2 * m + 1]);
        matches.shown[m] = verdict && near && ends ? 1 : 0;
      }
    }
    const matchedOnly = matches && $("matched-only").checked;
    for (const side of this.sides) {
      for (let i = 0; i < side.count; i++) {
        const m = side.matchOf[i];
        side.shown[i] = fits(side, i) && (!matchedOnly || (m >= 0 && matches.shown[m])) ? 1 : 0;
      }
    }
    this.order = null;
    this.showCount();
    this.view.changed();
  }

  showCount() {
    const number = (n) => n.toLocaleString("en");
    const sum = (values) => values.reduce((a, b) => a + b, 0);
    const shown = sum(this.sides.map((side) => sum(side.shown))), total = sum(this.sides.map((side) => side.count));
    let text = `${number(shown)} of ${number(total)} keypoints`;
    if (this.matches) text += `, ${number(sum(this.matches.shown))} of ${number(this.matches.count)} matches`;
    $("count").textContent = text;
  }

  /** Gives every keypoint a colour, and says what colours mean. */
  recolor() {
    const by = $("color").value;
    const map = by === "orientation" ? DATA.colors.cyclic : DATA.colors.sequential;
    const shades = Array.from({ length: BUCKETS }, (_, k) => map[Math.round((k * (map.length - 1)) / (BUCKETS - 1))]);
    this.shades = by === "none" ? shades.fill(DATA.colors.plain) : shades;
    const octaves = by === "octave" ? extent(Int16Array.from(this.sides.flatMap((s) => extent(s.octave)))) : [0, 0];
    const share = {
      scale: (side, i) => this.shadesOf.scale.share(side.sigma[i]),
      response: (side, i) => this.shadesOf.response.share(side.response[i]),
      orientation: (side, i) => (side.angle[i] + Math.PI) / (2 * Math.PI),
      octave: (side, i) => (side.octave[i] - octaves[0] + 0.5) / (octaves[1] - octaves[0] + 1),
      none: () => 0,
    }[by];
    for (const side of this.sides) {
      for (let i = 0; i < side.count; i++) {
        side.bucket[i] = Math.min(BUCKETS - 1, Math.max(0, Math.floor(share(side, i) * BUCKETS)));
      }
    }
    this.showLegend(by, octaves);
    this.view.changed();
  }

  showLegend(by, octaves) {
    $("legend").hidden = by === "none";
    const context = $("bar").getContext("2d");
    this.shades.forEach((shade, k) => {
      context.fillStyle = shade;
      context.fillRect((k * 256) / BUCKETS, 0, 256 / BUCKETS + 1, 10);
    });
    const ticks = {
      scale: () => [0, 0.5, 1].map((t) => [t, short(this.shadesOf.scale.value(t))]),
      response: () => [0, 0.5, 1].map((t) => [t, short(this.shadesOf.response.value(t))]),
      orientation: () => [[0, "-180°"], [0.5, "0°"], [1, "180°"]],
      octave: () => {
        const count = octaves[1] - octaves[0] + 1;
        return Array.from({ length: count }, (_, k) => [(k + 0.5) / count, String(octaves[0] + k)]);
      },
      none: () => [],
    }[by]();
    $("ticks").replaceChildren(...ticks.map(([place, text]) => {
      const span = element("span", text);
      span.style.left = `${Math.min(94, Math.max(5, 100 * place))}%`;
      return span;
    }));
  }

  // --- places

  /** The keypoint at a place of the screen, or null. */
  at({ x, y }) {
    const point = this.view.plane(x, y), within = NEAR / this.view.camera.zoom;
    for (const side of this.sides) {
      const index = side.grid.nearest(point.x - side.left, point.y - side.top, within);
      if (index >= 0) return { side, index };
    }
    return null;
  }

  /** Goes to the next shown keypoint, from strong to weak. */
  step(direction) {
    if (!this.order) {
      const strength = (side, i) => (side.response || side.sigma)[i];
      this.order = this.sides.flatMap((side) =>
        Array.from({ length: side.count }, (_, index) => ({ side, index })).filter((k) => side.shown[k.index])
          .sort((a, b) => strength(side, b.index) - strength(side, a.index)));
    }
    if (!this.order.length) return;
    const { selected, order } = this;
    const now = selected ? order.findIndex((k) => k.side === selected.side && k.index === selected.index) : -1;
    const to = now < 0 && direction < 0 ? order.length - 1 : (now + direction + order.length) % order.length;
    this.select(order[to]);
    const { x, y } = this.view.screen(order[to].side.x(order[to].index), order[to].side.y(order[to].index));
    if (x < 30 || y < 30 || x > this.view.width - 30 || y > this.view.height - 30) this.centre(order[to]);
  }

  centre({ side, index }) {
    this.view.pan(side.x(index) - this.view.camera.x, side.y(index) - this.view.camera.y);
  }

  /** Zooms so that the selected keypoint's support fills a third of the view. */
  approach() {
    if (!this.selected) return;
    const { side, index } = this.selected;
    const size = 4 * side.magnification * side.sigma[index];
    const zoom = Math.min(this.view.width, this.view.height) / 3 / size;
    this.view.zoomAt(zoom / this.view.camera.zoom, this.view.width / 2, this.view.height / 2);
    this.centre(this.selected);
  }

  // --- what is pointed at, and what is selected

  hover(keypoint) {
    const same = (a, b) => a === b || (a && b && a.side === b.side && a.index === b.index);
    if (same(keypoint, this.hovered)) return;
    this.hovered = keypoint;
    const tip = $("tip");
    tip.hidden = !keypoint;
    if (keypoint) {
      const { side, index } = keypoint;
      tip.textContent = numbers(side, index).map(([term, value]) => `${term} ${value}`).join("\n");
      const { x, y } = this.view.screen(side.x(index), side.y(index));
      tip.style.left = `${Math.min(x + 16, this.view.width - 190)}px`;
      tip.style.top = `${Math.min(y + 16, this.view.height - 130)}px`;
    }
    if (!this.selected) this.showDetails();
    this.view.moved();
  }

  select(keypoint) {
    this.selected = keypoint;
    // The address then leads back to it.
    const ours = keypoint && keypoint.side === this.sides[0];
    history.replaceState(null, "", ours ? `#${keypoint.index}` : "#");
    this.showDetails();
    this.view.moved();
  }

  /** The keypoint that another is matched with, and the match, or null. */
  partner({ side, index }) {
    const m = side.matchOf[index];
    if (m < 0) return null;
    const other = side === this.sides[0] ? 1 : 0;
    return { side: this.sides[other], index: this.matches.pairs[2 * m + other], match: m };
  }

  showDetails() {
    const keypoint = this.selected || this.hovered, details = $("details");
    if (!keypoint) {
      details.replaceChildren(element("p", "Point at a keypoint to see its numbers; click to keep it."));
      return;
    }
    const title = (k) => (this.sides.length > 1 ? `${k.side.name}: keypoint ${k.index}` : `keypoint ${k.index}`);
    const sections = [keypointSection(keypoint.side, keypoint.index, title(keypoint))];
    if (this.matches) {
      const partner = this.partner(keypoint);
      if (partner) {
        sections.push(matchSection(this.matches, partner.match));
        sections.push(keypointSection(partner.side, partner.index, title(partner)));
      } else sections.push(element("p", "This keypoint has no match."));
    }
    details.replaceChildren(...sections);
  }

  /** Draws what is pointed at and what is selected on top of everything, with their partners. */
  drawSelection(context, view) {
    for (const keypoint of [this.hovered, this.selected]) {
      if (!keypoint) continue;
      const partner = this.matches && this.partner(keypoint);
      const ends = partner ? [keypoint, partner] : [keypoint];
      const path = new Path2D();
      for (const { side, index } of ends) {
        const reach = this.radius === "support" ? 2 * side.magnification : 1;
        addFrame(path, side, index, Math.max(reach, 5 / side.sigma[index] / view.camera.zoom), this.style);
      }
      if (partner) {
        path.moveTo(keypoint.side.x(keypoint.index), keypoint.side.y(keypoint.index));
        path.lineTo(partner.side.x(partner.index), partner.side.y(partner.index));
      }
      const { zoom, x, y } = view.camera;
      context.save();
      context.transform(zoom, 0, 0, zoom, view.width / 2 - x * zoom, view.height / 2 - y * zoom);
      for (const [color, width] of [["rgba(0, 0, 0, 0.8)", 5], ["#ffffff", 2.2]]) {
        context.strokeStyle = color;
        context.lineWidth = width / zoom;
        context.stroke(path);
      }
      context.restore();
    }
  }
}

const app = new App();
app.load();
