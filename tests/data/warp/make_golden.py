"""Writes what rasterio (GDAL) makes of a small picture in other grids: run with rasterio and numpy.

Values are made by a formula, so no licence applies.
"""

import json

import numpy
import rasterio.warp
from rasterio.io import MemoryFile
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT
from rasterio.warp import Resampling

HERE = __file__.rsplit("/", 1)[0]
WIDTH, HEIGHT = 40, 30
SOURCE = Affine(10.0, 0, 399_960.0, 0, -10.0, 5_300_040.0)


def picture():
    rows, columns = numpy.mgrid[0:HEIGHT, 0:WIDTH]
    values = numpy.sin(rows / 3.0) * 50 + numpy.cos(columns / 4.0) * 30 + columns * rows / 40.0
    values[10:13, 20:22] = numpy.nan
    values[25, 5] = numpy.nan
    return values


def case(name, crs, transform, width, height, method, scale):
    """A picture in another grid. Only a warped file takes a tolerance (that of `reproject` is
    an eighth of a cell), and with a grid of one's own it may not be zero."""
    extra = {} if scale is None else {"XSCALE": str(scale[0]), "YSCALE": str(scale[1])}
    profile = {"driver": "GTiff", "width": WIDTH, "height": HEIGHT, "count": 1, "dtype": "float64",
               "crs": "EPSG:32633", "transform": SOURCE, "nodata": numpy.nan}
    with MemoryFile() as memory:
        with memory.open(**profile) as file:
            file.write(picture(), 1)
        with memory.open() as file, WarpedVRT(
            file, crs=crs, transform=transform, width=width, height=height, resampling=getattr(Resampling, method),
            nodata=numpy.nan, tolerance=1e-9, **extra,
        ) as warped:
            target = warped.read(1)
    values = [None if numpy.isnan(value) else float(value) for value in target.ravel()]
    return {
        "name": name, "crs": crs, "transform": list(transform.to_gdal()), "width": width, "height": height,
        "method": method, "values": values,
    }


def suggested(crs):
    bounds = rasterio.transform.array_bounds(HEIGHT, WIDTH, SOURCE)
    transform, width, height = rasterio.warp.calculate_default_transform("EPSG:32633", crs, WIDTH, HEIGHT, *bounds)
    return {"crs": crs, "transform": list(transform.to_gdal()), "width": width, "height": height}


def of_file(name, crs, method):
    """The means of a file's bands in another system."""
    with rasterio.open(f"{HERE}/../tiff/{name}") as file:
        transform, width, height = rasterio.warp.calculate_default_transform(
            file.crs, crs, file.width, file.height, *file.bounds
        )
        means = []
        for band in range(1, file.count + 1):
            target = numpy.full((height, width), numpy.nan)
            rasterio.warp.reproject(
                file.read(band).astype("f8"), target, src_transform=file.transform, src_crs=file.crs,
                src_nodata=file.nodata, dst_transform=transform, dst_crs=crs, dst_nodata=numpy.nan,
                resampling=getattr(Resampling, method), XSCALE="1", YSCALE="1",
            )
            means.append(float(numpy.nanmean(target)))
    return {"file": name, "crs": crs, "method": method, "width": width, "height": height, "means": means}


def main():
    cases = []
    shifted = Affine(10.0, 0, 399_967.0, 0, -10.0, 5_300_033.0)
    finer = Affine(4.0, 0, 400_000.0, 0, -4.0, 5_300_000.0)
    coarser = Affine(25.0, 0, 399_960.0, 0, -25.0, 5_300_040.0)
    other, width, height = rasterio.warp.calculate_default_transform(
        "EPSG:32633", "EPSG:32632", WIDTH, HEIGHT, *rasterio.transform.array_bounds(HEIGHT, WIDTH, SOURCE)
    )
    for method in ("nearest", "bilinear", "cubic", "average"):
        one = None if method in ("nearest", "average") else (1.0, 1.0)
        small = None if method in ("nearest", "average") else (0.4, 0.4)
        cases.append(case(f"shifted_{method}", "EPSG:32633", shifted, 38, 28, method, one))
        cases.append(case(f"finer_{method}", "EPSG:32633", finer, 60, 50, method, (2.5, 2.5) if one else None))
        cases.append(case(f"coarser_{method}", "EPSG:32633", coarser, 16, 12, method, small))
        if method != "average":
            cases.append(case(f"zone_{method}", "EPSG:32632", other, width, height, method, one))
    answer = {
        "source": {"crs": "EPSG:32633", "transform": list(SOURCE.to_gdal()), "width": WIDTH, "height": HEIGHT,
                   "values": [None if numpy.isnan(value) else float(value) for value in picture().ravel()]},
        "suggested": [suggested(crs) for crs in ("EPSG:32632", "EPSG:4326", "EPSG:3857")],
        "files": [of_file("others/rgbsmall_ZSTD_tiled.tif", "EPSG:3857", "bilinear"),
                  of_file("made/float64_lerc.tif", "EPSG:32632", "nearest")],
        "cases": cases,
    }
    with open(f"{HERE}/golden.json", "w") as file:
        json.dump(answer, file, separators=(",", ":"))


if __name__ == "__main__":
    main()
