"""Windows over cells, OVER (ALONG …), OVER (PARTITION BY …): rolling means, lags, anomalies, eddies."""
import numpy as np
import pandas as pd
import xarray as xr

from casebook import Casebook
from oracle import rolled, widened


def write(book: Casebook) -> None:
    rolling(book)
    lags(book)
    reduced(book)
    sql_windows(book)
    anomalies(book)
    along(book)


def rolling(book: Casebook) -> None:
    era = book.stores["era"].drop_vars(["area", "crs"])
    p, ps = era.p, era.ps.isel(lat=slice(0, 2), lon=slice(0, 3))
    functions = {
        "avg": lambda w: w.mean("window"), "sum": lambda w: w.sum("window"), "min": lambda w: w.min("window"),
        "max": lambda w: w.max("window"), "stddev": lambda w: w.std("window", ddof=1), "count": lambda w: w.count("window"),
    }
    for name, function in functions.items():
        answer = rolled(p, "time", 6, 0, function)
        types = {"v": "int"} if name == "count" else None
        book.array(f"window_{name}_seven_days", "era", f"FROM era |> EXTEND {name}(p[time-6:time]) AS v |> SELECT time, v", answer.to_dataset(name="v"),
                   tolerance="sum", types=types)
    for name, text, before, after in (
        ("three_cells_centred", "time-1:time+1", 1, 1), ("five_cells_centred", "time-2:time+2", 2, 2), ("two_cells", "time-1:time", 1, 0),
        ("forward", "time:time+3", 0, 3), ("one_cell", "time:time", 0, 0), ("ahead_and_behind", "time-3:time+1", 3, 1),
    ):
        answer = rolled(ps, "time", before, after, functions["avg"])
        book.array(f"window_{name}", "era", f"FROM era[lat[0:2], lon[0:3]] |> EXTEND avg(ps[{text}]) AS v |> SELECT time, lat, lon, v",
                   answer.transpose("time", "lat", "lon").to_dataset(name="v"), tolerance="sum")
    t = widened(era.t).isel(lat=slice(0, 2), lon=slice(0, 2))
    book.array("window_missing_voids", "era", "FROM era[lat[0:2], lon[0:2]] |> EXTEND avg(t[time-2:time]) AS v |> SELECT time, lat, lon, v",
               rolled(t, "time", 2, 0, functions["avg"]).transpose("time", "lat", "lon").to_dataset(name="v"), tolerance="sum")
    book.array("window_min_count", "era", "FROM era[lat[0:2], lon[0:2]] |> EXTEND avg(t[time-2:time], min_count => 1) AS v |> SELECT time, lat, lon, v",
               rolled(t, "time", 2, 0, functions["avg"], 1).transpose("time", "lat", "lon").to_dataset(name="v"), tolerance="sum")
    book.array("window_min_count_two", "era", "FROM era[lat[0:2], lon[0:2]] |> EXTEND sum(t[time-3:time], min_count => 2) AS v |> SELECT time, lat, lon, v",
               rolled(t, "time", 3, 0, functions["sum"], 2).transpose("time", "lat", "lon").to_dataset(name="v"), tolerance="sum")
    along_lon = era.ps.isel(time=slice(0, 4))
    book.array("window_along_longitude", "era", "FROM era[time[0:4]] |> EXTEND avg(ps[lon-1:lon+1]) AS v |> SELECT time, lat, lon, v",
               rolled(along_lon, "lon", 1, 1, functions["avg"]).transpose("time", "lat", "lon").to_dataset(name="v"), tolerance="sum")
    book.array("window_positions_of_a_descending_coordinate", "era", "FROM era[time[0:4]] |> EXTEND avg(ps[lat-1:lat]) AS v |> SELECT time, lat, lon, v",
               rolled(along_lon, "lat", 1, 0, functions["avg"]).transpose("time", "lat", "lon").to_dataset(name="v"), tolerance="sum")
    book.array("window_in_sql", "era", "SELECT time, window_avg(p, time => range(-6, 0)) AS v FROM era", rolled(p, "time", 6, 0, functions["avg"]).to_dataset(name="v"), tolerance="sum")
    spelled(book)
    book.array("window_of_integers", "integers", "FROM integers |> EXTEND sum(i2[time-2:time]) AS v |> SELECT time, x, v",
               rolled(book.stores["integers"].i2.astype("f8"), "time", 2, 0, functions["sum"]).transpose("time", "x").to_dataset(name="v"), types={"v": "int"})


