// Drives the pages of the dashboard in a real browser: while a query runs and after it, in light and in dark.
//
// node dashboard.mjs PROGRAM BROWSER MODULES FOLDER PICTURES

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";
import readline from "node:readline";
import { DAYS, writeStore } from "./store.mjs";

const [program, browserProgram, modules, folder, pictures] = process.argv.slice(2);
const { chromium } = createRequire(path.join(modules, "x"))("playwright-core");
const PATIENCE = 60000;
// Seconds that the slow query takes, whatever the build and the machine: long enough to look at all pages.
const SLOW_SECONDS = 12;
const FACTOR_MAX = 100;
const reduced = (store, spread) => `FROM '${store}' |> REDUCE avg(warmth) AS middle, ${spread}(warmth) AS spread, max(warmth) AS most ALONG y, x`;
const dayAfter = (days) => new Date(Date.UTC(1980, 0, 1 + days)).toISOString().slice(0, 10);
const part = (store, days) => `SELECT avg(warmth) AS mean FROM '${store}' WHERE time < DATE '${dayAfter(days)}'`;
const ENDLESS = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.value * b.value = -1";
const children = [];

async function main() {
  const server = await serve(["--executors", "2", "--threads", "2"]);
  await prepare(server);
  const browser = await chromium.launch({ executablePath: browserProgram, args: ["--no-sandbox"] });
  try {
    for (const scheme of ["light", "dark"]) await drive(browser, server, scheme);
    await phones(browser, server);
  } finally {
    await browser.close();
    server.child.kill("SIGTERM");
  }
}

// Measures a small store, and makes one that takes long enough.
async function prepare(server) {
  server.small = writeStore(folder, DAYS);
  await run(server, "USE CLUSTER session", reduced(server.small, "var"));
  const told = await (await fetch(`${server.link}api/history?text=REDUCE`)).json();
  const factor = Math.min(FACTOR_MAX, Math.max(1, Math.ceil(SLOW_SECONDS / told.queries[0].seconds)));
  server.days = DAYS * factor + (factor === 1 ? 40 : 0);
  server.large = writeStore(folder, server.days);
  console.log(`${told.queries[0].seconds.toFixed(2)} s for ${DAYS} days: ${factor} times as many`);
}

// One round through all pages.
async function drive(browser, server, scheme) {
  const context = await browser.newContext({ colorScheme: scheme, viewport: { width: 1280, height: 860 } });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const trouble = watchFor(page, server.link);
  const shoot = async (name) => {
    await page.screenshot({ path: path.join(pictures, `${name}-${scheme}.png`), fullPage: true });
    await nothingIsCut(page, name);
  };
  await page.goto(server.link);
  await page.waitForSelector(".connection.live");
  const client = run(server, "USE CLUSTER session", reduced(server.large, "stddev"));
  await overviewDuring(page, shoot);
  await queryDuring(page, shoot);
  await executorsDuring(page, shoot);
  await client;
  await afterwards(page, shoot, server);
  await local(page, shoot, server);
  await cancelling(page, server);
  await keys(page, server);
  await themes(page, scheme);
  assert.deepEqual(trouble, []);
  await context.close();
  console.log(`${scheme}: all pages`);
}

async function overviewDuring(page, shoot) {
  await page.waitForSelector("td.text a:has-text('stddev')");
  await page.waitForFunction(() => document.querySelector("section[aria-label='Running queries'] .state.running"));
  const labels = await page.$$eval(".chart svg text", (texts) => texts.map((text) => text.textContent));
  for (const unit of [/\s(B|[KMG]iB)\/s$/, /[KMG]iB$/, /\d\d:\d\d:\d\d/]) assert(labels.some((label) => unit.test(label)), `${unit} in ${labels}`);
  const figures = await page.$$eval(".figure dt", (names) => names.map((name) => name.textContent));
  assert.deepEqual(figures, ["Queries running", "Processor", "Memory", "Read", "Decoded", "Executors"]);
  assert.match(await page.textContent("section[aria-label='Clusters']"), /session.*2 executors/s);
  await shoot("overview-running");
}

