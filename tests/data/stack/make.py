"""Writes the scenes that stacks are tested with, and the catalogs that name them, with rasterio (GDAL 3.10.3 was used).

    python make.py

Scenes lie around 12° E, where two UTM zones meet. Values are made by a formula and a generator of numbers with a seed, so
no licence applies.
"""

import gzip
import json
import os
import shutil
import tempfile
import warnings

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.shutil import copy
from rasterio.transform import Affine
from rasterio.warp import transform, transform_geom

warnings.filterwarnings("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))
RNG = np.random.default_rng(20240601)
# A multiple of 120 m near 12° E, 47.9° N in each zone.
CORNER = {32632: (724_200.0, 5_309_280.0), 32633: (275_640.0, 5_309_280.0)}
TILES = {"tiled": True, "blockxsize": 64, "blockysize": 64}
# id, moment, zone, where its upper left corner lies from the zone's (east, south; metres), columns, rows, what else
SCENES = [
    # One pass, one moment, both zones.
    ("a-33-0", "2024-06-01T10:10:31Z", 32633, (-900, -640), 128, 128, {}),
    ("a-33-1", "2024-06-01T10:10:31Z", 32633, (100, -500), 136, 120, {"hole": (40, 50, 14)}),
    ("a-32-2", "2024-06-01T10:10:31Z", 32632, (-700, -700), 128, 124, {"cut": 60}),
    ("a-32-3", "2024-06-01T10:10:31Z", 32632, (-1100, 100), 120, 128, {"proj": "asset"}),
    ("a-33-4", "2024-06-01T10:10:31Z", 32633, (-260, 240), 124, 108, {"nodata": 65535}),
    # One solar day, two moments; the later ones sort before the others by their names.
    ("b-z-33", "2024-06-04T10:20:29Z", 32633, (-800, -500), 132, 128, {"cut": 50}),
    ("b-y-32", "2024-06-04T10:20:29Z", 32632, (-400, -300), 128, 128, {"proj": None}),
    ("b-x-33", "2024-06-04T10:20:29Z", 32633, (60, -120), 128, 112, {"hole": (60, 30, 20)}),
    ("b-b-32", "2024-06-04T10:20:43.500Z", 32632, (-960, -100), 120, 120, {"hole": (20, 70, 10)}),
    ("b-a-33", "2024-06-04T10:20:43.500Z", 32633, (-420, -420), 112, 120, {}),
    # Grids that are not that of the others.
    ("c-33-off", "2024-06-09T10:10:29Z", 32633, (-597, -453), 128, 128, {"proj": "epsg"}),
    ("c-33-20m", "2024-06-09T10:10:29Z", 32633, (-400, -600), 64, 72, {"size": 20, "overviews": [2]}),
    ("c-33-odd", "2024-06-09T10:10:29Z", 32633, (-200, 0), 117, 113, {"proj": None, "hole": (70, 60, 8)}),
    ("c-32-0", "2024-06-09T10:10:29Z", 32632, (-500, -400), 124, 120, {}),
    ("c-33-only", "2024-06-09T10:10:29Z", 32633, (500, 100), 112, 112, {"no_nir": True}),
    # Files that are written otherwise.
    ("d-33-south", "2024-06-14T10:20:31Z", 32633, (-700, -600), 120, 128, {"south_up": True}),
    ("d-33-strips", "2024-06-14T10:20:31Z", 32633, (20, -300), 128, 100, {"strips": True, "overviews": []}),
    ("d-32-bare", "2024-06-14T10:20:31Z", 32632, (-600, -100), 120, 124, {"overviews": [], "proj": None}),
    ("d-33-empty", "2024-06-14T10:20:31Z", 32633, (-60, 60), 128, 128, {"hole": (0, 0, 70), "proj": "epsg"}),
    # By the sun all three are of the 20th: 48 minutes before Greenwich.
    ("e-33-night", "2024-06-19T23:30:00Z", 32633, (-500, -500), 112, 112, {"cut": 40}),
    ("e-32-night", "2024-06-20T00:10:00Z", 32632, (-700, -300), 112, 112, {"no_nir": True}),
    ("e-33-day", "2024-06-20T10:15:00Z", 32633, (-100, -200), 120, 112, {"hole": (50, 50, 12)}),
    # The same asset in integers with a sign.
    ("g-33-int", "2024-06-29T10:10:00Z", 32633, (-260, -80), 112, 112,
     {"type": "int16", "no_nir": True, "hole": (40, 60, 9)}),
    # Another quantity.
    ("f-33-t", "2024-06-25T10:10:00Z", 32633, (-800, -500), 128, 128, {"temperature": True, "hole": (60, 60, 16)}),
    ("f-32-t", "2024-06-25T10:10:00Z", 32632, (-500, -500), 128, 128, {"temperature": True}),
]
# Scenes of which few tiles are wanted: zone, corner, size of a tile, compression.
WIDE = [
    ("w-33-0", 32633, (-6400, -6000), 1280, 256),
    ("w-33-1", 32633, (-1500, -1500), 1280, 256),
    ("w-32-0", 32632, (-7000, -2100), 1280, 256),
    ("w-32-1", 32632, (-3000, -9000), 1280, 128),
]


def field(zone, affine, columns, rows, which, number):
    """What is seen: a surface over the ground, with texture."""
    column, row = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
    x, y = affine * (column, row)
    x, y = x - CORNER[zone][0], y - CORNER[zone][1]
    surface = np.sin(x / 170.0 + which) * 220 + np.cos(y / 130.0 - which) * 180 + x * y / 9000.0
    return surface + 12 * number + RNG.integers(0, 24, x.shape)


def holes(extra, columns, rows):
    column, row = np.meshgrid(np.arange(columns), np.arange(rows))
    missing = np.zeros((rows, columns), bool)
    if "hole" in extra:
        x, y, radius = extra["hole"]
        missing |= (column - x) ** 2 + (row - y) ** 2 < radius**2
    if "cut" in extra:
        missing |= column + row < extra["cut"]
    return missing


def write(path, values, zone, affine, nodata, extra):
    layout = {"blockysize": 16} if extra.get("strips") else TILES
    if extra.get("south_up"):
        values = values[::-1]
        affine = affine * Affine(1, 0, 0, 0, -1, values.shape[0])
    profile = {"driver": "GTiff", "height": values.shape[0], "width": values.shape[1], "count": 1, "dtype": values.dtype,
               "crs": f"EPSG:{zone}", "transform": affine, "nodata": nodata, "compress": "deflate", "predictor": 2,
               "zlevel": 9}
    with rasterio.open(path, "w", **profile, **layout) as file:
        file.write(values, 1)
    factors = extra.get("overviews", [2, 4])
    if factors:
        with rasterio.Env(GDAL_TIFF_OVR_BLOCKSIZE=64), rasterio.open(path, "r+") as file:
            file.build_overviews(factors, Resampling.average)
    return affine


def ring(zone, affine, columns, rows):
    corners = [affine * place for place in ((0, 0), (0, rows), (columns, rows), (columns, 0), (0, 0))]
    polygon = {"type": "Polygon", "coordinates": [[list(corner) for corner in corners]]}
    return transform_geom(f"EPSG:{zone}", "EPSG:4326", polygon, precision=7)


def item(name, moment, zone, affine, columns, rows, assets, proj="properties"):
    geometry = ring(zone, affine, columns, rows)
    places = geometry["coordinates"][0]
    bbox = [f(place[axis] for place in places) for f in (min, max) for axis in (0, 1)]
    told = {"proj:shape": [rows, columns], "proj:transform": list(affine)[:9 if proj == "asset" else 6]}
    told |= {"proj:epsg": zone} if proj == "epsg" else {"proj:code": f"EPSG:{zone}"}
    properties = {"datetime": moment}
    if proj in ("properties", "epsg"):
        properties |= told
    if proj == "asset":
        assets = {key: asset | told for key, asset in assets.items()}
    extensions = ["https://stac-extensions.github.io/raster/v1.1.0/schema.json"]
    if proj:
        version = "1.1.0" if proj == "epsg" else "2.0.0"
        extensions.insert(0, f"https://stac-extensions.github.io/projection/v{version}/schema.json")
    return {"type": "Feature", "stac_version": "1.0.0", "stac_extensions": extensions, "id": name, "collection": "scenes",
            "geometry": geometry, "bbox": bbox, "properties": properties, "links": [], "assets": assets}


def asset(href, data_type, nodata):
    return {"href": href, "type": "image/tiff; application=geotiff; profile=cloud-optimized", "roles": ["data"],
            "raster:bands": [{"data_type": data_type, "nodata": nodata}]}


def scene(number, name, moment, zone, offset, columns, rows, extra):
    size = extra.get("size", 10)
    affine = Affine(size, 0, CORNER[zone][0] + offset[0], 0, -size, CORNER[zone][1] - offset[1])
    missing = holes(extra, columns, rows)
    if extra.get("temperature"):
        wanted = [("temperature", -40, "int16", -9999)]
    else:
        kind = extra.get("type", "uint16")
        wanted = [("red", 900, kind, extra.get("nodata", 0 if kind == "uint16" else -1))]
        if not extra.get("no_nir"):
            wanted.append(("nir", 2400, "uint16", 0))
    assets = {}
    for which, (key, base, data_type, nodata) in enumerate(wanted):
        values = np.round(field(zone, affine, columns, rows, which, number) + base)
        values = values if nodata < -1 else np.clip(values, 1, 9999)
        values = np.where(missing, nodata, values).astype(data_type)
        path = f"scenes/{name}_{key}.tif"
        written = write(os.path.join(HERE, path), values, zone, affine, nodata, extra)
        assets[key] = asset(f"./{path}", data_type, nodata)
    return item(name, moment, zone, written, columns, rows, assets, extra.get("proj", "properties"))


def wide(name, zone, offset, side, block):
    """A large file, as packed by gzip it is a small one: cells are alike, and its tiles are not compressed."""
    affine = Affine(10, 0, CORNER[zone][0] + offset[0], 0, -10, CORNER[zone][1] - offset[1])
    row, column = np.mgrid[0:side, 0:side] // 64
    values = (1000 + row * 40 + column).astype("uint16")
    with tempfile.TemporaryDirectory() as folder:
        plain, path = f"{folder}/plain.tif", f"{folder}/{name}.tif"
        with rasterio.open(plain, "w", driver="GTiff", height=side, width=side, count=1, dtype="uint16", nodata=0,
                           crs=f"EPSG:{zone}", transform=affine) as file:
            file.write(values, 1)
        copy(plain, path, driver="COG", compress="NONE", blocksize=block, overview_resampling="nearest")
        with open(path, "rb") as source, open(f"{HERE}/wide/{name}.tif.gz", "wb") as target:
            with gzip.GzipFile("", "wb", 9, target, mtime=0) as packed:
                shutil.copyfileobj(source, packed)
    return item(name, "2024-07-01T10:00:00Z", zone, affine, side, side, {"red": asset(f"./{name}.tif", "uint16", 0)})


def broken(items):
    """Scenes of one day, of which three cannot be read: one is not there, of one the last tiles and of one the overviews'
    directories are not."""
    items = json.loads(json.dumps([entry for entry in items if entry["id"].startswith("a-")]))
    by_name = {entry["id"]: entry["assets"]["red"] for entry in items}
    by_name["a-32-2"]["href"] = "./scenes/missing.tif"
    with tempfile.TemporaryDirectory() as folder:
        whole = f"{folder}/whole.tif"
        copy(f"{HERE}/scenes/a-33-1_red.tif", whole, driver="COG", compress="DEFLATE", predictor="YES", blocksize=128)
        cut_off(whole, "cut_tiles")
    cut_off(f"{HERE}/scenes/a-33-4_red.tif", "cut_directories")
    by_name["a-33-1"]["href"] = "./scenes/cut_tiles.tif"
    by_name["a-33-4"]["href"] = "./scenes/cut_directories.tif"
    return items


def cut_off(path, name):
    with open(path, "rb") as file:
        whole = file.read()
    with open(f"{HERE}/scenes/{name}.tif", "wb") as file:
        file.write(whole[: len(whole) // 2])


def save(name, items):
    with open(f"{HERE}/{name}", "w") as file:
        json.dump({"type": "FeatureCollection", "features": items}, file, indent=1)
        file.write("\n")


def main():
    for folder in ("scenes", "wide"):
        shutil.rmtree(f"{HERE}/{folder}", ignore_errors=True)
        os.makedirs(f"{HERE}/{folder}")
    items = [scene(number, *entry) for number, entry in enumerate(SCENES)]
    # Nothing may stand on the order in the file.
    shuffled = [items[place] for place in np.random.default_rng(3).permutation(len(items))]
    save("items.json", shuffled)
    save("items_broken.json", broken(shuffled))
    save("wide/items.json", [wide(*entry) for entry in WIDE])


if __name__ == "__main__":
    main()
