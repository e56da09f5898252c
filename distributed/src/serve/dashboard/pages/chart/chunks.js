// The chunk grid of an array: what was read of it, what is still to be read, and what need not be.

import { count, percent, plural } from "../format.js";
import { colour } from "../theme.js";
import { Tip, sheet, whenResized } from "./axes.js";

const LEFT = 76;
const BOTTOM = 44;
const TOP = 2;

export class ChunkChart {
  constructor(parent) {
    this.parent = parent;
    parent.classList.add("chart");
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("role", "img");
    parent.append(this.canvas);
    this.tip = new Tip(parent);
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("pointerleave", () => this.tip.hide());
    this.end = whenResized(parent, () => this.draw());
  }

  set(map) {
    this.map = map;
    this.draw();
  }

  draw() {
    const width = this.parent.clientWidth;
    if (!width || !this.map) return;
    const [across, down] = this.map.sides;
    this.columns = across.bins;
    this.rows = down ? down.bins : 1;
    const room = width - LEFT - 2;
    this.cellWidth = room / this.columns;
    this.cellHeight = Math.max(3, Math.min(22, Math.max(this.cellWidth, 140 / this.rows), 260 / this.rows));
    const context = sheet(this.canvas, width, TOP + this.rows * this.cellHeight + BOTTOM);
    this.drawCells(context);
    this.drawNames(context, width, across, down);
    this.canvas.setAttribute("aria-label", `${this.map.variable}: ${wordsOf(this.map)}`);
  }

  drawCells(context) {
    const gap = this.cellWidth > 5 && this.cellHeight > 5 ? 1 : 0;
    for (let row = 0; row < this.rows; row += 1) {
      for (let column = 0; column < this.columns; column += 1) {
        const place = row * this.columns + column;
        const needed = this.map.needed[place];
        const x = LEFT + column * this.cellWidth;
        const y = TOP + row * this.cellHeight;
        const [width, height] = [Math.max(this.cellWidth - gap, 0.75), Math.max(this.cellHeight - gap, 0.75)];
        context.globalAlpha = 1;
        context.fillStyle = colour(needed ? "line" : "sunken");
        if (needed) context.fillRect(x, y, width, height);
        else context.fillRect(x + width / 2 - Math.min(1, width / 2), y + height / 2 - Math.min(1, height / 2), Math.min(2, width), Math.min(2, height));
        const part = needed ? Math.min(1, this.map.read[place] / needed) : 0;
        if (part > 0) {
          context.globalAlpha = 0.25 + 0.75 * part;
          context.fillStyle = colour("accent");
          context.fillRect(x, y, width, height);
        }
      }
    }
    context.globalAlpha = 1;
  }

  drawNames(context, width, across, down) {
    const base = TOP + this.rows * this.cellHeight;
    context.fillStyle = colour("muted");
    context.textBaseline = "alphabetic";
    const [first, last] = labels(across.ends).map((end) => shortened(context, end, (width - LEFT) / 2 - 8));
    context.fillText(first, LEFT, base + 16);
    context.fillText(last, width - 2 - context.measureText(last).width, base + 16);
    const name = `${across.name}, ${plural(across.chunks, "chunk")}${across.bins < across.chunks ? `, ${count(across.chunks / across.bins)} to a column` : ""}`;
    context.fillText(shortened(context, name, width - LEFT), LEFT, base + 34);
    if (!down) return;
    context.textBaseline = "top";
    const [high, low] = labels(down.ends);
    context.fillText(shortened(context, high, LEFT - 8), 0, TOP);
    context.textBaseline = "bottom";
    const isHigh = base - TOP > 44;
    if (isHigh) context.fillText(shortened(context, low, LEFT - 8), 0, base);
    context.textBaseline = "middle";
    context.fillText(shortened(context, `${down.name} (${count(down.chunks)})`, LEFT - 8), 0, isHigh ? (TOP + base) / 2 : TOP + 22);
  }

  point(event) {
    if (!this.map) return;
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const column = Math.floor((x - LEFT) / this.cellWidth);
    const row = Math.floor((y - TOP) / this.cellHeight);
    if (column < 0 || column >= this.columns || row < 0 || row >= this.rows) {
      this.tip.hide();
      return;
    }
    const place = row * this.columns + column;
    const [across, down] = this.map.sides;
    const where = [range(across, column), down && range(down, row)].filter(Boolean).join(", ");
    const needed = this.map.needed[place];
    const read = this.map.read[place];
    const what = needed ? `${count(Math.min(read, needed))} of ${plural(needed, "chunk")} read` : "not needed: pruned";
    const again = read > needed && needed ? `\n${plural(read - needed, "chunk")} read again` : "";
    this.tip.show(`${where}\n${what}${again}`, x, y);
  }
}

// In words: how much of what is needed was read, and how much is not needed.
export function wordsOf(map) {
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const needed = sum(map.needed);
  const read = map.read.reduce((total, value, place) => total + Math.min(value, map.needed[place]), 0);
  const all = [...map.sides, ...map.others].reduce((total, side) => total * side.chunks, 1);
  return `${count(read)} of ${plural(needed, "chunk")} read, ${count(all - needed)} of ${count(all)} pruned (${percent(all ? 1 - needed / all : 0)})`;
}

function range(side, bin) {
  const first = Math.ceil((bin * side.chunks) / side.bins);
  const last = Math.ceil(((bin + 1) * side.chunks) / side.bins) - 1;
  return first >= last ? `${side.name} chunk ${count(first)}` : `${side.name} chunks ${count(first)} to ${count(last)}`;
}

// The ends of a dimension: where both have the same time of day, days are enough; long fractions are cut.
function labels(ends) {
  const times = ends.map((text) => /T(.*)$/.exec(text)?.[1]);
  return ends.map((text) => {
    if (times[0] !== undefined && times[0] === times[1]) return text.replace(/T.*$/, "");
    const number = Number(text);
    return text !== "" && Number.isFinite(number) && text.length > 8 ? String(Number(number.toPrecision(6))) : text;
  });
}

function shortened(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let kept = text;
  while (kept.length > 1 && context.measureText(`${kept}…`).width > width) kept = kept.slice(0, -1);
  return `${kept}…`;
}
