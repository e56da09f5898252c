// Two runs beside each other: a pair of bars for each operator.

import { h } from "../dom.js";

// A table of pairs. `rows` are { name, note, values: [first, second] }, `format` writes a value with its unit.
export function pairs(rows, format, names) {
  const most = Math.max(...rows.flatMap(({ values }) => values.map((value) => value || 0)), 1e-12);
  const bar = (value, colour) =>
    h("div", { class: "gauge even" },
      h("span", { class: "track" }, h("span", { class: `fill colour-${colour}`, "width%": ((value || 0) / most) * 100 })),
      h("span", {}, format(value)));
  return h("div", { class: "scroll" }, h("table", {},
    h("thead", {}, h("tr", {}, h("th", {}, "Operator"), h("th", {}, names[0]), h("th", {}, names[1]), h("th", { class: "number" }, "Change"))),
    h("tbody", {}, rows.map(({ name, note, values }) => h("tr", {},
      h("td", {}, name, note ? h("small", {}, ` ${note}`) : null),
      h("td", {}, bar(values[0], 1)),
      h("td", {}, bar(values[1], 2)),
      h("td", { class: "number" }, change(values)))))));
}

// How much more or less the second is.
export function change([first, second]) {
  if (!first || second === null || second === undefined) return "–";
  const part = second / first - 1;
  if (Math.abs(part) < 0.005) return "same";
  const text = `${part > 0 ? "+" : "−"}${Math.abs(part * 100).toFixed(Math.abs(part) < 0.1 ? 1 : 0)} %`;
  return h("span", { class: part > 0 ? "worse" : "better" }, text);
}
