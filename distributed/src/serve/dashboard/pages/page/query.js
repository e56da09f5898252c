// One query: its text, how far it is, its tasks as they run, its plan, and the chunks that it reads.

import { h, update } from "../dom.js";
import { bytes, bytesParts, clock, count, moment, percent, plural, seconds } from "../format.js";
import { get, listen, show } from "../live.js";
import { ChunkChart, wordsOf } from "../chart/chunks.js";
import { LaneChart } from "../chart/lanes.js";
import { PlanChart } from "../chart/plan.js";
import { stageNumber } from "../theme.js";
import { card, figure, head, stateWord } from "./parts.js";

export function query(main, { id }) {
  const part = () => h("div", { "data-keep": true });
  const parts = { top: part(), figures: part(), stages: part(), incidents: part(), lanes: part(), plan: part(), maps: h("div", { class: "maps", "data-keep": true }), chunkCard: part(), taskCard: part() };
  const lanes = new LaneChart(parts.lanes);
  const plan = new PlanChart(parts.plan);
  const maps = new Map();
  update(main, h("div", { class: "stack" },
    parts.top,
    parts.figures,
    h("section", { class: "card", "aria-label": "Task stream", hidden: true, id: "tasks" },
      h("div", { class: "top" }, h("h2", {}, "Task stream"), h("span", { class: "legend", id: "legend" }), h("span", { class: "note", id: "grain" })),
      parts.lanes, parts.stages),
    parts.incidents,
    h("section", { class: "card", "aria-label": "Plan", hidden: true, id: "plan" },
      h("div", { class: "top" }, h("h2", {}, "Plan"), h("span", { class: "note" }, "rows flow upwards; bars show each operator's share of the time")),
      parts.plan),
    h("section", { class: "card", "aria-label": "Chunks read", hidden: true, id: "chunks" },
      h("div", { class: "top" }, h("h2", {}, "Chunks read"),
        h("span", { class: "legend" }, h("span", {}, h("i", { class: "colour-1" }), "read"), h("span", {}, h("i", { class: "to-read" }), "to be read"), h("span", {}, h("i", { class: "pruned" }), "pruned"))),
      parts.maps)));
  const draw = (told) => {
    document.title = `${told.query.state} · Quarray`;
    update(parts.top, top(told.query));
    update(parts.figures, figures(told.query, told.tasks));
    if (told.tasks) drawTasks(main, parts, lanes, told);
    reveal(main, "plan", told.plan && told.plan.length);
    if (told.plan) plan.set(told.plan);
    drawMaps(main, parts, maps, told.chunks || []);
  };
  const act = async (event) => {
    if (!event.target.closest("[data-action=cancel]")) return;
    event.target.disabled = true;
    const answer = await fetch(`/api/queries/${encodeURIComponent(id)}/cancel`, { method: "POST" });
    if (!answer.ok) event.target.disabled = false;
  };
  main.addEventListener("click", act);
  const stop = follow(id, draw, (error) => update(main, h("p", { class: "empty" }, error.message)));
  return () => {
    stop();
    lanes.end();
    maps.forEach((map) => map.end());
    main.removeEventListener("click", act);
  };
}

// The stream of a query until its end; a query that has ended is told once.
function follow(id, draw, fail) {
  const path = `/api/queries/${encodeURIComponent(id)}`;
  let stop = () => {};
  let isLeft = false;
  get(path).then((told) => {
    if (isLeft) return;
    if (told.query.is_over) {
      draw(told);
      show("live", "ended");
      return;
    }
    stop = listen(`${path}/live`, {
      query: draw,
      end: (last, source) => {
        source.close();
        draw(last);
        show("live", "ended");
      },
    });
  }).catch(fail);
  return () => {
    isLeft = true;
    stop();
  };
}

