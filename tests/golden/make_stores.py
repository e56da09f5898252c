"""The small stores of the golden cases: every layout that the cases need, made from one seed.

Each function makes one dataset; `STORES` says how it is stored. Nothing here is read back by the cases except through
xarray, from the files written.
"""
import shutil
from pathlib import Path

import cftime
import numpy as np
import pandas as pd
import xarray as xr
import zarr
from numcodecs import Blosc, GZip, Zlib, Zstd

HERE = Path(__file__).parent
SEED = 20260704


def era(rng: np.random.Generator) -> xr.Dataset:
    """Variables on five sets of dimensions, latitude descending, 80 days over a leap day."""
    time = pd.date_range("2019-12-15", periods=80, freq="D")
    lat = np.array([60.0, 51.3, 40.0, 25.5, 10.0, -5.25], "f4")
    lon = np.arange(0, 360, 45, dtype="f4")
    lev = np.array([1000, 850, 500, 250], "i4")
    season = 10 * np.sin(np.arange(80) / 12.0)[:, None, None]
    t = 15 + season - lat[None, :, None] / 4 + rng.normal(0, 3, (80, 6, 8))
    t = np.round(t, 2).astype("f4")
    t[rng.random(t.shape) < 0.06] = np.nan
    t[:, 5, 7] = np.nan  # a cell that is never there
    t[33] = np.nan  # a day that is never there
    w = np.round(rng.normal(0, 2, (80, 4, 6, 8)), 2)
    ps = np.round(1013.25 + rng.normal(0, 8, (80, 6, 8)), 2)
    ps[rng.random(ps.shape) < 0.04] = np.nan
    n = rng.integers(-50, 1000, (80, 6, 8)).astype("f8")
    n[rng.random(n.shape) < 0.05] = np.nan
    return xr.Dataset(
        {
            "t": (("time", "lat", "lon"), t, {"units": "degrees C", "grid_mapping": "crs", "coordinates": "area"}),
            "ps": (("time", "lat", "lon"), ps, {"units": "hPa"}),
            "n": (("time", "lat", "lon"), n, {"long_name": "count with missing cells"}),
            "w": (("time", "lev", "lat", "lon"), w, {"units": "m s-1"}),
            "orog": (("lat", "lon"), np.round(rng.random((6, 8)) * 3000).astype("f4"), {"units": "m"}),
            "land": (("lat", "lon"), rng.random((6, 8)) < 0.4),
            "p": (("time",), np.round(rng.gamma(1.5, 4, 80), 1), {"units": "mm"}),
        },
        coords={
            "time": time, "lat": ("lat", lat, {"units": "degrees_north"}), "lon": lon, "lev": lev,
            "area": (("lat", "lon"), np.round(np.cos(np.radians(lat))[:, None] * np.ones(8), 3)),
            "crs": ((), np.int32(4326), {"grid_mapping_name": "latitude_longitude"}),
        },
        attrs={"title": "golden era", "Conventions": "CF-1.8"},
    )


def daily(rng: np.random.Generator) -> xr.Dataset:
    """Like Daymet: projected, y descending, 2-D latitude and longitude, three years of noons, 31 December dropped in 2000."""
    time = pd.date_range("2000-01-01T12:00", "2002-12-31T12:00", freq="D")
    time = time[time != pd.Timestamp("2000-12-31T12:00")]
    y = (-39000.0 - 1000 * np.arange(4)).astype("f4")
    x = (-5802250.0 + 1000 * np.arange(5)).astype("f4")
    day = time.dayofyear.values[:, None, None]
    tmin = np.round(16 + 4 * np.sin(2 * np.pi * (day - 80) / 365) + rng.normal(0, 1.5, (len(time), 4, 5)), 1).astype("f4")
    tmax = np.round(tmin + 8 + rng.random(tmin.shape) * 4, 1).astype("f4")
    sea = np.zeros((4, 5), bool)
    sea[0, :2] = sea[3, 4] = True
    tmin[:, sea] = np.nan
    tmax[:, sea] = np.nan
    prcp = np.where(rng.random(tmin.shape) < 0.3, np.round(rng.gamma(1, 6, tmin.shape)), 0).astype("f4")
    prcp[:, sea] = np.nan
    row, column = np.meshgrid(np.arange(4), np.arange(5), indexing="ij")
    grid = {"grid_mapping": "lambert_conformal_conic", "coordinates": "lon lat"}
    return xr.Dataset(
        {
            "tmin": (("time", "y", "x"), tmin, {"units": "degrees C", **grid}),
            "tmax": (("time", "y", "x"), tmax, {"units": "degrees C", **grid}),
            "prcp": (("time", "y", "x"), prcp, {"units": "mm/day", **grid}),
            "yearday": (("time",), time.dayofyear.values.astype("i2")),
            "time_bnds": (("time", "nv"), np.stack([time - pd.Timedelta("12h"), time + pd.Timedelta("12h")], 1)),
            "lambert_conformal_conic": ((), np.int16(-32767), {"grid_mapping_name": "lambert_conformal_conic"}),
        },
        coords={
            "time": ("time", time, {"bounds": "time_bnds"}), "y": y, "x": x,
            "lat": (("y", "x"), (23.5186 - row * 0.0095).astype("f4")),
            "lon": (("y", "x"), (-160.3056 + column * 0.0195).astype("f4")),
        },
    )


