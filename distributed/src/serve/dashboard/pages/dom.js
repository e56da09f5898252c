// Elements, and bringing a page up to date without touching what stays the same.

const SVG = "http://www.w3.org/2000/svg";

// An element: h("td", { class: "number" }, "12"). Children may be lists, texts, numbers, or nothing.
export function h(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

// An element of a drawing.
export function s(name, attributes, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    // Widths are set as properties: the page's policy allows no style attributes.
    if (name === "width%") element.style.width = `${value}%`;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(element, child);
    else element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

// Makes the children of an element like these, keeping the elements that are there: focus, scroll places and canvases
// stay. An element with `data-keep` is somebody else's once it is there.
export function update(element, ...children) {
  const wanted = document.createElement("div");
  append(wanted, children);
  patchChildren(element, wanted);
}

function patchChildren(old, wanted) {
  const news = [...wanted.childNodes];
  news.forEach((next, place) => {
    const before = old.childNodes[place];
    if (!before) old.append(next);
    else if (!isAlike(before, next)) old.replaceChild(next, before);
    else patch(before, next);
  });
  while (old.childNodes.length > news.length) old.lastChild.remove();
}

function isAlike(one, other) {
  if (one.nodeType !== other.nodeType || one.nodeName !== other.nodeName) return false;
  return one.nodeType !== Node.ELEMENT_NODE || one.getAttribute("data-key") === other.getAttribute("data-key");
}

function patch(old, next) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  if (old.hasAttribute("data-keep")) return;
  for (const { name, value } of [...next.attributes]) {
    if (name === "style") {
      if (old.style.width !== next.style.width) old.style.width = next.style.width;
    } else if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) if (!next.hasAttribute(name)) old.removeAttribute(name);
  // What somebody has typed or chosen is his.
  if (!["INPUT", "SELECT", "TEXTAREA"].includes(old.nodeName)) patchChildren(old, next);
}