async function queryDuring(page, shoot) {
  await page.click("section[aria-label='Running queries'] td.text a:has-text('stddev')");
  await page.waitForSelector(".head .state.running");
  await page.waitForFunction(() => /[1-9]\d* running/.test(document.querySelector("#tasks canvas")?.getAttribute("aria-label") || ""));
  // It goes on by itself: tasks end, and the bar grows.
  const done = () => page.$eval(".progress [role=progressbar]", (bar) => Number(bar.getAttribute("aria-valuenow")));
  await page.waitForFunction(() => Number(document.querySelector(".progress [role=progressbar]")?.getAttribute("aria-valuenow")) > 0);
  const before = await done();
  await page.waitForFunction((before) => Number(document.querySelector(".progress [role=progressbar]")?.getAttribute("aria-valuenow")) > before || document.querySelector(".head .state.done"), before);
  assert((await page.$$(".plan .node")).length >= 3);
  await page.waitForFunction(() => /[1-9][\d,]* of [\d,]+ chunks read/.test(document.querySelector("#chunks")?.textContent || ""));
  await shoot("query-running");
}

async function executorsDuring(page, shoot) {
  await page.click("nav >> text=Executors");
  await page.waitForFunction(() => document.querySelectorAll("section[aria-label='Executors'] tbody tr").length === 2);
  await page.waitForFunction(() => /MiB of/.test(document.querySelector("section[aria-label='Executors']").textContent));
  await shoot("executors");
}

async function afterwards(page, shoot, server) {
  await run(server, "USE CLUSTER session", part(server.small, 400));
  await page.click("nav >> text=History");
  await page.waitForSelector("td.text a:has-text('stddev')");
  await shoot("history");
  await page.fill("input[type=search]", "AS mean");
  await page.waitForFunction(() => ![...document.querySelectorAll("td.text a")].some((link) => link.textContent.includes("stddev")));
  assert.match(page.url(), /text=AS\+mean/);
  await page.fill("input[type=search]", "");
  await page.waitForSelector("td.text a:has-text('stddev')");
  await page.click("td.text a:has-text('stddev')");
  await page.waitForSelector(".head .state.done");
  await page.waitForFunction(() => document.querySelector(".progress").textContent.includes("100"));
  assert.match(await page.getAttribute("#tasks canvas", "aria-label"), /[1-9]\d* tasks ended, 0 running/);
  assert.match(await page.textContent("#plan"), /BlockReadExec/);
  await page.waitForFunction(() => document.querySelector("#connection").textContent === "ended");
  await shoot("query-done");
  await page.goBack();
  await page.waitForSelector("input[type=checkbox]");
  await page.locator("tr:has-text('stddev') input[type=checkbox]").first().check();
  await page.locator("tr:has-text('AS mean') input[type=checkbox]").first().check();
  await page.click("#compare");
  await page.waitForSelector("section[aria-label='Time of operators'], section[aria-label='Rows of operators']");
  await shoot("compare");
}

