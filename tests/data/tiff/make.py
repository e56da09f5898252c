"""Writes the files of `made` and the golden values of both folders, with rasterio (GDAL 3.10.3 was used).

    python make.py
"""

import hashlib
import json
import os
import warnings

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.transform import from_origin

warnings.filterwarnings("ignore")
os.environ["GDAL_TIFF_INTERNAL_MASK"] = "YES"
HERE = os.path.dirname(os.path.abspath(__file__))
RNG = np.random.default_rng(6)
PLACE = {"crs": "EPSG:32633", "transform": from_origin(500000, 5400000, 10, 20)}


def write(name, data, mask=None, overviews=(), after=None, **options):
    path = os.path.join(HERE, "made", name)
    bands, height, width = data.shape
    options = {**PLACE, **options}
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        with rasterio.open(path, "w", driver="GTiff", count=bands, height=height, width=width, dtype=data.dtype, **options) as file:
            file.write(data)
            if mask is not None:
                file.write_mask(mask)
            if after is not None:
                after(file)
        if overviews:
            with rasterio.open(path, "r+") as file:
                file.build_overviews(overviews, Resampling.nearest)


def smooth(shape, dtype):
    bands, height, width = shape
    y, x, b = np.mgrid[0:height, 0:width, 0:bands]
    values = 40 * np.sin(x / 7.0) + 30 * np.cos(y / 5.0) + 20 * b + 90
    values = np.moveaxis(values, 2, 0) + RNG.integers(0, 3, shape)
    return values.astype(dtype)


def packed(file):
    file.scales = (0.1, 0.5)
    file.offsets = (0.0, -10.0)
    file.set_band_description(1, "blue & green")
    file.set_band_description(2, "red")


