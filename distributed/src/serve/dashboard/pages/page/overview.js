// What happens now: figures, their last minutes, the queries, and what was decided about executors.

import { h, update } from "../dom.js";
import { bytes, bytesParts, clock, count, decimal, plural, rate, seconds } from "../format.js";
import { get, listen, show } from "../live.js";
import { LineChart } from "../chart/lines.js";
import { card, figure, head, progressGauge, queryLink, stateWord } from "./parts.js";

const SAMPLES_MAX = 900;

export function overview(main) {
  const parts = Object.fromEntries(["figures", "running", "clusters", "decisions", "recent"].map((name) => [name, h("div", { class: "stack" })]));
  const charts = makeCharts();
  update(main,
    h("div", { class: "head" }, h("h1", {}, "Overview"), h("p", { class: "note", id: "about" })),
    h("div", { class: "stack" },
      parts.figures,
      parts.running,
      h("div", { class: "two" }, charts.map(({ card }) => card)),
      parts.clusters,
      h("div", { class: "two" }, parts.decisions, parts.recent)));
  let series = null;
  let last = null;
  const draw = () => {
    if (!last) return;
    update(main.querySelector("#about"), `Quarray ${last.version}, up ${seconds(last.up_seconds)}, ${plural(last.sessions, "session")}`);
    update(parts.figures, figures(last));
    update(parts.running, running(last));
    update(parts.clusters, clusters(last));
    update(parts.decisions, decisions(last));
    update(parts.recent, recent(last));
  };
  const drawCharts = () => {
    if (!series) return;
    const marks = last ? last.decisions.map(mark).filter(Boolean) : [];
    for (const { chart, isOfExecutors } of charts) chart.set(series, isOfExecutors ? marks : []);
  };
  get("/api/series").then((told) => { series = told; drawCharts(); }).catch((error) => show("lost", error.message));
  const stop = listen("/api/live", {
    overview: (told) => {
      last = told;
      draw();
      if (series && told.sample && told.sample.at !== series.at[series.at.length - 1]) {
        append(series, told.sample);
        drawCharts();
      }
    },
  });
  return () => {
    stop();
    charts.forEach(({ chart }) => chart.end());
  };
}

function append(series, sample) {
  for (const name of Object.keys(series)) {
    series[name].push(sample[name]);
    if (series[name].length > SAMPLES_MAX) series[name].shift();
  }
}

function makeCharts() {
  const cores = (value) => decimal(value, value > 0 && value < 10 ? 1 : 0);
  const kinds = [
    { title: "Processor", unit: "cores at work", series: [{ name: "cpu", label: "at work", colour: 1, isFilled: true }], format: cores, minimum: 1 },
    { title: "Memory", unit: "of this process and its executors", series: [{ name: "memory", label: "in use", colour: 1, isFilled: true }], format: bytes, isBinary: true },
    { title: "Read and decoded", unit: "bytes a second", series: [{ name: "decoded", label: "decoded", colour: 2 }, { name: "read", label: "read", colour: 1 }], format: rate, isBinary: true },
    { title: "Executors", unit: "executors; ▲ more, ▼ fewer", series: [{ name: "desired", label: "desired", colour: 3, steps: true }, { name: "live", label: "live", colour: 1, steps: true, isFilled: true }], format: count, isWhole: true, minimum: 2, isOfExecutors: true },
    { title: "Queue", unit: "partitions that wait for a core", series: [{ name: "waiting", label: "waiting", colour: 4, isFilled: true }], format: count, isWhole: true, minimum: 4 },
    { title: "Cores at tasks", unit: "cores of executors", series: [{ name: "cores", label: "there", colour: 6, steps: true }, { name: "cores_busy", label: "at tasks", colour: 1, steps: true, isFilled: true }], format: count, isWhole: true, minimum: 2 },
  ];
  return kinds.map((kind) => {
    const place = h("div", { "data-keep": true });
    const legend = kind.series.length > 1 ? h("span", { class: "legend" }, kind.series.map(({ label, colour }) => h("span", {}, h("i", { class: `colour-${colour}` }), label))) : null;
    const card = h("section", { class: "card", "data-keep": true, "aria-label": kind.title }, h("div", { class: "top" }, h("h2", {}, kind.title), legend, h("span", { class: "note" }, kind.unit)), place);
    return { card, chart: new LineChart(place, { ...kind, label: kind.title }), isOfExecutors: kind.isOfExecutors };
  });
}

// A triangle on the time line where the number of executors was changed.
function mark(decision) {
  const more = decision.start + decision.resume;
  const fewer = decision.cordon + decision.stop;
  if (!more && !fewer) return null;
  return { at: decision.at, up: more > 0, colour: more > 0 ? 2 : 3, text: decision.reason };
}

