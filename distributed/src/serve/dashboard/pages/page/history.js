// The queries that have ended: searched, and two of them chosen to be compared.

import { h, update } from "../dom.js";
import { bytes, count, moment, seconds } from "../format.js";
import { every, get, show } from "../live.js";
import { card, head, queryLink, stateWord } from "./parts.js";

const STATES = ["", "done", "failed", "cancelled"];

export function history(main, { search, go }) {
  const asked = { text: search.get("text") || "", state: search.get("state") || "" };
  const chosen = new Set();
  let last = null;
  const place = h("div", { class: "stack" });
  const form = h("form", { class: "form", role: "search", "data-keep": true },
    h("label", {}, "Text ", h("input", { type: "search", name: "text", value: asked.text, placeholder: "part of a query" })),
    h("label", {}, "State ", h("select", { name: "state" }, STATES.map((state) => h("option", { value: state, selected: state === asked.state }, state || "all")))),
    h("button", { type: "button", id: "compare", disabled: true }, "Compare two"));
  update(main, h("div", { class: "head" }, h("h1", {}, "History")), form, place);
  const draw = () => {
    if (last) update(place, table(last, chosen));
    form.querySelector("#compare").disabled = chosen.size !== 2;
  };
  const look = () => {
    const address = new URLSearchParams(Object.entries(asked).filter(([, value]) => value));
    return get(`/api/history?${address}`).then((told) => {
      show("live", "live");
      last = told;
      draw();
    }).catch((error) => show("lost", error.message));
  };
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
    asked.text = form.elements.text.value;
    asked.state = form.elements.state.value;
    const address = new URLSearchParams(Object.entries(asked).filter(([, value]) => value)).toString();
    go(address ? `/history?${address}` : "/history", { replace: true });
    look();
  });
  form.querySelector("#compare").addEventListener("click", () => {
    const [second, first] = [...chosen].sort().reverse();
    go(`/compare?a=${encodeURIComponent(first)}&b=${encodeURIComponent(second)}`);
  });
  const choose = (event) => {
    const box = event.target.closest("input[type=checkbox]");
    if (!box) return;
    if (box.checked) chosen.add(box.value);
    else chosen.delete(box.value);
    draw();
  };
  place.addEventListener("change", choose);
  look();
  return every(3000, look);
}

function table({ found, queries }, chosen) {
  const rows = queries.map((query) => h("tr", { "data-key": query.id },
    h("td", {}, h("input", { type: "checkbox", value: query.id, "aria-label": `Compare query ${query.id}`, disabled: chosen.size >= 2 && !chosen.has(query.id) })),
    h("td", { class: "short" }, stateWord(query.state)),
    h("td", { class: "short" }, moment(query.started)),
    h("td", { class: "text" }, queryLink(query)),
    h("td", { class: "short" }, query.place),
    h("td", { class: "number" }, seconds(query.seconds)),
    h("td", { class: "number" }, count(query.rows)),
    h("td", { class: "number" }, bytes(query.read)),
    h("td", { class: "number" }, bytes(query.decoded))));
  return card("Queries that have ended", found > queries.length ? `the last ${count(queries.length)} of ${count(found)}` : `${count(found)} found`,
    rows.length
      ? h("div", { class: "scroll" }, h("table", {}, head(["", "State", "Started", "Query", "Ran on", "#Time", "#Rows", "#Read", "#Decoded"]), h("tbody", {}, rows)))
      : h("p", { class: "empty" }, "No query was found."));
}