def spelled(book: Casebook) -> None:
    """The plain-SQL spelling of windows, and windows by an interval of labels."""
    era = book.stores["era"].drop_vars(["area", "crs"]).isel(lat=slice(0, 2), lon=slice(0, 2))
    t, ps, mean = widened(era.t), era.ps, lambda w: w.mean("window")
    start = "FROM era[lat[0:2], lon[0:2]]"
    book.array("window_in_sql_min_count", "era", f"SELECT time, lat, lon, window_avg(t, time => range(-2, 0), min_count => 1) AS v {start}",
               rolled(t, "time", 2, 0, mean, 1).transpose("time", "lat", "lon").to_dataset(name="v"), tolerance="sum")
    book.array("window_in_sql_centred_sum", "era", f"{start} |> EXTEND window_sum(ps, time => range(-1, 1)) AS v |> SELECT time, lat, lon, v",
               rolled(ps, "time", 1, 1, lambda w: w.sum("window")).transpose("time", "lat", "lon").to_dataset(name="v"), tolerance="sum")
    book.array("window_in_sql_along_longitude", "era", "SELECT time, lat, lon, window_max(ps, lon => range(0, 2)) AS v FROM era[time[0:4]]",
               rolled(book.stores["era"].ps.drop_vars(["area", "crs"]).isel(time=slice(0, 4)), "lon", 0, 2, lambda w: w.max("window")).transpose("time", "lat", "lon").to_dataset(name="v"))
    book.array("window_in_sql_of_expression", "era", f"{start} |> EXTEND window_avg(t - ps, time => range(-2, 0)) AS v |> SELECT time, lat, lon, v",
               rolled(t - ps, "time", 2, 0, mean).transpose("time", "lat", "lon").to_dataset(name="v"), tolerance="f32")
    book.array("window_in_sql_open", "era", "SELECT time, window_sum(p, time => range(NULL, 0)) AS v FROM era", era.p.cumsum("time").to_dataset(name="v"), tolerance="sum")
    for name, text in (("interval", "p[time - INTERVAL '3 days' : time]"), ("interval_in_hours", "p[time - INTERVAL '80 hours' : time]")):
        book.array(f"window_{name}", "era", f"FROM era |> EXTEND avg({text}) AS v |> SELECT time, v", rolled(era.p, "time", 3, 0, mean).to_dataset(name="v"), tolerance="sum")
    book.array("window_interval_in_sql", "era", "SELECT time, window_avg(p, time => range(-INTERVAL '2 days', INTERVAL '1 day')) AS v FROM era",
               rolled(era.p, "time", 2, 1, mean).to_dataset(name="v"), tolerance="sum")
    book.array("cell_interval", "era", "FROM era |> EXTEND p - p[time - INTERVAL '1 week'] AS v |> SELECT time, v", (era.p - era.p.shift(time=7)).to_dataset(name="v"))
    uneven = era.p.sel(time=["2019-12-16", "2019-12-17", "2019-12-20", "2019-12-22", "2019-12-23", "2020-01-05"])
    days = uneven.time.values
    within = [uneven.values[(days >= day - np.timedelta64(3, "D")) & (days <= day)] for day in days]
    brackets = ", ".join(f"'{str(day)[:10]}'" for day in days)
    book.array("window_interval_of_uneven_steps", "era", f"FROM era[time IN ({brackets})] |> EXTEND avg(p[time - INTERVAL '3 days' : time]) AS v |> SELECT time, v",
               uneven.copy(data=[w.mean() for w in within]).to_dataset(name="v"), tolerance="sum")
    book.array("window_interval_of_uneven_steps_min_count", "era", f"FROM era[time IN ({brackets})] |> EXTEND sum(p[time - INTERVAL '3 days' : time], min_count => 2) AS v |> SELECT time, v",
               uneven.copy(data=[w.sum() if len(w) > 1 else np.nan for w in within]).to_dataset(name="v"), tolerance="sum")
    days = era.time.values
    month = [era.p.values[(days >= (pd.Timestamp(day) - pd.DateOffset(months=1)).to_datetime64()) & (days <= day)] for day in days]
    book.array("window_interval_of_a_month", "era", "FROM era |> EXTEND sum(p[time - INTERVAL '1 month' : time]) AS v |> SELECT time, v",
               era.p.copy(data=[w.sum() for w in month]).to_dataset(name="v"), tolerance="sum")
    eddies = book.stores["era"].ps.drop_vars(["area", "crs"]).isel(time=slice(0, 3))
    book.array("bracket_after_window_along_another_dimension", "era", "FROM era[time[0:3]] |> EXTEND ps - avg(ps) OVER (ALONG lon) AS d |> SEL lat = 40 |> SELECT time, lon, d",
               (eddies - eddies.mean("lon")).sel(lat=40).to_dataset(name="d"), tolerance="sum")
    book.error("window_interval_of_latitudes", "era", "FROM era |> EXTEND avg(t[lat - INTERVAL '3 days' : lat]) AS v |> SELECT time, lat, lon, v", "lat", "times")
    book.error("window_in_sql_unknown_dimension", "era", "SELECT time, window_avg(p, tme => range(-6, 0)) AS v FROM era", "tme", "time")
    book.error("window_in_sql_without_range", "era", "SELECT time, window_avg(p, time => 6) AS v FROM era", "range(-6, 0)")
    book.error("window_in_sql_reversed", "era", "SELECT time, window_avg(p, time => range(0, -6)) AS v FROM era", "ends")


