// Figures over time: lines, or steps for what is counted.

import { s } from "../dom.js";
import { clock } from "../format.js";
import { Tip, ceiling, ticks, timeStep, whenResized } from "./axes.js";

const HEIGHT = 168;
const LEFT = 76;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 26;

// A chart in `parent`. `series` are { name, label, colour, steps }, `format` writes a value with its unit.
export class LineChart {
  constructor(parent, { series, format, label, isBinary = false, isWhole = false, minimum = 0 }) {
    Object.assign(this, { parent, series, format, label, isBinary, isWhole, minimum });
    this.data = { at: [] };
    this.marks = [];
    parent.classList.add("chart");
    this.svg = s("svg", { role: "img", height: HEIGHT });
    parent.append(this.svg);
    this.tip = new Tip(parent);
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerleave", () => this.leave());
    this.end = whenResized(parent, () => this.draw());
  }

  // `data` has a list of milliseconds, `at`, and one of values for each series; `marks` are { at, text, colour }.
  set(data, marks = []) {
    this.data = data;
    this.marks = marks;
    this.draw();
  }

  draw() {
    const width = this.parent.clientWidth;
    if (!width) return;
    const at = this.data.at;
    const last = at.length ? at[at.length - 1] : Date.now();
    const first = at.length > 1 ? Math.min(at[0], last - 60000) : last - 60000;
    const values = this.series.flatMap(({ name }) => this.data[name] || []);
    const top = ceiling(Math.max(this.minimum, ...values, 0) || 1, this.isBinary);
    this.x = (time) => LEFT + ((time - first) / (last - first)) * (width - LEFT - RIGHT);
    this.y = (value) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.svg.setAttribute("aria-label", this.words());
    this.cross = s("line", { class: "cross", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
    this.svg.replaceChildren(
      ...this.axes(first, last, top, width),
      ...this.series.flatMap((series) => this.line(series)),
      ...this.marks.filter((mark) => mark.at >= first).map((mark) => this.mark(mark)),
      this.cross,
    );
  }

  axes(first, last, top, width) {
    // Of what is counted there are no halves.
    const values = ticks(0, top, 4, this.isBinary).filter((value) => !this.isWhole || Number.isInteger(value));
    const across = values.flatMap((value) => [
      s("line", { class: value ? "grid" : "axis", x1: LEFT, x2: width - RIGHT, y1: Math.round(this.y(value)), y2: Math.round(this.y(value)) }),
      s("text", { x: LEFT - 8, y: this.y(value) + 4, "text-anchor": "end" }, this.format(value)),
    ]);
    const step = timeStep((last - first) / 1000, Math.max(2, (width - LEFT) / 110)) * 1000;
    const down = [];
    // Round on the clock of whoever looks.
    const offset = new Date(last).getTimezoneOffset() * 60000;
    for (let time = Math.ceil((first - offset) / step) * step + offset; time <= last; time += step) {
      const x = this.x(time);
      if (x < LEFT + 24 || x > width - RIGHT - 24) continue;
      down.push(s("line", { class: "axis", x1: x, x2: x, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM + 4 }));
      down.push(s("text", { x, y: HEIGHT - 8, "text-anchor": "middle" }, clock(time)));
    }
    return [...across, ...down];
  }

  line({ name, colour, steps, isFilled }) {
    const values = this.data[name] || [];
    const points = values.map((value, place) => [this.x(this.data.at[place]), this.y(value)]);
    if (points.length === 0) return [];
    const joined = points.map(([x, y], place) => {
      if (place === 0) return `M${x.toFixed(1)} ${y.toFixed(1)}`;
      return steps ? `H${x.toFixed(1)}V${y.toFixed(1)}` : `L${x.toFixed(1)} ${y.toFixed(1)}`;
    });
    const path = joined.join("");
    const base = this.y(0);
    const area = `${path}V${base}H${points[0][0].toFixed(1)}Z`;
    return [
      isFilled && s("path", { class: `area colour-${colour}`, d: area }),
      s("path", { class: `series colour-${colour}`, d: path }),
    ].filter(Boolean);
  }

  mark({ at, colour, up }) {
    const x = this.x(at);
    const base = HEIGHT - BOTTOM;
    const points = up ? `${x - 4},${base} ${x + 4},${base} ${x},${base - 7}` : `${x - 4},${base - 7} ${x + 4},${base - 7} ${x},${base}`;
    return s("polygon", { class: `mark colour-${colour}`, points });
  }

  point(event) {
    const { at } = this.data;
    if (!at.length || !this.x) return;
    const box = this.svg.getBoundingClientRect();
    const x = event.clientX - box.left;
    let nearest = 0;
    at.forEach((time, place) => {
      if (Math.abs(this.x(time) - x) < Math.abs(this.x(at[nearest]) - x)) nearest = place;
    });
    const lines = this.series.map(({ name, label }) => `${label} ${this.format((this.data[name] || [])[nearest])}`);
    const decided = this.marks.filter((mark) => Math.abs(this.x(mark.at) - x) < 6).map((mark) => mark.text);
    this.cross.setAttribute("x1", this.x(at[nearest]));
    this.cross.setAttribute("x2", this.x(at[nearest]));
    this.cross.setAttribute("visibility", "visible");
    this.tip.show([clock(at[nearest]), ...lines, ...decided].join("\n"), x, event.clientY - box.top);
  }

  leave() {
    this.tip.hide();
    if (this.cross) this.cross.setAttribute("visibility", "hidden");
  }

  words() {
    const now = this.series.map(({ name, label }) => {
      const values = this.data[name] || [];
      return `${label} ${this.format(values[values.length - 1])}`;
    });
    return `${this.label}, now: ${now.join(", ")}`;
  }
}
