// The executors of all clusters, and this process beside them.

import { h, update } from "../dom.js";
import { bytes, count, decimal, plural, seconds } from "../format.js";
import { every, get, show } from "../live.js";
import { card, head, stateWord, useGauge } from "./parts.js";

// Cores that are drawn one by one.
const SLOTS_MAX = 32;

export function executors(main) {
  const place = h("div", { class: "stack" });
  update(main, h("div", { class: "head" }, h("h1", {}, "Executors")), place);
  const look = () => get("/api/executors").then((told) => {
    show("live", "live");
    update(place, own(told.process), table(told.executors));
  }).catch((error) => show("lost", error.message));
  look();
  return every(1000, look);
}

function own(process) {
  return card("This process", "sessions, planning, and queries that run on no cluster", h("div", { class: "scroll" }, h("table", {},
    head(["Process", "Processor", "Memory", "#Up"]),
    h("tbody", {}, h("tr", {},
      h("td", { class: "short" }, String(process.process)),
      h("td", {}, process.cpu === null ? "–" : useGauge(process.cpu, process.cores, `${decimal(process.cpu)} of ${plural(process.cores, "core")}`)),
      h("td", {}, process.memory === null ? "–" : useGauge(process.memory, process.memory_limit, memory(process), { isScarce: true })),
      h("td", { class: "number" }, seconds(process.seconds)))))));
}

function table(executors) {
  const rows = executors.map((executor) => h("tr", { "data-key": `${executor.cluster} ${executor.id}` },
    h("td", { class: "short" }, executor.cluster),
    h("td", { class: "short" }, executor.id),
    h("td", { class: "short" }, stateWord(executor.state)),
    h("td", { class: "short" }, slots(executor), ` ${count(executor.cores - executor.free)} of ${count(executor.cores)}`),
    h("td", {}, executor.cpu === null ? "–" : useGauge(executor.cpu, executor.cores, `${decimal(executor.cpu)} cores`)),
    h("td", {}, executor.memory === null ? "–" : useGauge(executor.memory, executor.memory_limit, memory(executor), { isScarce: true })),
    h("td", { class: "number" }, seconds(executor.cpu_seconds)),
    h("td", { class: "number" }, executor.process === null ? "–" : String(executor.process)),
    h("td", { class: "number" }, seconds(executor.seconds))));
  return card("Executors", plural(executors.length, "executor"), rows.length
    ? h("div", { class: "scroll" }, h("table", {}, head(["Cluster", "Executor", "State", "Cores at tasks", "Processor", "Memory", "#Processor time", "#Process", "#Up"]), h("tbody", {}, rows)))
    : h("p", { class: "empty" }, "There is no executor. CREATE CLUSTER makes a cluster of them."));
}

function slots({ cores, free }) {
  if (cores > SLOTS_MAX) return null;
  const busy = cores - free;
  return h("span", { class: "slots", "aria-hidden": "true" }, Array.from({ length: cores }, (_, core) => h("span", { class: core < busy ? "slot on" : "slot" })));
}

function memory({ memory, memory_limit: limit }) {
  return limit ? `${bytes(memory)} of ${bytes(limit)}` : bytes(memory);
}
