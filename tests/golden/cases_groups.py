"""AGGREGATE … GROUP BY: calendar parts, bins, arithmetic keys, keys of several dimensions, values as keys, HAVING."""
import numpy as np
import pandas as pd
import xarray as xr

from casebook import Casebook
from oracle import GROUPED, call, class_of, tolerance_of, widened


def write(book: Casebook) -> None:
    every_aggregate(book)
    calendar_parts(book)
    bins(book)
    arithmetic(book)
    combinations(book)
    values(book)
    having(book)


def flat(answer: xr.DataArray) -> xr.DataArray:
    return answer.reset_coords(drop=True)


def by(array: xr.DataArray, key: xr.DataArray, name: str) -> object:
    """xarray's groups of `array` by labels along one of its dimensions."""
    return array.reset_coords(drop=True).groupby(key.rename(name))


def every_aggregate(book: Casebook) -> None:
    era = book.stores["era"]
    month = era.time.dt.month
    for aggregate, function in GROUPED.items():
        array = era.t if aggregate in ("min", "max", "count", "first", "last") else widened(era.t)
        kind = class_of(aggregate, era.t, False)
        answer = flat(function(by(array, month, "month"))).transpose("month", "lat", "lon").to_dataset(name="v")
        book.array(f"group_month_{aggregate}", "era", f"FROM era |> AGGREGATE {call(aggregate, 't')} AS v GROUP BY month(time) AS month, lat, lon",
                   answer, tolerance=tolerance_of(aggregate, era.t), types={"v": kind} if kind else None)


def calendar_parts(book: Casebook) -> None:
    era, daily, integers = book.stores["era"], book.stores["daily"], book.stores["integers"]
    t = widened(era.t)
    clim = flat(by(widened(daily.tmin), daily.time.dt.month, "month").mean()).transpose("y", "x", "month")
    book.array("climatology", "daily", "FROM daily |> AGGREGATE avg(tmin) AS tmin GROUP BY y, x, month(time) AS month",
               clim.to_dataset(name="tmin"), dims=["month", "y", "x"], select=["y", "x", "month", "tmin"], tolerance="sum")
    for name, key, labels in (
        ("year", "year(time)", era.time.dt.year), ("day", "day(time)", era.time.dt.day),
        ("dayofyear", "dayofyear(time)", era.time.dt.dayofyear), ("date_part_year", "date_part('year', time)", era.time.dt.year),
        ("date_part_month", "date_part('month', time)", era.time.dt.month), ("extract_month", "EXTRACT(MONTH FROM time)", era.time.dt.month),
        ("dow", "date_part('dow', time)", (era.time.dt.dayofweek + 1) % 7),
    ):
        answer = by(era.p, labels, "k").sum().to_dataset(name="p")
        book.array(f"group_by_{name}", "era", f"FROM era |> AGGREGATE sum(p) AS p GROUP BY {key} AS k", answer, tolerance="sum")
    book.array("group_by_hour", "integers", "FROM integers |> AGGREGATE max(i2) AS i2 GROUP BY hour(time) AS hour, x",
               by(integers.i2, integers.time.dt.hour, "hour").max().to_dataset(name="i2"), dims=["hour", "x"])
    book.array("group_by_date_trunc", "integers", "FROM integers |> AGGREGATE sum(i1) AS i1 GROUP BY date_trunc('day', time) AS day, x",
               by(integers.i1, integers.time.dt.floor("D"), "day").sum().to_dataset(name="i1"), dims=["day", "x"])
    noleap, days360 = book.stores["noleap"], book.stores["days360"]
    book.array("group_noleap_month", "noleap", "FROM noleap |> AGGREGATE avg(tas) AS tas GROUP BY month(time) AS month, site",
               by(widened(noleap.tas), noleap.time.dt.month, "month").mean().to_dataset(name="tas"), dims=["month", "site"], tolerance="sum")
    book.array("group_days360_dayofyear", "days360", "FROM days360 |> AGGREGATE max(pr) AS pr GROUP BY dayofyear(time) AS doy",
               by(days360.pr, days360.time.dt.dayofyear, "doy").max(...).to_dataset(name="pr"))
    book.array("group_days360_year", "days360", "FROM days360 |> AGGREGATE count(pr) AS n GROUP BY year(time) AS year, lat",
               by(days360.pr, days360.time.dt.year, "year").count().to_dataset(name="n"), dims=["year", "lat"])
    book.array("group_keep_dimension", "era", "FROM era |> AGGREGATE avg(t) AS t GROUP BY lat", t.mean(["time", "lon"]).to_dataset(name="t"), tolerance="sum")
    book.array("group_two_dimensions", "era", "FROM era |> AGGREGATE avg(t) AS t GROUP BY lat, lon", flat(t.mean("time")).to_dataset(name="t"), tolerance="sum")
    book.array("group_nothing", "era", "FROM era |> AGGREGATE avg(t) AS t, count(*) AS n",
               xr.Dataset({"t": t.mean(), "n": t.size}), dims=[], tolerance="sum")