def integers(rng: np.random.Generator) -> xr.Dataset:
    """One variable of every integer type and one of booleans, every three hours over a leap day."""
    time = pd.date_range("2020-02-27", periods=30, freq="3h")
    shape = (30, 7)
    data = {}
    for name, low, high in (
        ("i1", -128, 127), ("i2", -30000, 30000), ("i4", -(2**31), 2**31 - 1), ("i8", -(2**50), 2**50),
        ("u1", 0, 255), ("u2", 0, 65535), ("u4", 0, 2**32 - 1),
    ):
        data[name] = (("time", "x"), rng.integers(low, high, shape, endpoint=True).astype(name))
    data["flag"] = (("time", "x"), rng.random(shape) < 0.5)
    data["scl"] = (("x",), np.array([4, 5, 6, 9, 4, 3, 5], "u1"))
    return xr.Dataset(data, coords={"time": time, "x": np.arange(10, 80, 10, dtype="i4")})


def noleap(rng: np.random.Generator) -> xr.Dataset:
    """400 days of the noleap calendar at three named sites."""
    time = xr.date_range("2000-01-01", periods=400, freq="D", calendar="noleap", use_cftime=True)
    tas = np.round(280 + 10 * np.sin(np.arange(400) / 58.0)[:, None] + rng.normal(0, 2, (400, 3)), 1).astype("f4")
    tas[rng.random(tas.shape) < 0.1] = np.nan
    return xr.Dataset(
        {"tas": (("time", "site"), tas, {"units": "K"}), "height": (("site",), np.array([12.5, 830.0, 3.0]))},
        coords={"time": time, "site": np.array(["hilo", "kona", "mauna kea"], dtype=object)},
    )


def days360(rng: np.random.Generator) -> xr.Dataset:
    """400 days of 12 months of 30."""
    time = xr.date_range("2000-01-16", periods=400, freq="D", calendar="360_day", use_cftime=True)
    pr = np.round(rng.gamma(1, 3, (400, 3)), 1)
    return xr.Dataset({"pr": (("time", "lat"), pr)}, coords={"time": time, "lat": [-10.0, 0.0, 10.0]})


def dem(rng: np.random.Generator) -> xr.Dataset:
    """Heights on 23 by 17 cells, and a band that has no labels along its last dimension."""
    y = 100.0 - 2.5 * np.arange(23)
    x = (1.0 + 0.5 * np.arange(17)).astype("f4")
    z = np.round(500 + 100 * np.sin(y[:, None] / 9) + 40 * np.cos(x[None, :]) + rng.normal(0, 5, (23, 17)), 1)
    z = z.astype("f4")
    z[rng.random(z.shape) < 0.05] = np.nan
    return xr.Dataset(
        {
            "z": (("y", "x"), z, {"units": "m"}),
            "class": (("y", "x"), rng.integers(1, 5, (23, 17)).astype("u1")),
            "band": (("y", "k"), np.round(rng.random((23, 3)), 3)),
        },
        coords={"y": y, "x": x},
    )


BLOSC = Blosc(cname="lz4", clevel=5, shuffle=Blosc.SHUFFLE)
V3_ZSTD = zarr.codecs.ZstdCodec(level=3)
V3_GZIP = zarr.codecs.GzipCodec(level=5)
V3_BLOSC = zarr.codecs.BloscCodec(cname="zstd", clevel=5, shuffle="bitshuffle", typesize=8)