// A query in the server's own process: partitions are its tasks, and chunks that the predicate rules out are pruned.
async function local(page, shoot, server) {
  await run(server, "USE LOCAL", part(server.large, Math.round(server.days * 0.2)));
  await page.click("nav >> text=History");
  await page.locator("tr:has-text('AS mean'):has-text('this process') td.text a").first().click();
  await page.waitForSelector(".head .state.done");
  await page.waitForFunction(() => /pruned \([1-9]/.test(document.querySelector("#chunks")?.textContent || ""));
  assert.match(await page.textContent(".plan"), /chunks pruned/);
  await shoot("query-local");
}

async function cancelling(page, server) {
  const client = run(server, "USE LOCAL", ENDLESS).catch((error) => error);
  await page.click("nav >> text=Overview");
  await page.click("section[aria-label='Running queries'] td.text a:has-text('a.value')");
  await page.click("text=Cancel query");
  await page.waitForSelector(".head .state.cancelled");
  assert.match(String(await client), /cancel/i);
}

// Without a mouse.
async function keys(page, server) {
  await page.goto(`${server.link}history`);
  await page.waitForSelector("td.text a");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to content");
  await page.keyboard.press("Enter");
  await page.click("td.text a:has-text('stddev')");
  await page.waitForSelector(".plan .node");
  await page.focus("#tasks canvas");
  await page.keyboard.press("ArrowRight");
  assert.match(await page.textContent("#tasks .tip"), /core \d+[^]*stage \d+/);
  const chosen = () => page.$eval(".plan .node.chosen", (node) => node.dataset.place);
  await page.focus(".plan .node.chosen");
  const before = await chosen();
  await page.keyboard.press(before === "0" ? "ArrowDown" : "ArrowUp");
  assert.notEqual(await chosen(), before);
}

async function themes(page, scheme) {
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  assert.equal(await theme(), scheme);
  const other = scheme === "light" ? "dark" : "light";
  await page.selectOption("#theme", other);
  assert.equal(await theme(), other);
  await page.reload();
  assert.equal(await theme(), other);
  await page.selectOption("#theme", "auto");
  assert.equal(await theme(), scheme);
}

// On a narrow screen nothing but tables and plans scrolls sideways.
async function phones(browser, server) {
  const page = await browser.newPage({ viewport: { width: 390, height: 800 } });
  page.setDefaultTimeout(PATIENCE);
  for (const address of ["", "executors", "history"]) {
    await page.goto(server.link + address);
    await page.waitForSelector(".card");
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, address);
    await page.screenshot({ path: path.join(pictures, `narrow-${address || "overview"}.png`), fullPage: true });
  }
  await page.close();
}

// Errors of the pages, and requests to anyone else.
function watchFor(page, link) {
  const trouble = [];
  page.on("pageerror", (error) => trouble.push(error.message));
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && trouble.push(message.text()));
  page.on("request", (request) => request.url().startsWith(link) || trouble.push(request.url()));
  return trouble;
}

// No text runs out of what it stands in, unless that scrolls.
async function nothingIsCut(page, name) {
  const cut = await page.evaluate(() => {
    const found = [];
    for (const element of document.querySelectorAll("main *, header *")) {
      if (element.closest("svg")) continue;
      const { overflowX, display } = getComputedStyle(element);
      if (display === "inline" || ["auto", "scroll"].includes(overflowX) || element.closest("[hidden]")) continue;
      if (element.scrollWidth > element.clientWidth + 1) found.push(`${element.tagName}.${element.className}: ${element.textContent.slice(0, 60)}`);
    }
    for (const text of document.querySelectorAll("main svg text")) {
      const [inner, outer] = [text.getBoundingClientRect(), text.closest("svg").getBoundingClientRect()];
      const box = text.closest(".node")?.querySelector(".box").getBoundingClientRect() || outer;
      if (inner.width && (inner.left < box.left - 1 || inner.right > box.right + 1 || inner.bottom > outer.bottom + 1)) found.push(`text: ${text.textContent}`);
      if (text.closest(".node") && text.textContent.endsWith("…")) found.push(`cut: ${text.textContent}`);
    }
    return found;
  });
  assert.deepEqual(cut, [], name);
}

// Runs statements in the server; fails with what the client says.
function run(server, ...statements) {
  const child = spawn(program, ["--connect", server.address, ...statements.flatMap((text) => ["-c", text])], { stdio: ["ignore", "ignore", "pipe"] });
  children.push(child);
  let words = "";
  child.stderr.on("data", (text) => { words += text; });
  return new Promise((resolve, reject) => {
    child.on("close", (status) => (status === 0 ? resolve() : reject(new Error(`${statements}: ${words}`))));
  });
}

async function serve(options) {
  const child = spawn(program, ["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--root", folder, ...options], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const server = { child };
  for await (const line of readline.createInterface({ input: child.stdout })) {
    const [what, address] = line.split(" ");
    if (what === "flight-sql") server.address = address;
    if (what === "dashboard") server.link = address;
    if (server.address && server.link) return server;
  }
  throw new Error("the server has ended");
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
}).finally(() => children.forEach((child) => child.kill()));
