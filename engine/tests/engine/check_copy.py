"""Stores and their copies, as xarray reads them.

    python check_copy.py make FOLDER            # writes rich2.zarr and rich3.zarr
    python check_copy.py compare SOURCE COPY EXPRESSION …   # an expression of `ds` that the copy must equal
"""

import sys

import numpy as np
import xarray as xr


def make(folder):
    rng = np.random.default_rng(7)
    y, x, time = np.arange(6), np.arange(5) * 1000.0, np.arange(9)
    tas = rng.normal(280, 10, (9, 6, 5)).astype("f4")
    tas[2, 3] = np.nan
    shape = xr.Dataset(
        {
            "tas": (("time", "y", "x"), tas, {"units": "K", "long_name": "air temperature", "grid_mapping": "crs"}),
            "pr": (("time", "y", "x"), np.where(rng.random((9, 6, 5)) < 0.2, np.nan, rng.integers(0, 900, (9, 6, 5)) * 0.1)),
            "flag": (("y", "x"), rng.integers(0, 9, (6, 5)).astype("i4"), {"flag_values": [0, 1], "flag_meanings": "a b"}),
            "time_bnds": (("time", "nv"), np.stack([time, time + 1], 1) * 1.0 + 100.0),
            "crs": ((), np.int32(7), {"grid_mapping_name": "lambert_conformal_conic", "standard_parallel": [25.0, 60.0]}),
            "site": (("y",), np.array(["a", "bé", "", "d", "long" * 9, "f"], dtype=object)),
            "wet": (("x",), np.array([True, False, True, True, False])),
            "count": (("y",), np.array([1, 2, -999, 4, 5, 6], "i2")),
            "bare": (("unlabelled",), np.arange(7, dtype="u1")),
        },
        coords={
            "time": ("time", time + 100.5, {"units": "days since 1850-01-01", "calendar": "noleap", "bounds": "time_bnds"}),
            "y": ("y", y[::-1] * 0.5, {"axis": "Y", "units": "m"}),
            "x": ("x", x, {"axis": "X"}),
            "lat": (("y", "x"), rng.random((6, 5)), {"units": "degrees_north"}),
            "height": ((), 2.0, {"units": "m"}),
        },
        attrs={"title": "a rich store", "Conventions": "CF-1.8", "numbers": [1, 2.5]},
    )
    shape["count"].attrs["_FillValue"] = np.int16(-999)
    encoding = {
        "pr": {"dtype": "i2", "scale_factor": 0.1, "add_offset": 5.0, "_FillValue": -32768, "chunks": (4, 6, 3)},
        "tas": {"_FillValue": np.float32(-9999), "chunks": (2, 3, 5)},
    }
    for version in (2, 3):
        shape.to_zarr(f"{folder}/rich{version}.zarr", zarr_format=version, encoding=encoding, consolidated=version == 2)


def read(path):
    return xr.open_zarr(path, consolidated=None, decode_timedelta=False).load()


def compare(source, copy, expression):
    ds, found = read(source), read(copy)
    expected = eval(expression, {"ds": ds, "np": np, "xr": xr})
    try:
        xr.testing.assert_identical(found, expected)
        for name in expected.variables:
            check_encoding(name, found[name], expected[name])
    except AssertionError as error:
        raise AssertionError(f"{source} → {copy}, {expression}: {error}") from None


def check_encoding(name, found, expected):
    if expected.dtype.kind not in "OUT":
        assert found.dtype == expected.dtype, (name, found.dtype, expected.dtype)
    for key in ("scale_factor", "add_offset", "_FillValue"):
        if expected.encoding.get(key) is not None and expected.dtype.kind in "fiu" and "_Unsigned" not in expected.encoding:
            np.testing.assert_equal(found.encoding.get(key), expected.encoding[key], err_msg=f"{name} {key}")
    if "scale_factor" in expected.encoding or "add_offset" in expected.encoding:
        if "units" not in expected.encoding and "_Unsigned" not in expected.encoding:
            assert found.encoding["dtype"] == expected.encoding["dtype"], (name, found.encoding, expected.encoding)


match sys.argv[1:]:
    case ["make", folder]:
        make(folder)
    case ["compare", *triples]:
        for start in range(0, len(triples), 3):
            compare(*triples[start : start + 3])
