// Scales, ticks and what all charts have in common.

// At most so many round numbers from 0 or `low` to `high`. Bytes are rounded in powers of two.
export function ticks(low, high, most, isBinary = false) {
  const span = high - low || 1;
  let step = isBinary ? 2 ** Math.floor(Math.log2(span / most)) : 10 ** Math.floor(Math.log10(span / most));
  const factors = isBinary ? [1, 2, 4, 8] : [1, 2, 5, 10];
  step *= factors.find((factor) => span / (step * factor) <= most) || 10;
  const found = [];
  // Without the sum a zero may be a negative one.
  for (let tick = Math.ceil(low / step - 1e-9) * step + 0; tick <= high + step * 1e-9; tick += step) found.push(tick);
  return found;
}

// The first round number that is not below the value.
export function ceiling(value, isBinary = false) {
  const all = ticks(0, value * 1.0001, 4, isBinary);
  const step = all.length > 1 ? all[1] - all[0] : value || 1;
  return Math.ceil(value / step - 1e-9) * step || step;
}

// Steps of time that are round on a clock, in seconds.
const STEPS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400];

export function timeStep(span, most) {
  return STEPS.find((step) => span / step <= most) || 86400 * Math.ceil(span / most / 86400);
}

// Draws again whenever the width changes; gives a function that ends that.
export function whenResized(element, draw) {
  let width = 0;
  const observer = new ResizeObserver(() => {
    if (element.clientWidth === width) return;
    width = element.clientWidth;
    draw();
  });
  observer.observe(element);
  const again = () => draw();
  addEventListener("theme", again);
  return () => {
    observer.disconnect();
    removeEventListener("theme", again);
  };
}

// A few words beside the pointer.
export class Tip {
  constructor(parent) {
    this.element = document.createElement("div");
    this.element.className = "tip";
    this.element.hidden = true;
    this.parent = parent;
    parent.append(this.element);
  }

  show(text, x, y) {
    this.element.hidden = false;
    this.element.textContent = text;
    const width = this.element.offsetWidth;
    const left = x + 14 + width > this.parent.clientWidth ? Math.max(0, x - width - 14) : x + 14;
    this.element.style.left = `${left}px`;
    this.element.style.top = `${Math.max(0, y + 14)}px`;
  }

  hide() {
    this.element.hidden = true;
  }
}

// A canvas of that size, in the pixels of the screen, ready to be drawn on in those of the page.
export function sheet(canvas, width, height) {
  const scale = devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  context.font = `12px ${getComputedStyle(canvas.parentElement).fontFamily}`;
  return context;
}
