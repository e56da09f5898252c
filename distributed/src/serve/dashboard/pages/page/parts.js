// Small parts that several pages have.

import { h } from "../dom.js";
import { percent } from "../format.js";

export function stateWord(state) {
  return h("span", { class: `state ${state.replaceAll(" ", "-")}` }, state);
}

export function queryLink({ id, text }) {
  return h("a", { href: `/query/${encodeURIComponent(id)}`, title: text }, oneLine(text, 160));
}

export function oneLine(text, most) {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}

// A bar of how much is done, with a number; without one where nobody knows.
export function progressGauge({ fraction, is_over: isOver }) {
  const isKnown = typeof fraction === "number";
  return h("div", { class: "gauge" },
    h("span", { class: "track", role: "progressbar", "aria-label": "Progress", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": isKnown ? Math.round(fraction * 100) : null },
      isKnown ? h("span", { class: "fill", "width%": fraction * 100 }) : h("span", { class: isOver ? "" : "fill unknown" })),
    h("span", {}, isKnown ? percent(fraction) : isOver ? "–" : "unknown"));
}

// A bar of how much of something is used.
export function useGauge(used, all, text, { isScarce = false } = {}) {
  const part = all ? Math.min(1, used / all) : 0;
  return h("div", { class: "gauge" },
    h("span", { class: "track" }, h("span", { class: isScarce && part > 0.85 ? "fill high" : "fill", "width%": part * 100 })),
    h("span", {}, text));
}

export function head(names) {
  return h("thead", {}, h("tr", {}, names.map((name) => (name.startsWith("#") ? h("th", { class: "number" }, name.slice(1)) : h("th", {}, name)))));
}

export function card(title, note, ...children) {
  return h("section", { class: "card", "aria-label": title }, h("div", { class: "top" }, h("h2", {}, title), note ? h("span", { class: "note" }, note) : null), children);
}

export function figure(name, value, unit, note) {
  return h("div", { class: "figure" }, h("dt", {}, name), h("dd", {}, value, unit ? h("small", {}, unit) : null), h("small", { class: "note" }, note || ""));
}
