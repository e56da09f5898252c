// A Zarr store for the tests: plain chunks that are all the same file, so that it takes no room.

import fs from "node:fs";
import path from "node:path";

const DAYS_A_CHUNK = 40;
const SIDE = 128;
const CHUNK_SIDE = 64;

// Days of the smallest store.
export const DAYS = 3200;

// Writes one of so many days into the folder; gives its path.
export function writeStore(folder, days) {
  const store = path.join(folder, `warmth-${days}.zarr`);
  write(store, ".zgroup", { zarr_format: 2 });
  const range = (length, of) => Float64Array.from({ length }, (_, place) => of(place));
  coordinate(store, "time", range(days, (day) => day), { units: "days since 1980-01-01", calendar: "standard" });
  coordinate(store, "y", range(SIDE, (row) => 60 - row * 0.25), { units: "degrees_north" });
  coordinate(store, "x", range(SIDE, (column) => column * 0.25), { units: "degrees_east" });
  array(store, "warmth", [days, SIDE, SIDE], [DAYS_A_CHUNK, CHUNK_SIDE, CHUNK_SIDE], "<f4", ["time", "y", "x"], { units: "degrees C" });
  const cells = Float32Array.from({ length: DAYS_A_CHUNK * CHUNK_SIDE * CHUNK_SIDE }, (_, cell) => ((cell * 7919) % 1000) / 40);
  let first = null;
  for (let time = 0; time < days / DAYS_A_CHUNK; time += 1) {
    for (let place = 0; place < (SIDE / CHUNK_SIDE) ** 2; place += 1) {
      const file = path.join(store, "warmth", `${time}.${Math.floor(place / 2)}.${place % 2}`);
      if (first) fs.linkSync(first, file);
      else fs.writeFileSync(file, Buffer.from(cells.buffer));
      first ||= file;
    }
  }
  return store;
}

function coordinate(store, name, values, attributes) {
  array(store, name, [values.length], [values.length], "<f8", [name], attributes);
  fs.writeFileSync(path.join(store, name, "0"), Buffer.from(values.buffer));
}

function array(store, name, shape, chunks, type, dimensions, attributes) {
  write(store, `${name}/.zarray`, { zarr_format: 2, shape, chunks, dtype: type, compressor: null, fill_value: "NaN", order: "C", filters: null });
  write(store, `${name}/.zattrs`, { _ARRAY_DIMENSIONS: dimensions, ...attributes });
}

function write(store, name, content) {
  const file = path.join(store, name);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, JSON.stringify(content));
}
