// Two runs side by side: their figures, and what each operator took.

import { h, update } from "../dom.js";
import { bytes, count, moment, seconds } from "../format.js";
import { get, show } from "../live.js";
import { change, pairs } from "../chart/bars.js";
import { card, head, stateWord } from "./parts.js";

export function compare(main, { search }) {
  const ids = [search.get("a"), search.get("b")];
  update(main, h("div", { class: "head" }, h("h1", {}, "Two runs")), h("p", { class: "empty" }, "Loading."));
  Promise.all(ids.map((id) => get(`/api/queries/${encodeURIComponent(id || "")}`))).then((runs) => {
    show("live", "live");
    update(main,
      h("div", { class: "head" }, h("h1", {}, "Two runs"), h("a", { href: "/history" }, "History")),
      h("div", { class: "stack" },
        h("div", { class: "two" }, runs.map((run, place) => text(run.query, place))),
        figures(runs.map((run) => run.query)),
        operators(runs)));
  }).catch((error) => update(main, h("div", { class: "head" }, h("h1", {}, "Two runs")), h("p", { class: "empty" }, error.message)));
}

function text(query, place) {
  return h("section", { class: "card" },
    h("div", { class: "top" }, h("h2", {}, h("a", { href: `/query/${encodeURIComponent(query.id)}` }, place ? "Second: " : "First: ", query.id)), stateWord(query.state), h("span", { class: "note" }, moment(query.started))),
    h("pre", { class: "statement", tabindex: 0 }, query.text));
}

function figures([first, second]) {
  const rows = [
    ["Time", (query) => query.seconds, seconds],
    ["Read", (query) => query.read, bytes],
    ["Decoded", (query) => query.decoded, bytes],
    ["Rows given", (query) => query.rows, count],
    ["Bytes given", (query) => query.bytes, bytes],
    ["Tasks done", (query) => (query.tasks ? query.tasks.done : null), count],
    ["Retries", (query) => (query.tasks ? query.tasks.retries : null), count],
  ];
  return card("Figures", null, h("div", { class: "scroll" }, h("table", {},
    head(["", "#First", "#Second", "#Change"]),
    h("tbody", {}, h("tr", {}, h("td", {}, "Ran on"), h("td", { class: "number" }, first.place), h("td", { class: "number" }, second.place), h("td", {})),
      rows.map(([name, of, format]) => h("tr", {},
        h("td", {}, name),
        h("td", { class: "number" }, format(of(first))),
        h("td", { class: "number" }, format(of(second))),
        h("td", { class: "number" }, change([of(first), of(second)]))))))));
}

function operators(runs) {
  const rows = matched(...runs.map((run) => run.plan || []));
  if (!rows.length) return card("Operators", null, h("p", { class: "empty" }, "No plan is known."));
  const of = (name, scale) => rows.filter((row) => row.nodes.some((node) => node && node.metrics[name])).map(({ name: operator, note, nodes }) => ({
    name: operator,
    note,
    values: nodes.map((node) => (node && node.metrics[name] ? node.metrics[name].value / scale : null)),
  }));
  const names = ["First", "Second"];
  return [
    card("Time of operators", "of all threads together", pairs(of("elapsed_compute", 1e9), seconds, names)),
    card("Rows of operators", null, pairs(of("output_rows", 1), count, names)),
  ];
}

// Operators of the same name, in the order in which they come, are the same.
function matched(first, second) {
  const left = second.map((node) => node);
  const rows = first.map((node) => {
    const place = left.findIndex((other) => other && other.name === node.name);
    const other = place < 0 ? null : left[place];
    if (place >= 0) left[place] = null;
    return { name: node.name, note: other ? "" : "(first only)", nodes: [node, other] };
  });
  const rest = left.filter(Boolean).map((node) => ({ name: node.name, note: "(second only)", nodes: [null, node] }));
  return [...rows, ...rest];
}