def lags(book: Casebook) -> None:
    era = book.stores["era"].drop_vars(["area", "crs"]).isel(lat=slice(0, 2), lon=slice(0, 3))
    start = "FROM era[lat[0:2], lon[0:3]]"
    t = era.t
    for name, text, answer in (
        ("lag_one", "t[time-1]", t.shift(time=1)), ("lead_one", "t[time+1]", t.shift(time=-1)), ("lag_seven", "t[time-7]", t.shift(time=7)),
        ("neighbour_east", "t[lon+1]", t.shift(lon=-1)), ("neighbour_descending", "t[lat-1]", t.shift(lat=1)),
        ("itself", "t[time]", t),
    ):
        book.array(f"cell_{name}", "era", f"{start} |> EXTEND {text} AS v |> SELECT time, lat, lon, v", answer.transpose("time", "lat", "lon").to_dataset(name="v"))
    wide = widened(t)
    book.array("cell_difference", "era", f"{start} |> EXTEND t - t[time-1] AS dt |> SELECT time, lat, lon, dt",
               (wide - wide.shift(time=1)).transpose("time", "lat", "lon").to_dataset(name="dt"), tolerance="f32", types={"dt": "float"})
    book.array("cell_difference_f64", "era", f"{start} |> EXTEND ps - ps[time-1] AS dp |> SELECT time, lat, lon, dp",
               (era.ps - era.ps.shift(time=1)).transpose("time", "lat", "lon").to_dataset(name="dp"))
    book.array("cell_second_difference", "era", "FROM era |> EXTEND p[time+1] - 2 * p + p[time-1] AS d |> SELECT time, d",
               (era.p.shift(time=-1) - 2 * era.p + era.p.shift(time=1)).to_dataset(name="d"))
    answer = xr.Dataset({"t7": rolled(wide, "time", 6, 0, lambda w: w.mean("window")), "dt": wide - wide.shift(time=1)})
    book.array("rolling_and_lag", "era", f"{start} |> EXTEND avg(t[time-6:time]) AS t7, t - t[time-1] AS dt |> SELECT time, lat, lon, t7, dt",
               answer.transpose("time", "lat", "lon"), tolerance="f32", types={"dt": "float"})
    hours = book.stores["integers"]
    book.array("cell_lag_integers", "integers", "FROM integers |> EXTEND u1[time-1] AS v |> SELECT time, x, v", hours.u1.shift(time=1).to_dataset(name="v"), types={"v": "int"})