# dataset, Zarr version, encodings
STORES = {
    "era": (era, 3, {
        "t": {"chunks": (17, 4, 3), "compressors": V3_ZSTD},
        "ps": {"chunks": (40, 6, 8), "dtype": "i2", "scale_factor": 0.01, "add_offset": 1000.0, "_FillValue": -32768,
               "compressors": V3_ZSTD},
        "n": {"chunks": (80, 2, 8), "dtype": "i4", "_FillValue": -9999, "compressors": V3_GZIP},
        "w": {"chunks": (20, 4, 3, 5), "dtype": "i2", "scale_factor": 0.01, "_FillValue": -32768, "compressors": V3_ZSTD},
        "orog": {"chunks": (6, 8), "compressors": None}, "land": {"chunks": (4, 4), "compressors": None},
        "p": {"chunks": (17,), "compressors": V3_GZIP},
        "time": {"chunks": (80,), "units": "days since 1970-01-01", "calendar": "standard", "dtype": "i8"},
    }),
    "daily": (daily, 2, {
        "tmin": {"chunks": (365, 4, 5), "compressors": BLOSC}, "tmax": {"chunks": (365, 4, 5), "compressors": BLOSC},
        "prcp": {"chunks": (300, 3, 2), "compressors": Zstd(level=5)},
        "time": {"chunks": (365,), "units": "days since 1980-01-01 12:00:00", "calendar": "proleptic_gregorian", "dtype": "i8"},
        "time_bnds": {"chunks": (365, 2), "units": "days since 1980-01-01", "calendar": "proleptic_gregorian", "dtype": "i8",
                      "compressors": BLOSC},
        "yearday": {"chunks": (365,), "compressors": BLOSC},
    }),
    "integers": (integers, 2, {
        **{name: {"chunks": (8, 7), "compressors": codec} for name, codec in
           (("i1", None), ("i2", Zlib(level=4)), ("i8", GZip(level=4)), ("u2", BLOSC), ("flag", None))},
        "i4": {"chunks": (30, 2), "compressors": Zstd(level=1)}, "u1": {"chunks": (11, 4), "compressors": None},
        "u4": {"chunks": (7, 3), "compressors": BLOSC},
        "time": {"units": "hours since 2020-02-27", "calendar": "standard", "dtype": "i4", "chunks": (30,)},
    }),
    "noleap": (noleap, 2, {
        "tas": {"chunks": (100, 3), "compressors": BLOSC},
        "time": {"units": "days since 1999-01-01", "calendar": "noleap", "dtype": "i4", "chunks": (400,)},
    }),
    "days360": (days360, 3, {
        "pr": {"chunks": (130, 2), "compressors": V3_BLOSC},
        "time": {"units": "days since 1970-01-01", "calendar": "360_day", "dtype": "f8", "chunks": (400,)},
    }),
    "dem": (dem, 3, {
        "z": {"chunks": (5, 6), "shards": (10, 12), "compressors": V3_ZSTD}, "class": {"chunks": (23, 17), "compressors": None},
        "band": {"chunks": (10, 3), "compressors": V3_GZIP},
    }),
}


def write(name: str, folder: Path) -> None:
    """Writes one store, an earlier one replaced."""
    make, version, encoding = STORES[name]
    target = folder / f"{name}.zarr"
    shutil.rmtree(target, ignore_errors=True)
    dataset = make(np.random.default_rng([SEED, list(STORES).index(name)]))
    dataset.to_zarr(target, mode="w", zarr_format=version, consolidated=True, encoding=encoding)


def read(path: Path) -> xr.Dataset:
    """A store as xarray reads it, in memory."""
    with xr.open_zarr(path, chunks=None, consolidated=None) as dataset:
        return dataset.load()


def stations() -> pd.DataFrame:
    """A table of places, off the grid of `era`."""
    return pd.DataFrame({
        "name": ["alpha", "bravo", "charlie", "delta", "echo"],
        "lat": [58.0, 42.25, 11.0, 26.0, -3.0], "lon": [10.0, 100.0, 181.5, 275.0, 44.0], "height": [12, 845, 3, 77, 1500],
    })