def bins(book: Casebook) -> None:
    era, daily = book.stores["era"], book.stores["daily"]
    t = widened(era.t)
    month = xr.DataArray(daily.time.values.astype("datetime64[M]").astype("datetime64[ns]"), dims="time", coords={"time": daily.time})
    one = widened(daily.prcp).isel(y=slice(1, 3), x=slice(2, 4))
    book.array("bin_month", "daily", "FROM daily[y[1:3], x[2:4]] |> AGGREGATE sum(prcp) AS prcp GROUP BY y, x, bin(time, '1 month') AS time",
               flat(one).groupby(month.rename("m")).sum(min_count=1).rename(m="time").to_dataset(name="prcp"), dims=["time", "y", "x"],
               select=["y", "x", "time", "prcp"], tolerance="sum")
    year = xr.DataArray(daily.time.values.astype("datetime64[Y]").astype("datetime64[ns]"), dims="time", coords={"time": daily.time})
    book.array("bin_year", "daily", "FROM daily |> AGGREGATE max(tmax) AS tmax GROUP BY bin(time, '1 year') AS year, y",
               flat(daily.tmax).groupby(year.rename("year")).max(["time", "x"]).to_dataset(name="tmax"), dims=["year", "y"])
    days = era.time.dt.floor("5D")
    book.array("bin_five_days", "era", "FROM era |> AGGREGATE avg(p) AS p GROUP BY bin(time, '5 days') AS time",
               era.p.groupby(days.rename("b")).mean().rename(b="time").to_dataset(name="p"), tolerance="sum")
    book.array("bin_five_days_interval", "era", "FROM era |> AGGREGATE avg(p) AS p GROUP BY bin(time, INTERVAL '5 days') AS time",
               era.p.groupby(days.rename("b")).mean().rename(b="time").to_dataset(name="p"), tolerance="sum")
    book.array("bin_latitude", "era", "FROM era |> AGGREGATE avg(t) AS t GROUP BY bin(lat, 20) AS band",
               flat(t).groupby((np.floor(era.lat.astype("f8") / 20) * 20).rename("band")).mean(...).to_dataset(name="t"), types={"band": "float"}, tolerance="sum")
    book.array("bin_longitude_and_time", "era", "FROM era |> AGGREGATE avg(t) AS t GROUP BY time, bin(lon, 90) AS sector",
               flat(t).groupby((np.floor(era.lon.astype("f8") / 90) * 90).rename("sector")).mean(["lat", "lon"]).to_dataset(name="t"),
               dims=["time", "sector"], types={"sector": "float"}, tolerance="sum")
    book.array("bin_integer_dimension", "era", "FROM era |> AGGREGATE max(w) AS w GROUP BY bin(lev, 500) AS layer",
               era.w.groupby((era.lev // 500 * 500).rename("layer")).max(...).to_dataset(name="w"))


def arithmetic(book: Casebook) -> None:
    era = book.stores["era"]
    t = flat(widened(era.t))
    book.array("key_floor", "era", "FROM era |> AGGREGATE avg(t) AS t GROUP BY floor(lat / 30) AS k",
               t.groupby(np.floor(era.lat.astype("f8") / 30).rename("k")).mean(...).to_dataset(name="t"), types={"k": "float"}, tolerance="sum")
    book.array("key_of_two_zeros", "era", "FROM era |> AGGREGATE avg(t) AS t GROUP BY round(lat / 50) AS k",
               t.groupby((np.round(era.lat.astype("f8") / 50) + 0.0).rename("k")).mean(...).to_dataset(name="t"), types={"k": "float"}, tolerance="sum")
    book.array("key_modulo", "era", "FROM era |> AGGREGATE max(w) AS w GROUP BY lev % 100 AS k",
               era.w.groupby((era.lev % 100).rename("k")).max(...).to_dataset(name="w"))
    book.array("key_case", "era", "FROM era |> AGGREGATE avg(t) AS t GROUP BY CASE WHEN lat > 30 THEN 'north' ELSE 'south' END AS belt",
               t.groupby(xr.where(era.lat > 30, "north", "south").rename("belt")).mean(...).to_dataset(name="t"), tolerance="sum")
    book.array("key_comparison", "era", "FROM era |> AGGREGATE avg(t) AS t GROUP BY lat > 30 AS north",
               t.groupby((era.lat > 30).rename("north")).mean(...).to_dataset(name="t"), tolerance="sum", types={"north": "bool"})
    season = era.time.dt.month % 12 // 3
    book.array("key_season", "era", "FROM era |> AGGREGATE avg(t) AS t GROUP BY (month(time) % 12) / 3 AS season, lat",
               t.groupby(season.rename("season")).mean(["time", "lon"]).to_dataset(name="t"), dims=["season", "lat"], tolerance="sum")


def grouped_rows(array: xr.DataArray, keys: dict, function) -> dict:
    """Groups by several keys at once: one label a cell, of which the keys are read back; rows in the order of the keys."""
    array = flat(array)
    broad = xr.broadcast(*[flat(key) for key in keys.values()])
    table = pd.DataFrame({name: key.values.ravel() for name, key in zip(keys, broad)})
    codes = table.groupby(list(keys), sort=True, dropna=False).ngroup().values.reshape(broad[0].shape)
    code = xr.DataArray(codes, dims=broad[0].dims, coords=broad[0].coords, name="code")
    answer = function(array.groupby(code))
    answer = answer.mean([]) if set(answer.dims) == {"code"} else answer
    rows = table.drop_duplicates().sort_values(list(keys))
    return {**{name: rows[name].values for name in keys}, "v": answer.values}


def combinations(book: Casebook) -> None:
    era = book.stores["era"]
    t = widened(era.t)
    year, month = era.time.dt.year, era.time.dt.month
    book.rows("keys_year_month", "era", "FROM era |> AGGREGATE avg(t) AS v GROUP BY year(time) AS year, month(time) AS month",
              grouped_rows(t, {"year": year, "month": month}, lambda g: g.mean(...)), dims=["year", "month"], tolerance="sum")
    band = np.floor(era.lat.astype("f8") / 30) * 30
    rows = grouped_rows(t, {"month": month, "band": band}, lambda g: g.mean(...))
    book.rows("keys_month_and_band", "era", "FROM era |> AGGREGATE avg(t) AS v GROUP BY month(time) AS month, bin(lat, 30) AS band", rows,
              dims=["month", "band"], tolerance="sum", types={"band": "float"})
    rows = grouped_rows(era.t, {"month": month, "band": band}, lambda g: g.max(...))
    book.rows("keys_month_and_band_max", "era", "SELECT month(time) AS month, bin(lat, 30) AS band, max(t) AS v FROM era GROUP BY month, band ORDER BY month, band",
              rows, ordered=True, dims=["month", "band"], types={"band": "float"})
    land = era.land
    rows = grouped_rows(t, {"land": land}, lambda g: g.mean(...))
    book.rows("keys_mask_of_two_dimensions", "era", "FROM era |> AGGREGATE avg(t) AS v GROUP BY land", rows, tolerance="sum")
    rows = grouped_rows(t, {"month": month, "land": land.expand_dims(time=era.time)}, lambda g: g.mean(...))
    book.rows("keys_month_and_mask", "era", "FROM era |> AGGREGATE avg(t) AS v GROUP BY month(time) AS month, land", rows, tolerance="sum")


def values(book: Casebook) -> None:
    era, dem = book.stores["era"], book.stores["dem"]
    ps = era.ps.sel(time="2020")
    key = (np.floor(ps / 0.5) * 0.5).values.ravel()
    labels, counts = np.unique(key[~np.isnan(key)], return_counts=True)
    missing = int(np.isnan(key).sum())
    book.rows("histogram", "era", "SELECT bin(ps, 0.5) AS b, count(*) AS n FROM era[time = '2020'] WHERE ps IS NOT NULL GROUP BY b ORDER BY b",
              {"b": labels, "n": counts}, ordered=True)
    book.rows("histogram_with_missing", "era", "SELECT bin(ps, 0.5) AS b, count(*) AS n FROM era[time = '2020'] GROUP BY b ORDER BY b NULLS LAST",
              {"b": np.append(labels, np.nan), "n": np.append(counts, missing)}, ordered=True)
    fives = np.floor(era.t.astype("f8") / 5) * 5
    flat_keys = fives.values.ravel()
    labels, counts = np.unique(flat_keys[~np.isnan(flat_keys)], return_counts=True)
    book.rows("histogram_float32", "era", "FROM era |> WHERE t IS NOT NULL |> AGGREGATE count(*) AS n GROUP BY bin(t, 5) AS b",
              {"b": labels, "n": counts}, types={"b": "float"})
    classes = dem["class"]
    answer = widened(dem.z).groupby(classes.rename("class")).mean(...)
    book.rows("zones_of_a_class_array", "dem", 'SELECT "class", avg(z) AS z, count(z) AS n FROM dem GROUP BY "class" ORDER BY "class"',
              {"class": answer["class"].values, "z": answer.values, "n": dem.z.groupby(classes.rename("class")).count(...).values}, ordered=True, tolerance="sum")
    n = era.n.isel(time=slice(0, 10))
    tens = np.floor(n / 100) * 100
    flat_keys = tens.values.ravel()
    labels, counts = np.unique(flat_keys[~np.isnan(flat_keys)], return_counts=True)
    book.rows("histogram_integers", "era", "SELECT bin(n, 100) AS b, count(n) AS c FROM era[time[0:10]] WHERE n IS NOT NULL GROUP BY b ORDER BY b",
              {"b": labels, "c": counts}, ordered=True, types={"b": "int"})


def having(book: Casebook) -> None:
    era = book.stores["era"]
    t = widened(era.t)
    means = t.mean(["lat", "lon"]).dropna("time")
    chosen = means.isel(time=(means > 14).values)
    query = "SELECT time, avg(t) AS t FROM era GROUP BY time HAVING avg(t) > 14 ORDER BY time"
    book.rows("having", "era", query, {"time": chosen.time.values, "t": chosen.values}, ordered=True, dims=None, tolerance="sum")
    counts = era.t.count(["time", "lon"])
    few = counts.isel(lat=(counts < 590).values)
    book.rows("having_count", "era", "FROM era |> AGGREGATE count(t) AS n GROUP BY lat |> WHERE n < 590",
              {"lat": few.lat.values, "n": few.values}, dims=None)
    top = means.sortby(means, ascending=False)[:5]
    book.rows("order_by_value", "era", "SELECT time, avg(t) AS t FROM era GROUP BY time HAVING count(t) > 0 ORDER BY t DESC LIMIT 5",
              {"time": top.time.values, "t": top.values}, ordered=True, dims=None, tolerance="sum")
    last = era.p[-3:][::-1]
    book.rows("order_by_time_descending", "era", "SELECT time, p FROM era ORDER BY time DESC LIMIT 3", {"time": last.time.values, "p": last.values}, ordered=True, dims=None)
    lats = era.lat.sortby("lat")
    mean = t.mean(["time", "lon"]).sortby("lat")
    book.rows("order_by_ascending_latitude", "era", "SELECT lat, avg(t) AS t FROM era GROUP BY lat ORDER BY lat", {"lat": lats.values, "t": mean.values},
              ordered=True, dims=None, tolerance="sum")
