// The task stream: a lane for each core, a bar for each task, drawn while it runs.

import { count, plural, seconds } from "../format.js";
import { colour, stageNumber } from "../theme.js";
import { Tip, sheet, timeStep, whenResized } from "./axes.js";

const LABEL = 168;
const RIGHT = 12;
const AXIS = 26;
const GAP = 10;

// Lanes are as high as there is room for.
const laneHeight = (lanes) => (lanes <= 16 ? 20 : lanes <= 48 ? 12 : lanes <= 128 ? 6 : 3);

export class LaneChart {
  constructor(parent) {
    this.parent = parent;
    parent.classList.add("chart");
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    parent.append(this.canvas);
    this.tip = new Tip(parent);
    this.lanes = [];
    this.segments = [];
    this.running = [];
    this.span = 1;
    this.chosen = -1;
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("pointerleave", () => this.tip.hide());
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("blur", () => this.choose(-1));
    this.end = whenResized(parent, () => this.draw());
  }

  // News of tasks; `now` is how long the query has run, in milliseconds.
  add(tasks, now, isOver) {
    if (tasks.whole) this.segments = [];
    this.segments.push(...tasks.segments);
    this.lanes = tasks.lanes;
    this.running = isOver ? [] : tasks.running;
    this.grain = tasks.grain_ms;
    const last = this.segments.reduce((end, segment) => Math.max(end, segment[2]), 1);
    this.span = isOver ? Math.max(last, 1) : Math.max(now, last, 1);
    this.now = now;
    this.draw();
  }

  // Lanes of an executor together, in the order in which they came.
  arrange() {
    const executors = new Map();
    this.lanes.forEach(([executor], lane) => {
      if (!executors.has(executor)) executors.set(executor, []);
      executors.get(executor).push(lane);
    });
    this.height = laneHeight(this.lanes.length);
    this.tops = [];
    this.groups = [];
    let top = 4;
    for (const [executor, lanes] of executors) {
      this.groups.push({ executor, top, height: lanes.length * (this.height + 1) });
      for (const lane of lanes) {
        this.tops[lane] = top;
        top += this.height + 1;
      }
      top += this.lanes.length > 64 ? 2 : GAP;
    }
    this.bottom = Math.max(top, 24);
  }

  draw() {
    const width = this.parent.clientWidth;
    if (!width) return;
    this.arrange();
    const context = sheet(this.canvas, width, this.bottom + AXIS);
    this.x = (time) => LABEL + (time / this.span) * (width - LABEL - RIGHT);
    this.drawAxis(context, width);
    this.drawNames(context);
    this.drawSegments(context);
    this.drawRunning(context);
    this.canvas.setAttribute("aria-label", `Tasks over time on ${plural(this.lanes.length, "core")}: ${plural(this.segments.reduce((sum, segment) => sum + segment[4], 0), "task")} ended, ${count(this.running.length)} running. Arrow keys walk through them.`);
  }

  drawAxis(context, width) {
    const step = timeStep(this.span / 1000, Math.max(2, (width - LABEL) / 90)) * 1000;
    const digits = step >= 1000 ? 0 : step >= 100 ? 1 : step >= 10 ? 2 : 3;
    context.textBaseline = "alphabetic";
    for (let time = 0; time <= this.span * 1.0001; time += step) {
      const x = Math.round(this.x(time)) + 0.5;
      context.strokeStyle = colour("grid");
      line(context, x, 0, x, this.bottom);
      context.fillStyle = colour("muted");
      const text = `${(time / 1000).toFixed(digits)} s`;
      const half = context.measureText(text).width / 2;
      context.fillText(text, Math.min(x - half, width - half * 2 - 1), this.bottom + 18);
    }
    context.strokeStyle = colour("line");
    line(context, LABEL, this.bottom + 0.5, width - RIGHT, this.bottom + 0.5);
  }