def main():
    os.makedirs(os.path.join(HERE, "made"), exist_ok=True)
    tiles = {"tiled": True, "blockxsize": 32, "blockysize": 16}
    for bits in (1, 2, 4):
        write(f"uint{bits}.tif", RNG.integers(0, 2**bits, (1, 21, 37), dtype="uint8"), nbits=bits, compress="deflate")
    write("uint7_pixel.tif", RNG.integers(0, 2**7, (3, 21, 37), dtype="uint8"), nbits=7, interleave="pixel")
    for bits in (9, 12):
        write(f"uint{bits}.tif", RNG.integers(0, 2**bits, (2, 21, 37), dtype="uint16"), nbits=bits, interleave="pixel", **tiles)
    write("uint24_little.tif", RNG.integers(0, 2**24, (2, 21, 37), dtype="uint32"), nbits=24, interleave="pixel", compress="lzw")
    for bits in (17, 24):
        write(f"uint{bits}.tif", RNG.integers(0, 2**bits, (1, 21, 37), dtype="uint32"), nbits=bits, endianness="big")
    floats = smooth((2, 40, 37), "float32")
    floats[0, 3, 4] = np.nan
    write("float16.tif", floats, nbits=16, compress="lzw", predictor=3, nodata=np.nan)
    write("float24.tif", floats, nbits=24, compress="zstd", predictor=3, **tiles)
    write("float16_big.tif", floats, nbits=16, endianness="big")
    write("float32_lerc_nan.tif", floats[:1], compress="lerc_zstd", nodata=np.nan, **tiles)
    write("float64_lerc.tif", smooth((2, 40, 37), "float64"), compress="lerc_deflate", interleave="pixel")
    write("float64_lzma_3.tif", smooth((2, 40, 37), "float64"), compress="lzma", predictor=3, interleave="pixel", **tiles)
    write("int8_packbits.tif", smooth((1, 40, 37), "float32").astype("int32").astype("int8")[:, :, :], compress="packbits")
    write("int32_big.tif", smooth((3, 40, 37), "int32"), bigtiff="yes", endianness="big", compress="zstd", predictor=2, interleave="pixel", **tiles)
    write("int64_planar.tif", smooth((3, 40, 37), "int64"), compress="deflate", predictor=2, interleave="band", nodata=-(2**53), **tiles)
    write("uint64_nodata.tif", smooth((1, 9, 9), "uint64") + np.uint64(2**63), nodata=None)
    write("scaled.tif", smooth((2, 40, 37), "int16"), nodata=99, after=packed, compress="deflate", interleave="pixel", overviews=[2], **tiles)
    hole = np.full((70, 75), 255, "uint8")
    hole[10:30, 20:60] = 0
    write("masked.tif", smooth((3, 70, 75), "uint8"), mask=hole, compress="deflate", overviews=[2, 4], interleave="pixel", tiled=True, blockxsize=16, blockysize=32)
    write("masked_float.tif", smooth((1, 70, 75), "float32"), mask=hole, compress="lzw", overviews=[2], tiled=True, blockxsize=64, blockysize=64)
    write("sparse.tif", np.where(np.mgrid[0:3, 0:100, 0:90][1] > 60, 7, 3).astype("uint8"), nodata=3, sparse_ok=True, interleave="band", tiled=True, blockxsize=16, blockysize=16)
    write("strips.tif", smooth((1, 700, 1200), "uint8") // 200, compress="packbits", blockysize=1)
    write("jpeg_cmyk.tif", smooth((4, 40, 48), "uint8"), compress="jpeg", photometric="cmyk", interleave="pixel", jpeg_quality=90)
    write("jpeg_four.tif", smooth((4, 40, 48), "uint8"), compress="jpeg", photometric="rgb", interleave="pixel", jpeg_quality=90)
    write("jpeg_420.tif", smooth((3, 64, 64), "uint8"), compress="jpeg", photometric="ycbcr", interleave="pixel", jpeg_quality=90, tiled=True, blockxsize=32, blockysize=32)
    write("webp_lossless.tif", smooth((4, 40, 48), "uint8"), compress="webp", webp_lossless=True, interleave="pixel")
    write("turned.tif", smooth((1, 9, 9), "uint8"), transform=rasterio.Affine(5, 1, 100, 1, -5, 200))
    write("sinusoidal.tif", smooth((1, 9, 9), "uint8"), crs="+proj=sinu +lon_0=0 +x_0=0 +y_0=0 +R=6371007.181 +units=m +no_defs")
    write("albers.tif", smooth((1, 9, 9), "uint8"), crs="+proj=aea +lat_1=30 +lat_2=45.5 +lat_0=23 +lon_0=-96 +x_0=1 +y_0=2 +a=6378137 +rf=298.257222101 +units=m +no_defs")
    write("point.tif", smooth((1, 9, 9), "uint8"), after=lambda file: file.update_tags(AREA_OR_POINT="Point"))
    golden = {}
    for folder in ("made", "others"):
        for name in sorted(os.listdir(os.path.join(HERE, folder))):
            golden[f"{folder}/{name}"] = described(os.path.join(HERE, folder, name))
    with open(os.path.join(HERE, "golden.json"), "w") as file:
        json.dump(golden, file, indent=0, allow_nan=False)
        file.write("\n")



def digest(cells):
    return hashlib.sha256(cells.astype(cells.dtype.newbyteorder("<")).tobytes()).hexdigest()


def described(path):
    """What GDAL reads: as the wide corpus has it, and beside that what is left when missing cells are out."""
    try:
        with rasterio.open(path) as file:
            cells, mask = file.read(), file.read_masks() if file.count else None
            if path.endswith("float32_lerc_nan.tif") or np.dtype(file.dtypes[0]).kind == "f":
                mask = np.where(np.isnan(cells), 0, mask)
            scaled = cells.astype("float64") * np.array(file.scales)[:, None, None] + np.array(file.offsets)[:, None, None]
            known = {
                "width": file.width, "height": file.height, "count": file.count, "dtypes": list(file.dtypes),
                "nodata": str(file.nodata), "epsg": file.crs.to_epsg() if file.crs else None,
                "transform": list(file.transform)[:6],
                "lossy": str(file.compression.value if file.compression else "").lower() in ("jpeg", "webp") and "lossless" not in path,
                "sha256_bands_le": digest(cells), "mean": [float(np.nanmean(band.astype("float64"))) for band in cells],
                "valid": [int((band != 0).sum()) for band in mask],
                "scaled_sum": [float(band[there != 0].sum()) for band, there in zip(scaled, mask)],
                "overviews": [],
            }
            factors = file.overviews(1)
        for level, factor in enumerate(factors):
            with rasterio.open(path, overview_level=level) as file:
                cells = file.read()
                valid = [int((band != 0).sum()) for band in file.read_masks()]
                known["overviews"].append({"factor": factor, "shape": list(cells.shape[1:]), "sha256": digest(cells), "valid": valid})
        return known
    except rasterio.errors.RasterioError as error:
        return {"error": str(error).replace(HERE, "")}


if __name__ == "__main__":
    main()