def reduced(book: Casebook) -> None:
    era = book.stores["era"].drop_vars(["area", "crs"])
    mean = lambda w: w.mean("window")
    for name, along in (("time", ["time"]), ("space", ["lat", "lon"]), ("all", ["time", "lat", "lon"])):
        answer = rolled(widened(era.t), "time", 2, 0, mean).max(along).to_dataset(name="top")
        text = f" ALONG {', '.join(along)}" if name != "all" else ""
        book.array(f"window_reduce_{name}", "era", f"FROM era |> EXTEND avg(t[time-2:time]) AS t3 |> REDUCE max(t3) AS top{text}", answer,
                   dims=[dim for dim in ("time", "lat", "lon") if dim not in along], tolerance="sum")
    answer = rolled(era.ps, "time", 6, 0, mean).max("time")
    book.array("window_reduce_week", "era", "FROM era |> EXTEND avg(ps[time-6:time]) AS week |> REDUCE max(week) AS top ALONG time", answer.to_dataset(name="top"), tolerance="sum")
    box = era.t.sel(time="2020-01").astype("f8")
    book.array("window_after_box", "era", "FROM era[time = '2020-01'] |> EXTEND avg(t[time-2:time]) AS t3 |> REDUCE max(t3) AS top ALONG time",
               rolled(box, "time", 2, 0, mean).max("time").to_dataset(name="top"), tolerance="sum")
    book.array("window_then_group", "era", "FROM era |> EXTEND avg(p[time-2:time]) AS p3 |> AGGREGATE max(p3) AS top GROUP BY month(time) AS month",
               rolled(era.p, "time", 2, 0, mean).groupby("time.month").max().to_dataset(name="top"), tolerance="sum")
    changes = (widened(era.t) - widened(era.t).shift(time=1))
    book.array("lag_reduce", "era", "FROM era |> EXTEND t - t[time-1] AS dt |> REDUCE avg(abs(dt)) AS m ALONG time", abs(changes).mean("time").to_dataset(name="m"), tolerance="f32")


def sql_windows(book: Casebook) -> None:
    p = book.stores["era"].p
    partial = p.rolling(time=3, min_periods=1).construct("window").mean("window")
    book.array("over_rows_is_partial", "era", "SELECT time, avg(p) OVER (ORDER BY time ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS v FROM era",
               partial.to_dataset(name="v"), tolerance="sum")
    book.array("over_row_number", "era", "SELECT time, p, row_number() OVER (ORDER BY time) AS v FROM era[time[0:5]]",
               xr.Dataset({"p": p[:5], "v": ("time", np.arange(1, 6))}, coords={"time": p.time[:5]}))
    book.array("over_lag", "era", "SELECT time, lag(p) OVER (ORDER BY time) AS v FROM era", p.shift(time=1).to_dataset(name="v"))
    running = p.cumsum("time")
    book.array("over_running_sum", "era", "SELECT time, sum(p) OVER (ORDER BY time) AS v FROM era", running.to_dataset(name="v"), tolerance="sum")