  drawNames(context) {
    context.fillStyle = colour("muted");
    context.textBaseline = "middle";
    let free = 0;
    for (const { executor, top, height } of this.groups) {
      const middle = top + height / 2;
      // With many short lanes not every name has room.
      if (middle - 7 < free) continue;
      context.fillText(fitted(context, executor, LABEL - 16), 0, middle);
      free = middle + 7;
    }
  }

  drawSegments(context) {
    this.segments.forEach((segment, place) => {
      const [lane, start, end, stage, tasks, failed, busy] = segment;
      const x = this.x(start);
      const width = Math.max(this.x(end) - x, 1);
      // Between the tasks of a segment the lane stood still: it is as pale as that.
      context.globalAlpha = tasks > 1 && end > start ? 0.35 + 0.65 * Math.min(1, busy / (end - start)) : 1;
      context.fillStyle = colour(failed ? "bad" : `stage-${stageNumber(stage)}`);
      context.fillRect(x, this.tops[lane], width > 3 ? width - 0.75 : width, this.height);
      context.globalAlpha = 1;
      if (place === this.chosen) {
        context.strokeStyle = colour("text");
        context.lineWidth = 2;
        context.strokeRect(x - 1, this.tops[lane] - 1, width + 2, this.height + 2);
        context.lineWidth = 1;
      }
    });
  }

  drawRunning(context) {
    for (const [lane, start, stage] of this.running) {
      const x = this.x(start);
      const width = Math.max(this.x(this.now) - x, 2);
      context.fillStyle = colour(`stage-${stageNumber(stage)}`);
      context.globalAlpha = 0.35;
      context.fillRect(x, this.tops[lane], width, this.height);
      context.globalAlpha = 1;
      context.fillRect(x + width - 2, this.tops[lane], 2, this.height);
    }
  }

  // The segment, or the running task, at a place of the canvas.
  at(x, y) {
    const isIn = (lane) => y >= this.tops[lane] && y <= this.tops[lane] + this.height;
    for (const [lane, start, stage] of this.running) {
      if (isIn(lane) && x >= this.x(start) - 2 && x <= this.x(this.now) + 2) return this.wordsOfRunning(lane, start, stage);
    }
    const found = this.segments.find(([lane, start, end]) => isIn(lane) && x >= this.x(start) - 1 && x <= this.x(end) + 1);
    return found && this.words(found);
  }

  words([lane, start, end, stage, tasks, failed, busy]) {
    const [executor, slot] = this.lanes[lane] || ["", 0];
    const lines = [`${executor}, core ${slot + 1}`, tasks > 1 ? `${plural(tasks, "task")}, mostly of stage ${stage}` : `stage ${stage}`];
    lines.push(`${seconds(start / 1000)} to ${seconds(end / 1000)}, ${seconds(busy / 1000)} at work`);
    if (failed) lines.push(`${count(failed)} failed`);
    return lines.join("\n");
  }

  wordsOfRunning(lane, start, stage) {
    const [executor, slot] = this.lanes[lane] || ["", 0];
    return `${executor}, core ${slot + 1}\nstage ${stage}, running for ${seconds((this.now - start) / 1000)}`;
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const words = this.at(x, y);
    if (words) this.tip.show(words, x, y);
    else this.tip.hide();
  }

  key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || this.segments.length === 0) return;
    event.preventDefault();
    this.choose((this.chosen + step + this.segments.length) % this.segments.length);
  }

  choose(place) {
    this.chosen = place;
    this.draw();
    const segment = this.segments[place];
    if (segment) this.tip.show(this.words(segment), this.x(segment[1]), this.tops[segment[0]] + this.height);
    else this.tip.hide();
  }
}

function line(context, x1, y1, x2, y2) {
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
}

// A name with its middle left out where it is too long: its end tells executors apart.
function fitted(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  for (let kept = text.length - 2; kept > 4; kept -= 1) {
    const head = Math.ceil(kept / 3);
    const short = `${text.slice(0, head)}…${text.slice(text.length - (kept - head))}`;
    if (context.measureText(short).width <= width) return short;
  }
  return text.slice(0, 4);
}
