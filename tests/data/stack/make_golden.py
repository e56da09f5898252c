"""Writes what rasterio (GDAL 3.10.3) makes of the scenes in the grids of stacks, and compares it with odc-stac.

    python make_golden.py

Every scene is taken to the grid by a warped file of its own (cells as floats, NaN where they are missing; the level told;
`tolerance`, since GDAL's places are else wrong by up to an eighth of a cell; XSCALE and YSCALE, since GDAL guesses them from
whole windows); then numpy lays the layers on each other.
"""

import gzip
import json
import math
import os
import struct
import tempfile
import warnings
import zlib
from datetime import datetime, timedelta, timezone

import numpy as np
import rasterio
from rasterio.io import MemoryFile
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT
from rasterio.warp import Resampling, transform

import odc_check
from cases import BYTES, CASES

warnings.filterwarnings("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))
# Kernels grow where the grid is coarser than this share of the level.
GROWS_BELOW = 0.95
REACH = {"nearest": 1, "bilinear": 1, "cubic": 2, "average": 1}
# Of the cells of kernels that compute, one in so many is kept.
STRIDE = 5
MISSING = -32768


class Target:
    """Cells of a size on multiples of it, that cover what was asked for."""

    def __init__(self, case):
        self.crs, self.size = case["crs"], case["resolution"]
        left, bottom, right, top = case.get("bounds") or bounds_of(case["bbox"], self.crs)
        first, last = math.floor(left / self.size + 1e-6), math.ceil(right / self.size - 1e-6)
        high, low = math.ceil(top / self.size - 1e-6), math.floor(bottom / self.size + 1e-6)
        self.transform = Affine(self.size, 0, first * self.size, 0, -self.size, high * self.size)
        self.width, self.height = last - first, high - low

    def middles(self):
        column, row = np.meshgrid(np.arange(self.width) + 0.5, np.arange(self.height) + 0.5)
        return self.transform * (column, row)


def bounds_of(bbox, crs):
    """The box around a rectangle of degrees, whose edges are looked at closely."""
    west, south, east, north = bbox
    share = np.linspace(0, 1, 2001)
    x = np.concatenate([west + share * (east - west)] * 2 + [np.full(2001, west), np.full(2001, east)])
    y = np.concatenate([np.full(2001, south), np.full(2001, north)] + [south + share * (north - south)] * 2)
    x, y = (np.array(values) for values in transform("EPSG:4326", crs, x, y))
    return x.min(), y.min(), x.max(), y.max()


class Level:
    """The cells of one resolution of a scene, as floats."""

    def __init__(self, path, target):
        with rasterio.open(path) as file:
            factors = file.overviews(1)
        found = read_level(path, None)
        across = along(found, target)
        for number in range(len(factors)):
            level = read_level(path, number)
            rows, columns = (whole / part for whole, part in zip(found["values"].shape, level["values"].shape))
            if columns <= across[0] * 1.001 and rows <= across[1] * 1.001:
                self.__dict__.update(level)
                self.number = number + 1
        if not hasattr(self, "values"):
            self.__dict__.update(found)
            self.number = 0
        scale = [1 / cells for cells in along(vars(self), target)]
        self.scale = [1.0 if abs(share - 1) < 1e-9 else share for share in scale]

    def warped(self, target, method):
        grows = [share if share < GROWS_BELOW else 1.0 for share in self.scale]
        extra = {} if method in ("nearest", "average") else {"XSCALE": repr(grows[0]), "YSCALE": repr(grows[1])}
        profile = {"driver": "GTiff", "width": self.values.shape[1], "height": self.values.shape[0], "count": 1,
                   "dtype": "float64", "crs": self.crs, "transform": self.transform, "nodata": math.nan}
        with MemoryFile() as memory:
            with memory.open(**profile) as file:
                file.write(self.values, 1)
            with memory.open() as file, WarpedVRT(
                file, crs=target.crs, transform=target.transform, width=target.width, height=target.height,
                resampling=getattr(Resampling, method), nodata=math.nan, tolerance=1e-9, **extra,
            ) as warped:
                return warped.read(1)

    def places(self, target):
        """Where the middles of the target's cells lie, as columns and rows."""
        return places(vars(self), target)

    def safe(self, target, method):
        """Cells whose kernels are far from the scene's edges and holes, or wholly outside."""
        least = min(*self.scale, 1.0)
        margin = 2 if least >= GROWS_BELOW else math.ceil(REACH[method] / least) + 1
        valid = np.pad(~np.isnan(self.values), margin + 2)
        inner, outer = spread(valid, margin, np.logical_and), spread(valid, margin, np.logical_or)
        column, row = (np.floor(place).astype(int) + margin + 2 for place in self.places(target))
        known = (column >= 0) & (row >= 0) & (column < valid.shape[1]) & (row < valid.shape[0])
        column, row = np.where(known, column, 0), np.where(known, row, 0)
        return ~known | inner[row, column] | ~outer[row, column]


def read_level(path, number):
    extra = {} if number is None else {"overview_level": number}
    with rasterio.open(path, **extra) as file:
        values = file.read(1).astype("f8")
        values[values == file.nodata] = np.nan
        return {"values": values, "transform": file.transform, "crs": str(file.crs)}


def places(level, target):
    x, y = target.middles()
    if level["crs"] != target.crs:
        x, y = (np.array(found).reshape(target.height, target.width)
                for found in transform(target.crs, level["crs"], x.ravel(), y.ravel()))
    return ~level["transform"] * (x, y)


def along(level, target):
    """Cells of a level that one of the target goes along, in columns and rows, measured in the level's middle."""
    height, width = level["values"].shape
    x, y = level["transform"] * (width / 2, height / 2)
    x, y = transform(level["crs"], target.crs, [x], [y])
    column, row = ~target.transform * (x[0], y[0])
    if not (0 <= column <= target.width and 0 <= row <= target.height):
        column, row = target.width / 2, target.height / 2
    around = [(column - 0.5, row), (column + 0.5, row), (column, row - 0.5), (column, row + 0.5)]
    grounds = [target.transform * place for place in around]
    if level["crs"] != target.crs:
        grounds = list(zip(*transform(target.crs, level["crs"], *zip(*grounds))))
    left, right, above, below = (~level["transform"] * ground for ground in grounds)
    return [max(abs(right[axis] - left[axis]), abs(below[axis] - above[axis])) for axis in (0, 1)]


def spread(valid, margin, combine):
    """Each cell with all that are near it."""
    for axis in (0, 1):
        valid = combine.reduce([np.roll(valid, shift, axis) for shift in range(-margin, margin + 1)])
    return valid


def nearest_by_places(level, target):
    """The same as a warp to the nearest cell, by other means."""
    column, row = (np.floor(place + 1e-10).astype(int) for place in level.places(target))
    height, width = level.values.shape
    inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
    return np.where(inside, level.values[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)], np.nan)


