// The plan as a graph: rows flow from the bottom to the top, each operator with what it has done so far.

import { h, s, update } from "../dom.js";
import { bytes, metric, percent, seconds, shortCount } from "../format.js";
import { stageNumber } from "../theme.js";

const WIDTH = 232;
const GAP = 24;
const LEVEL = 30;

// Metrics that have a line of their own in a box, by what they tell.
const LINES = [
  ["output_rows", (value, node) => `${shortCount(value)} ${node.name === "BlockReadExec" ? "blocks" : "rows"}`],
  ["chunks_read", (value, node) => chunkWords(value, node)],
  ["chunks_read", (_, node) => prunedWords(node)],
  ["bytes_read", (value, node) => `${bytes(value)} read, ${bytes(number(node, "bytes_decoded"))} decoded`],
  ["spilled_bytes", (value) => value > 0 && `${bytes(value)} spilled`],
];

export class PlanChart {
  constructor(parent) {
    this.parent = parent;
    this.drawing = h("div", { class: "plan" });
    this.detail = h("div", { class: "detail" });
    parent.classList.add("planned");
    parent.append(this.drawing, this.detail);
    this.chosen = null;
    this.drawing.addEventListener("click", (event) => this.choose(event));
    this.drawing.addEventListener("keydown", (event) => this.key(event));
  }

  set(nodes) {
    this.nodes = nodes.map((node, place) => ({ ...node, place, children: [], lines: lines(node) }));
    for (const node of this.nodes) if (node.parent !== null) this.nodes[node.parent].children.push(node);
    this.draw();
  }

  // The operator that somebody chose, else the one that takes most of the time.
  get shown() {
    const time = (node) => number(node, "elapsed_compute");
    return this.nodes[this.chosen] || this.nodes.reduce((most, node) => (time(node) > time(most) ? node : most));
  }

  draw() {
    if (!this.nodes.length) {
      update(this.drawing, h("p", { class: "empty" }, "No plan is known."));
      update(this.detail);
      return;
    }
    const total = this.nodes.reduce((sum, node) => sum + number(node, "elapsed_compute"), 0);
    const { width, height } = layOut(this.nodes);
    const isStaged = new Set(this.nodes.map((node) => node.stage)).size > 1;
    update(this.drawing, s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "tree", "aria-label": "Plan" },
      this.nodes.filter((node) => node.parent !== null).map((node) => edge(node, this.nodes[node.parent])),
      this.nodes.map((node) => this.box(node, total, isStaged))));
    this.drawDetail();
  }

  box(node, total, isStaged) {
    const share = total ? number(node, "elapsed_compute") / total : 0;
    const words = [node.name, ...node.lines].join(", ");
    return s("g", {
      class: node === this.shown ? "node chosen" : "node",
      transform: `translate(${node.x} ${node.y})`,
      tabindex: node === this.shown ? 0 : -1,
      role: "treeitem",
      "aria-selected": node === this.shown,
      "aria-label": words,
      "data-place": node.place,
    },
      s("title", {}, node.detail || node.name),
      s("rect", { class: "box", width: WIDTH, height: node.height, rx: 6 }),
      isStaged && node.stage !== null ? s("rect", { class: `colour-${stageNumber(node.stage)}`, x: 0, y: 8, width: 3, height: node.height - 16 }) : null,
      s("text", { class: "name", x: 12, y: 20 }, short(node.name, 30)),
      node.lines.map((text, line) => s("text", { x: 12, y: 38 + line * 16 }, short(text, 36))),
      s("rect", { class: "share-track", x: 12, y: node.height - 12, width: WIDTH - 24, height: 4, rx: 2 }),
      s("rect", { class: "share", x: 12, y: node.height - 12, width: (WIDTH - 24) * share, height: 4, rx: 2 }));
  }

  drawDetail() {
    const node = this.shown;
    const total = this.nodes.reduce((sum, other) => sum + number(other, "elapsed_compute"), 0);
    const own = number(node, "elapsed_compute");
    const metrics = Object.entries(node.metrics);
    update(this.detail,
      h("h3", {}, node.name, node.stage === null ? null : ` · stage ${node.stage}`, total && own ? ` · ${percent(own / total)} of the time of all operators (${seconds(own / 1e9)})` : null),
      h("p", {}, h("code", {}, node.detail || "")),
      metrics.length
        ? h("dl", { class: "metrics" }, metrics.map(([name, value]) => h("div", {}, h("dt", {}, name.replaceAll("_", " ")), h("dd", {}, metric(value)))))
        : h("p", { class: "empty" }, "It has not counted anything yet."));
  }

  choose(event) {
    const box = event.target.closest("[data-place]");
    if (!box) return;
    this.chosen = Number(box.dataset.place);
    this.draw();
    this.drawing.querySelector(".chosen").focus({ preventScroll: true });
  }

  // Arrows walk along the edges.
  key(event) {
    const node = this.shown;
    const siblings = node.parent === null ? [node] : this.nodes[node.parent].children;
    const place = siblings.indexOf(node);
    const next = {
      ArrowUp: node.parent,
      ArrowDown: node.children[0] && node.children[0].place,
      ArrowRight: siblings[place + 1] && siblings[place + 1].place,
      ArrowLeft: siblings[place - 1] && siblings[place - 1].place,
    }[event.key];
    if (next === undefined || next === null) return;
    event.preventDefault();
    this.chosen = next;
    this.draw();
    this.drawing.querySelector(".chosen").focus();
  }
}

