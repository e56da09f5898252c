// The pages by their paths. A page is a function of the element it is made in and of its address; it gives a function that
// ends it.

import { compare } from "./page/compare.js";
import { executors } from "./page/executors.js";
import { history } from "./page/history.js";
import { overview } from "./page/overview.js";
import { query } from "./page/query.js";
import { h, update } from "./dom.js";
import { startTheme } from "./theme.js";

const PAGES = [
  [/^\/$/, "Overview", overview],
  [/^\/query\/([^/]+)$/, "Query", query],
  [/^\/executors$/, "Executors", executors],
  [/^\/history$/, "History", history],
  [/^\/compare$/, "Compare", compare],
];

const main = document.getElementById("main");
let end = () => {};

function open() {
  end();
  end = () => {};
  const path = location.pathname;
  main.replaceChildren();
  for (const [pattern, title, page] of PAGES) {
    const found = pattern.exec(path);
    if (!found) continue;
    document.title = `${title} · Quarray`;
    end = page(main, { id: found[1] && decodeURIComponent(found[1]), search: new URLSearchParams(location.search), go }) || end;
    mark(path);
    return;
  }
  update(main, h("p", { class: "empty" }, "There is no such page."));
}

function go(path, { replace = false } = {}) {
  if (replace) window.history.replaceState(null, "", path);
  else {
    window.history.pushState(null, "", path);
    open();
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
}

function mark(path) {
  for (const link of document.querySelectorAll(".bar nav a")) {
    const target = link.getAttribute("href");
    const isHere = target === "/" ? path === "/" : path.startsWith(target) || (path === "/compare" && target === "/history");
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='/']");
  if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  go(link.getAttribute("href"));
});
addEventListener("popstate", open);
startTheme(document.getElementById("theme"), () => dispatchEvent(new Event("theme")));
open();