def moment(entry):
    return datetime.fromisoformat(entry["properties"]["datetime"].replace("Z", "+00:00"))


def key_of(entry, group):
    if group == "solar_day":
        west, _, east, _ = entry["bbox"]
        return (moment(entry) + timedelta(hours=(west + east) / 2 / 15)).date()
    return moment(entry) if group == "time" else None


def steps_of(items, case):
    groups = {}
    for entry in sorted(items, key=lambda entry: (moment(entry), entry["id"])):
        if any(asset in entry["assets"] for asset in case["assets"]):
            groups.setdefault(key_of(entry, case["group"]), []).append(entry)
    return sorted(groups.values(), key=lambda group: moment(group[0]))


def mosaic_of(layers, mosaic):
    layers = np.array(layers)
    if mosaic == "mean":
        return np.nanmean(layers, axis=0)
    if mosaic in ("min", "max"):
        return getattr(np, f"nan{mosaic}")(layers, axis=0)
    cube = np.full(layers.shape[1:], np.nan)
    for layer in layers if mosaic == "last" else layers[::-1]:
        cube = np.where(np.isnan(layer), cube, layer)
    return cube


def chosen(items, case):
    items = [entry for entry in items if not case.get("ids") or entry["id"] in case["ids"]]
    days = case.get("datetime", "2024-01-01/2024-12-31").split("/")
    return [entry for entry in items if days[0] <= entry["properties"]["datetime"][:10] <= days[1]]


def compute(items, case):
    target = Target(case)
    steps = steps_of(chosen(items, case), case)
    shape = (len(steps), len(case["assets"]), target.height, target.width)
    cube, safe, layers, levels = np.full(shape, np.nan), np.ones(shape, bool), {}, {}
    for time, step in enumerate(steps):
        for band, asset in enumerate(case["assets"]):
            found = []
            for entry in (entry for entry in step if asset in entry["assets"]):
                level = Level(os.path.join(HERE, entry["assets"][asset]["href"]), target)
                layer = level.warped(target, case["resampling"])
                if case["resampling"] == "nearest":
                    other = nearest_by_places(level, target)
                    assert np.array_equal(layer, other, equal_nan=True), (case["name"], entry["id"])
                safe[time, band] &= level.safe(target, case["resampling"])
                found.append(layer)
                layers[entry["id"], asset] = layer
                levels[entry["id"]] = level.number
            if found:
                cube[time, band] = mosaic_of(found, case["mosaic"])
    return target, steps, cube, safe, layers, levels


def packed(array):
    """Deflated, first the low bytes of all numbers."""
    raw = np.ascontiguousarray(array).view("u1").reshape(-1, array.dtype.itemsize).T.tobytes()
    return zlib.compress(raw, 9)


