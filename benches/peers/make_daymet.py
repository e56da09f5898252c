"""Make a replica of the Daymet v4 daily Hawaii store (Zarr v2): the data of Quarray's main job.

    python make_daymet.py OUT.zarr YEARS [FIRST_YEAR]

As in the real store (its recorded metadata): dimensions (time, y, x) = (365 a year, 584, 284), one chunk a
year, f4, blosc lz4 level 5 with byte shuffle, NaN off land (11 % of the cells are land), values in steps of 0.01,
2-D lat/lon, y descending, whole-day i8 times "since 1980-01-01 12:00:00" (proleptic_gregorian) without 31 December in
leap years, time_bnds, yearday, the scalar grid mapping, consolidated metadata. The values are made: a seasonal
cycle, elevation, weather and noise. 5 years are 1.2 GB a variable decoded; 41 years are the real size.
"""
import calendar
import sys
from datetime import date

import numpy as np
import zarr
from numcodecs import Blosc

NY, NX, DAYS = 584, 284, 365
BLOSC = Blosc(cname="lz4", clevel=5, shuffle=Blosc.SHUFFLE)
# islands: (row, column, radius in cells, height in m)
ISLANDS = [(430, 190, 55, 4200), (300, 150, 30, 3000), (270, 120, 16, 1000), (215, 95, 24, 1200), (190, 40, 20, 1500), (330, 120, 12, 450)]


def main(out: str, years: int, first_year: int = 1980) -> None:
    rng = np.random.default_rng(42)
    group = zarr.open_group(out, mode="w", zarr_format=2)
    group.attrs.update({"Conventions": "CF-1.6", "start_year": 1980, "source": "replica made for Quarray"})
    row, column = np.meshgrid(np.arange(NY), np.arange(NX), indexing="ij")
    elevation = np.zeros((NY, NX))
    land = np.zeros((NY, NX), bool)
    for r, c, radius, height in ISLANDS:
        distance = np.hypot(row - r, column - c) / radius
        land |= distance < 1
        elevation = np.maximum(elevation, height * np.clip(1 - distance, 0, 1))

    def put(name, data, dims, chunks=None, **attrs):
        array = group.create_array(
            name, shape=data.shape, chunks=chunks or data.shape or (), dtype=data.dtype,
            compressors=[BLOSC] if data.ndim else None,
            fill_value=np.float32("nan") if data.dtype == "f4" else None,
        )
        array[...] = data
        array.attrs.update({"_ARRAY_DIMENSIONS": dims, **attrs})

    days, year_days = [], []
    for year in range(first_year, first_year + years):
        start = (date(year, 1, 1) - date(1980, 1, 1)).days
        days += range(start, start + DAYS)  # a leap year loses 31 December
        year_days += range(1, DAYS + 1)
        assert calendar.isleap(year) + DAYS in (365, 366)
    n_time = len(days)
    put("time", np.array(days, "i8"), ["time"], (DAYS,), units="days since 1980-01-01 12:00:00",
        calendar="proleptic_gregorian", standard_name="time", bounds="time_bnds", long_name="24-hour day based on local time")
    put("time_bnds", np.stack([days, np.array(days) + 1], 1).astype("i8"), ["time", "nv"], (DAYS, 2),
        units="days since 1980-01-01 00:00:00", calendar="proleptic_gregorian", time="days")
    put("yearday", np.array(year_days, "i2"), ["time"], (DAYS,), long_name="day of year (DOY)")
    put("y", (-39000.0 - 1000 * np.arange(NY)).astype("f4"), ["y"], units="m", standard_name="projection_y_coordinate")
    put("x", (-5802250.0 + 1000 * np.arange(NX)).astype("f4"), ["x"], units="m", standard_name="projection_x_coordinate")
    put("lat", (23.5186 - row * 0.0095).astype("f4"), ["y", "x"], units="degrees_north", standard_name="latitude")
    put("lon", (-160.3056 + column * 0.0195).astype("f4"), ["y", "x"], units="degrees_east", standard_name="longitude")
    put("lambert_conformal_conic", np.array(-32767, "i2"), [], grid_mapping_name="lambert_conformal_conic",
        standard_parallel=[25.0, 60.0], latitude_of_projection_origin=42.5, longitude_of_central_meridian=-100.0,
        false_easting=0.0, false_northing=0.0, semi_major_axis=6378137.0, inverse_flattening=298.257223563)
    for name, base in (("tmin", 16.0), ("tmax", 26.0)):
        array = group.create_array(
            name, shape=(n_time, NY, NX), chunks=(DAYS, NY, NX), dtype="f4", compressors=[BLOSC], fill_value=np.float32("nan"),
        )
        array.attrs.update({
            "_ARRAY_DIMENSIONS": ["time", "y", "x"], "units": "degrees C", "coordinates": "lon lat",
            "grid_mapping": "lambert_conformal_conic", "cell_methods": "area: mean time: minimum" if name == "tmin" else "area: mean time: maximum",
        })
        season = 4 * np.sin(2 * np.pi * (np.arange(DAYS)[:, None] - 80) / DAYS)
        for year in range(years):
            cells = base + season - 0.0065 * elevation[land] + rng.normal(0, 1.5, (DAYS, 1)) + rng.normal(0, 0.4, (DAYS, land.sum()))
            block = np.full((DAYS, NY, NX), np.nan, "f4")
            block[:, land] = np.round(cells, 2)
            array[year * DAYS : (year + 1) * DAYS] = block
    zarr.consolidate_metadata(out, zarr_format=2)
    print(f"{out}: {n_time} x {NY} x {NX}, {land.mean():.1%} land")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *(int(a) for a in sys.argv[3:4]))