def anomalies(book: Casebook) -> None:
    era = book.stores["era"].drop_vars(["area", "crs"])
    t, ps = widened(era.t), era.ps
    month = era.time.dt.month.rename("month")
    anomaly = (t.groupby(month) - t.groupby(month).mean()).reset_coords(drop=True)
    small = dict(lat=slice(0, 2), lon=slice(0, 3))
    pressure = (ps.groupby(month) - ps.groupby(month).mean()).reset_coords(drop=True)
    start = "FROM era[lat[0:2], lon[0:3]] |> EXTEND"
    book.array("anomaly_of_month", "era", f"{start} ps - avg(ps) OVER (PARTITION BY lat, lon, month(time)) AS anom |> SELECT time, lat, lon, anom",
               pressure.isel(**small).to_dataset(name="anom"), tolerance="sum")
    book.array("anomaly_of_month_f32", "era", f"{start} t - avg(t) OVER (PARTITION BY lat, lon, month(time)) AS anom |> SELECT time, lat, lon, anom",
               anomaly.isel(**small).to_dataset(name="anom"), tolerance="sum")
    for function, ddof in (("stddev", 1), ("stddev_pop", 0)):
        book.array(f"anomaly_{function}", "era",
                   f"FROM era |> EXTEND t - avg(t) OVER (PARTITION BY lat, lon, month(time)) AS anom |> REDUCE {function}(anom) AS s ALONG time",
                   anomaly.std("time", ddof=ddof).to_dataset(name="s"), tolerance="sum")
    daily = book.stores["daily"]
    tmin = widened(daily.tmin).reset_coords(drop=True)
    key = daily.time.dt.month.rename("month")
    answer = (tmin.groupby(key) - tmin.groupby(key).mean()).std("time").reset_coords(drop=True)
    book.array("anomaly_daily", "daily", "FROM daily |> EXTEND tmin - avg(tmin) OVER (PARTITION BY y, x, month(time)) AS anom |> REDUCE stddev_pop(anom) AS s ALONG time",
               answer.to_dataset(name="s"), tolerance="sum")
    norm = (ps.groupby(month) - ps.groupby(month).mean()).groupby(month) / ps.groupby(month).std(ddof=1)
    book.array("anomaly_standardised", "era",
               f"{start} (ps - avg(ps) OVER (PARTITION BY lat, lon, month(time))) / stddev(ps) OVER (PARTITION BY lat, lon, month(time)) AS z |> SELECT time, lat, lon, z",
               norm.reset_coords(drop=True).isel(**small).to_dataset(name="z"), tolerance="sum")
    share = (era.w.isel(time=slice(0, 3)) / era.w.isel(time=slice(0, 3)).max("lev")).isel(lat=slice(0, 2), lon=0, drop=True)
    book.array("share_of_the_column", "era", "SELECT time, lev, lat, w / max(w) OVER (PARTITION BY time, lat) AS v FROM era[time[0:3], lat[0:2], lon[0]]",
               share.transpose("time", "lev", "lat").to_dataset(name="v"))


def along(book: Casebook) -> None:
    era = book.stores["era"].drop_vars(["area", "crs"]).isel(time=slice(10, 13))
    t = widened(era.t)
    start = "FROM era[time[10:13]] |> EXTEND"
    book.array("eddy", "era", f"{start} t - avg(t) OVER (ALONG lon) AS eddy |> SELECT time, lat, lon, eddy", (t - t.mean("lon")).to_dataset(name="eddy"), tolerance="sum")
    book.array("eddy_f64", "era", f"{start} ps - avg(ps) OVER (ALONG lon) AS eddy |> SELECT time, lat, lon, eddy", (era.ps - era.ps.mean("lon")).to_dataset(name="eddy"), tolerance="sum")
    book.array("along_two", "era", f"{start} ps - avg(ps) OVER (ALONG lat, lon) AS v |> SELECT time, lat, lon, v",
               (era.ps - era.ps.mean(["lat", "lon"])).to_dataset(name="v"), tolerance="sum")
    book.array("along_max", "era", f"{start} max(ps) OVER (ALONG lon) AS v |> SELECT time, lat, lon, v", era.ps.max("lon").broadcast_like(era.ps).to_dataset(name="v"))
    book.array("along_count", "era", f"{start} count(t) OVER (ALONG lat) AS v |> SELECT time, lat, lon, v",
               era.t.count("lat").broadcast_like(era.t).transpose("time", "lat", "lon").to_dataset(name="v"))
    book.array("along_partition_spelling", "era", f"{start} ps - avg(ps) OVER (PARTITION BY time, lat) AS v |> SELECT time, lat, lon, v",
               (era.ps - era.ps.mean("lon")).to_dataset(name="v"), tolerance="sum")
    book.array("eddy_covariance", "era", f"{start} (t - avg(t) OVER (ALONG lon)) * (ps - avg(ps) OVER (ALONG lon)) AS c |> REDUCE avg(c) AS c ALONG lon",
               ((t - t.mean("lon")) * (era.ps - era.ps.mean("lon"))).mean("lon").to_dataset(name="c"), tolerance="sum")