function top(query) {
  return [
    h("div", { class: "head" }, h("h1", {}, "Query ", query.id), stateWord(query.state), h("span", { class: "note" }),
      query.is_over ? null : h("button", { class: "danger", type: "button", "data-action": "cancel" }, "Cancel query")),
    h("div", { class: "card" },
      h("pre", { class: "statement", tabindex: 0, "aria-label": "Text of the query" }, query.text),
      h("dl", { class: "facts" }, facts(query).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
      h("div", { class: "progress" }, progress(query)),
      query.error ? h("p", { class: "problem", role: "alert" }, query.error) : null),
  ];
}

function facts(query) {
  const found = [["Runs on", query.place], ["Started", moment(query.started)]];
  if (query.user) found.push(["User", query.user]);
  if (query.jobs.length) found.push([query.jobs.length > 1 ? "Jobs" : "Job", query.jobs.join(", ")]);
  return found;
}

function progress({ fraction, eta_seconds: left, is_over: isOver, state }) {
  const isKnown = typeof fraction === "number";
  const words = isKnown ? `${percent(fraction)} of the work` : isOver ? state : "How much work there is, is not known yet";
  return [
    h("div", { class: "track", role: "progressbar", "aria-label": "Progress", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": isKnown ? Math.round(fraction * 100) : null },
      isKnown ? h("span", { class: "fill", "width%": fraction * 100 }) : h("span", { class: isOver ? "" : "fill unknown" })),
    h("small", {}, words, left === null || left === undefined ? "" : `, about ${seconds(left)} left`),
  ];
}

function figures(query, tasks) {
  const counts = tasks ? tasks.counts : null;
  const speed = query.seconds > 0.05 ? `${bytes(query.decoded / query.seconds)}/s` : "";
  return h("dl", { class: "figures" },
    figure("Time", ...timeParts(query.seconds), query.is_over ? "until its last row" : "so far"),
    figure("Rows given", count(query.rows), "", bytes(query.bytes)),
    figure("Read", ...bytesParts(query.read), "encoded, from stores"),
    figure("Decoded", ...bytesParts(query.decoded), speed),
    figure("Tasks done", counts ? count(counts.done) : "–", "", counts ? `${count(counts.running)} running` : ""),
    figure("Retries", counts ? count(counts.retries) : "–", "", counts ? `${plural(counts.failed, "task")} failed` : ""));
}

// 12.3 s as number and unit; longer times are in one piece.
function timeParts(value) {
  const parts = seconds(value).split("\u00a0");
  return parts.length === 2 && !parts[1].includes(" ") ? parts : [parts.join("\u00a0"), ""];
}

function drawTasks(main, parts, lanes, { query, tasks }) {
  reveal(main, "tasks", tasks.lanes.length);
  if (!tasks.lanes.length) return;
  lanes.add(tasks, query.seconds * 1000, query.is_over);
  const stages = [...new Set(tasks.stages.filter((stage) => stage.done + stage.running + stage.failed).map((stage) => stage.stage))];
  update(main.querySelector("#legend"),
    stages.slice(0, 6).map((stage) => h("span", {}, h("i", { class: `colour-${stageNumber(stage)}` }), `stage ${stage}`)),
    tasks.counts.failed ? h("span", {}, h("i", { class: "colour-bad" }), "failed") : null);
  update(main.querySelector("#grain"), tasks.grain_ms ? `tasks below ${seconds(tasks.grain_ms / 1000)} are drawn together` : "one bar a task");
  update(parts.stages, stageTable(tasks.stages));
  update(parts.incidents, incidents(tasks.incidents, query));
}

function stageTable(stages) {
  const several = new Set(stages.map((stage) => stage.job)).size > 1;
  const time = (milliseconds) => (milliseconds === null ? "–" : seconds(milliseconds / 1000));
  return h("div", { class: "scroll" }, h("table", {},
    head(["Stage", "#Partitions", "#Queued", "#Tasks running", "#Tasks done", "#Failed", "#Shortest", "#Mean", "#Longest"]),
    h("tbody", {}, stages.map((stage) => h("tr", {},
      h("td", { class: "short" }, several ? `job ${stage.job + 1}, stage ${stage.stage}` : `stage ${stage.stage}`),
      [stage.partitions, stage.waiting, stage.running, stage.done, stage.failed].map((value) => h("td", { class: "number" }, count(value))),
      [stage.shortest_ms, stage.mean_ms, stage.longest_ms].map((value) => h("td", { class: "number" }, time(value))))))));
}

function incidents(all, query) {
  if (!all.length) return null;
  const items = [...all].reverse().map((incident) => h("li", {},
    h("time", {}, clock(query.started + incident.at)),
    h("div", { class: "what" }, [incident.stage ? `stage ${incident.stage}` : "", incident.executor].filter(Boolean).join(" on "), ": ", incident.cause)));
  return card("Retries and errors", "the latest first", h("div", { class: "long" }, h("ol", { class: "events" }, items)));
}

function drawMaps(main, parts, maps, chunks) {
  reveal(main, "chunks", chunks.length);
  chunks.forEach((map, place) => {
    if (!maps.has(place)) {
      const drawing = h("div");
      const words = h("p", { class: "note" });
      const chart = new ChunkChart(drawing);
      parts.maps.append(h("figure", {}, h("h3", {}, map.variable), drawing, words));
      maps.set(place, { chart, words, end: () => chart.end() });
    }
    const { chart, words } = maps.get(place);
    chart.set(map);
    update(words, wordsOf(map));
  });
}

function reveal(main, id, is) {
  const element = main.querySelector(`#${id}`);
  if (element) element.hidden = !is;
}
