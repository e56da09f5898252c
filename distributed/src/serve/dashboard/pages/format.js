// Numbers with their units, as people read them.

const NONE = "–";

// 1.23 GiB, as number and unit.
export function bytesParts(value) {
  if (!isNumber(value)) return [NONE, ""];
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let place = 0;
  while (Math.abs(value) >= 1024 && place < units.length - 1) {
    value /= 1024;
    place += 1;
  }
  return [place === 0 ? String(Math.round(value)) : significant(value), units[place]];
}

export function bytes(value) {
  return bytesParts(value).join("\u00a0").trim();
}

export function rate(value) {
  return isNumber(value) ? `${bytes(value)}/s` : NONE;
}

// 12,345
export function count(value) {
  return isNumber(value) ? Math.round(value).toLocaleString("en-US") : NONE;
}

// 12.3 k, as the label of something small.
export function shortCount(value) {
  if (!isNumber(value)) return NONE;
  const units = ["", "k", "M", "G", "T"];
  let place = 0;
  while (Math.abs(value) >= 1000 && place < units.length - 1) {
    value /= 1000;
    place += 1;
  }
  return place === 0 ? String(Math.round(value)) : `${significant(value)}\u00a0${units[place]}`;
}

export function seconds(value) {
  if (!isNumber(value)) return NONE;
  if (value < 0.001) return `${significant(value * 1e6)}\u00a0µs`;
  if (value < 1) return `${significant(value * 1000)}\u00a0ms`;
  if (value < 100) return `${significant(value)}\u00a0s`;
  if (value < 3600) return `${Math.floor(value / 60)}\u00a0min ${String(Math.round(value % 60)).padStart(2, "0")}\u00a0s`;
  return `${Math.floor(value / 3600)}\u00a0h ${String(Math.floor((value % 3600) / 60)).padStart(2, "0")}\u00a0min`;
}

export function percent(fraction) {
  return isNumber(fraction) ? `${(fraction * 100).toFixed(fraction < 0.1 ? 1 : 0)}\u00a0%` : NONE;
}

// 14:03:27
export function clock(milliseconds) {
  const at = new Date(milliseconds);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}

// 2026-11-26 14:03:27
export function moment(milliseconds) {
  const at = new Date(milliseconds);
  const day = [at.getFullYear(), at.getMonth() + 1, at.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
  return `${day} ${clock(milliseconds)}`;
}

export function decimal(value, digits = 1) {
  return isNumber(value) ? value.toFixed(digits) : NONE;
}

// A metric of an operator with its unit.
export function metric({ value, unit }) {
  if (unit === "bytes") return bytes(value);
  if (unit === "nanoseconds") return seconds(value / 1e9);
  return count(value);
}

export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

function significant(value) {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 || size === 0 ? 0 : size >= 10 ? 1 : 2);
}

function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}
