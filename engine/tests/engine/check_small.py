"""Compares stores that the tests of the writer wrote with what was to be written, as xarray reads it."""

import sys

import numpy as np
import xarray as xr

for store in sys.argv[1:]:
    found = xr.open_zarr(store, consolidated=True).load()
    rain = (np.arange(24, dtype="f4") / 4).reshape(2, 3, 4)
    rain[0, 1, 1] = np.nan
    expected = {
        "time": np.array(["2000-01-01", "2000-01-02"], dtype="M8[ns]"),
        "y": np.array([0.5, 1.5, 2.5]),
        "rain": rain,
        "count": np.array([0, np.nan, -3]),
        "wet": np.array([True, False, True]),
        "ident": np.array([0, 1, 2**64 - 1, 3], dtype="u8"),
        "scalar": np.array(-7, dtype="i4"),
        "area": np.arange(12.0).reshape(3, 4),
    }
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name].values, values, err_msg=name)
    assert list(found["name"].values) == ["", "bé", "a longer name"], found["name"]
    assert found["rain"].dtype == np.float32 and found["wet"].dtype == bool and found["ident"].dtype == np.uint64
    assert dict(found.sizes) == {"time": 2, "y": 3, "x": 4}
    assert set(found.coords) == {"time", "y", "area"}, found.coords
    assert found["rain"].attrs == {"units": "mm"}, found["rain"].attrs
    assert found.attrs == {"title": "a small store"}, found.attrs
    assert found["time"].encoding["units"] == "days since 1970-01-01", found["time"].encoding