def saved(case, target, steps, cube, safe, levels):
    """What a test needs: the whole cube where cells are copied, else some of its cells, counts and sums."""
    valid = ~np.isnan(cube)
    flags = (valid | safe << 1).astype("u1")
    if case["resampling"] == "nearest":
        values = np.where(valid, cube, MISSING)
        assert np.array_equal(values, values.astype("i2"))
        stride, values = 1, values.astype("<i2")
    else:
        stride, values = STRIDE, cube.ravel()[::STRIDE].astype("<f4")
    with open(f"{HERE}/golden/{case['name']}.flags", "wb") as file:
        file.write(packed(flags))
    with open(f"{HERE}/golden/{case['name']}.values", "wb") as file:
        file.write(packed(values))
    sure = valid & safe
    planes = [[int(there.sum()), float(plane[there].sum())]
              for plane, there in zip(cube.reshape(-1, *cube.shape[2:]), sure.reshape(-1, *cube.shape[2:]))]
    times = [round(moment(step[0]).timestamp() * 1e6) for step in steps]
    return case | {
        "transform": list(target.transform.to_gdal()), "shape": list(cube.shape), "times": times, "stride": stride,
        "scenes": [[entry["id"] for entry in step] for step in steps], "levels": levels,
        "valid": int(valid.sum()), "away_from_edges": int(sure.sum()), "planes": planes,
    }


def directories(path):
    """The tiles of each level: columns and rows of cells, side of a tile, byte counts."""
    with open(path, "rb") as file:
        whole = file.read()
    assert whole[:4] == b"II*\0"
    place, found = struct.unpack_from("<I", whole, 4)[0], []
    while place:
        count = struct.unpack_from("<H", whole, place)[0]
        tags = {}
        for entry in range(count):
            tag, kind, length, _ = struct.unpack_from("<HHII", whole, place + 2 + entry * 12)
            letter = {3: "H", 4: "I"}.get(kind)
            if letter:
                start = place + 10 + entry * 12
                if length * struct.calcsize(letter) > 4:
                    start = struct.unpack_from("<I", whole, start)[0]
                tags[tag] = struct.unpack_from(f"<{length}{letter}", whole, start)
        found.append({"shape": (tags[257][0], tags[256][0]), "side": tags[322][0], "bytes": tags[325]})
        place = struct.unpack_from("<I", whole, place + 2 + count * 12)[0]
    return found


def bytes_of(items, case, folder):
    """The tiles that hold the cells of all kernels, and their bytes."""
    target, scenes = Target(case), {}
    for entry in chosen(items, case):
        path = f"{folder}/{entry['id']}.tif"
        level = Level(path, target)
        column, row = level.places(target)
        height, width = level.values.shape
        inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
        grown = [REACH[case["resampling"]] / (share if share < GROWS_BELOW else 1) for share in level.scale]
        tiles, directory = set(), directories(path)[level.number]
        assert directory["shape"] == level.values.shape
        side, across = directory["side"], -(-width // directory["side"])
        for x, y in zip(column[inside], row[inside]):
            if case["resampling"] == "nearest":
                columns, rows = (x, x), (y, y)
            else:
                # Of kernels, cells whose middles are nearer than their radius.
                columns, rows = ((math.floor(place - 0.5 - radius) + 1, math.ceil(place - 0.5 + radius) - 1)
                                 for place, radius in zip((x, y), grown))
            for tile_row in range(max(int(rows[0]), 0) // side, min(int(rows[1]), height - 1) // side + 1):
                for tile in range(max(int(columns[0]), 0) // side, min(int(columns[1]), width - 1) // side + 1):
                    tiles.add(tile_row * across + tile)
        if tiles:
            scenes[entry["id"]] = {"level": level.number, "tiles": sorted(tiles), "of": len(directory["bytes"]),
                                   "bytes": sum(directory["bytes"][tile] for tile in tiles)}
    return case | {"shape": [target.height, target.width], "scenes": scenes,
                   "bytes": sum(scene["bytes"] for scene in scenes.values())}


def wide_cases():
    with open(f"{HERE}/wide/items.json") as file:
        items = json.load(file)["features"]
    with tempfile.TemporaryDirectory() as folder:
        for entry in items:
            with gzip.open(f"{HERE}/wide/{entry['id']}.tif.gz") as packed:
                with open(f"{folder}/{entry['id']}.tif", "wb") as plain:
                    plain.write(packed.read())
        return [bytes_of(items, case, folder) for case in BYTES]


def main():
    os.makedirs(f"{HERE}/golden", exist_ok=True)
    with open(f"{HERE}/items.json") as file:
        items = json.load(file)["features"]
    answers, agreement = [], []
    for case in CASES:
        target, steps, cube, safe, layers, levels = compute(items, case)
        answers.append(saved(case, target, steps, cube, safe, levels))
        agreement.append(odc_check.compare(HERE, case, target, steps, cube, safe, layers))
        print(case["name"], cube.shape, "valid", answers[-1]["valid"], "away", answers[-1]["away_from_edges"],
              "levels", sorted(set(levels.values())), flush=True)
        print("   ", agreement[-1], flush=True)
    golden = {"cases": answers, "bytes": wide_cases(), "odc_stac": agreement}
    with open(f"{HERE}/golden.json", "w") as file:
        json.dump(golden, file, separators=(",", ":"))
        file.write("\n")
    for case in golden["bytes"]:
        scenes = {name: (scene["level"], len(scene["tiles"]), scene["of"]) for name, scene in case["scenes"].items()}
        print(case["name"], case["bytes"], scenes)


if __name__ == "__main__":
    main()