// A tidy tree: children side by side under the middle of their parent.
function layOut(nodes) {
  nodes.forEach((node) => { node.height = 36 + node.lines.length * 16 + 6; });
  let right = 0;
  const place = (node, depth, top) => {
    node.depth = depth;
    node.children.forEach((child) => place(child, depth + 1, top));
    if (node.children.length) {
      const [first, last] = [node.children[0], node.children[node.children.length - 1]];
      node.x = (first.x + last.x) / 2;
    } else {
      node.x = right;
      right += WIDTH + GAP;
    }
  };
  nodes.filter((node) => node.parent === null).forEach((node) => place(node, 0));
  const heights = [];
  for (const node of nodes) heights[node.depth] = Math.max(heights[node.depth] || 0, node.height);
  const tops = heights.map((_, depth) => heights.slice(0, depth).reduce((sum, height) => sum + height + LEVEL, 0));
  for (const node of nodes) {
    node.x += 2;
    node.y = tops[node.depth] + 2;
  }
  return { width: Math.max(right - GAP, WIDTH) + 4, height: heights.reduce((sum, height) => sum + height + LEVEL, 0) - LEVEL + 4 };
}

// The more rows, the wider.
function edge(node, parent) {
  const rows = number(node, "output_rows");
  const [x1, y1] = [node.x + WIDTH / 2, node.y];
  const [x2, y2] = [parent.x + WIDTH / 2, parent.y + parent.height];
  const middle = (y1 + y2) / 2;
  return s("g", {},
    s("path", { class: "edge", d: `M${x1} ${y1}C${x1} ${middle} ${x2} ${middle} ${x2} ${y2}`, "stroke-width": 1.5 + Math.min(6, Math.log10(rows + 1)) }));
}

function lines(node) {
  const found = LINES.map(([name, words]) => (name in node.metrics ? words(number(node, name), node) : null));
  return found.filter(Boolean);
}

function number(node, name) {
  return node.metrics[name] ? node.metrics[name].value : 0;
}

// What a scan says of its chunks stands in its text: `chunks 12 of 96`.
function chunkCounts(node) {
  const found = /chunks (\d+) of (\d+)/.exec(node.detail || "");
  return found && [Number(found[1]), Number(found[2])];
}

function chunkWords(read, node) {
  const counts = chunkCounts(node);
  return counts ? `${shortCount(read)} of ${shortCount(counts[0])} chunks read` : `${shortCount(read)} chunks read`;
}

function prunedWords(node) {
  const counts = chunkCounts(node);
  return counts && `${shortCount(counts[1] - counts[0])} of ${shortCount(counts[1])} chunks pruned`;
}

function short(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