function figures({ sample, machine, running_count: runs, clusters, totals }) {
  const now = sample || {};
  const speed = (value) => { const [number, unit] = bytesParts(value); return [number, unit && `${unit}/s`]; };
  const live = clusters.reduce((sum, cluster) => sum + cluster.live, 0);
  const desired = clusters.reduce((sum, cluster) => sum + cluster.desired, 0);
  const waiting = clusters.reduce((sum, cluster) => sum + cluster.waiting, 0);
  return h("dl", { class: "figures" },
    figure("Queries running", count(runs), "", `${count(totals.done)} done, ${count(totals.failed)} failed`),
    figure("Processor", decimal(now.cpu, 1), "cores", `of ${count(machine.cores)} of this machine`),
    figure("Memory", ...bytesParts(now.memory), machine.memory ? `of ${bytes(machine.memory)}` : ""),
    figure("Read", ...speed(now.read), "encoded, from stores"),
    figure("Decoded", ...speed(now.decoded), "cells of arrays"),
    clusters.length
      ? figure("Executors", count(live), live === desired ? "" : `of ${count(desired)}`, `${plural(waiting, "partition")} queued`)
      : figure("Executors", "–", "", "no cluster"));
}

// With users, everyone sees their own queries, administrators those of all; figures are of all for everyone.
function running({ running, running_seen: seen, viewer }) {
  const rows = running.map((query) => h("tr", { "data-key": query.id },
    h("td", { class: "short" }, stateWord(query.state)),
    h("td", { class: "text" }, queryLink(query)),
    h("td", { class: "short" }, query.place),
    h("td", {}, progressGauge(query)),
    h("td", { class: "number" }, seconds(query.seconds)),
    h("td", { class: "number" }, query.eta_seconds === null ? "–" : seconds(query.eta_seconds)),
    h("td", { class: "number" }, bytes(query.read)),
    h("td", { class: "number" }, count(query.rows))));
  const notes = [viewer && `of ${viewer}`, seen > running.length && `the last ${running.length} of ${count(seen)}`];
  return card("Running queries", notes.filter(Boolean).join(", "),
    rows.length
      ? h("div", { class: "scroll" }, h("table", {}, head(["State", "Query", "Runs on", "Progress", "#Time", "#Left", "#Read", "#Rows"]), h("tbody", {}, rows)))
      : h("p", { class: "empty" }, viewer ? "Nothing of yours runs at the moment." : "Nothing runs at the moment."));
}

function clusters({ clusters }) {
  if (!clusters.length) return null;
  const rows = clusters.map((cluster) => h("tr", { "data-key": cluster.name },
    h("td", { class: "short" }, cluster.name),
    h("td", { class: "short" }, cluster.mode),
    h("td", { class: "number" }, count(cluster.desired)),
    h("td", { class: "number" }, count(cluster.live)),
    h("td", { class: "number" }, count(cluster.starting)),
    h("td", { class: "number" }, count(cluster.leaving)),
    h("td", { class: "number" }, `${count(cluster.cores_busy)} of ${count(cluster.cores)}`),
    h("td", { class: "number" }, count(cluster.jobs)),
    h("td", { class: "number" }, count(cluster.waiting))));
  return card("Clusters", null,
    h("div", { class: "scroll" }, h("table", {}, head(["Cluster", "Mode", "#Desired", "#Live", "#Starting", "#Leaving", "#Cores busy", "#Jobs", "#Partitions queued"]), h("tbody", {}, rows))));
}

function decisions({ decisions, clusters }) {
  const items = decisions.map((decision) => h("li", { "data-key": `${decision.cluster} ${decision.at}` },
    h("time", {}, clock(decision.at)),
    h("div", { class: "what" },
      clusters.length > 1 ? `${decision.cluster}: ` : "",
      h("span", { class: mark(decision) ? "change" : "" }, decision.reason),
      decision.rounds > 1 ? h("small", {}, ` until ${clock(decision.until)}`) : null)));
  return card("Scaling decisions", "the latest first",
    items.length ? h("div", { class: "long" }, h("ol", { class: "events" }, items)) : h("p", { class: "empty" }, "No cluster has been decided about."));
}

function recent({ recent }) {
  const rows = recent.map((query) => h("tr", { "data-key": query.id },
    h("td", { class: "short" }, stateWord(query.state)),
    h("td", { class: "text" }, queryLink(query)),
    h("td", { class: "number" }, seconds(query.seconds))));
  return h("section", { class: "card", "aria-label": "Last queries" },
    h("div", { class: "top" }, h("h2", {}, "Last queries"), h("a", { class: "note", href: "/history" }, "History")),
    rows.length ? h("div", { class: "scroll" }, h("table", {}, head(["State", "Query", "#Time"]), h("tbody", {}, rows))) : h("p", { class: "empty" }, "No query has ended yet."));
}
