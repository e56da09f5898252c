"""The same questions in plain SQL, and through views, LET, CTEs, subqueries and set operations."""
import numpy as np
import xarray as xr

from casebook import Casebook
from oracle import widened


def write(book: Casebook) -> None:
    equivalents(book)
    views(book)
    subqueries(book)
    sets(book)
    relational(book)


def equivalents(book: Casebook) -> None:
    era, daily = book.stores["era"].drop_vars(["area", "crs"]), book.stores["daily"]
    t = widened(era.t)
    mean = widened(daily.tmin).sel(time="2000-01").mean(["y", "x"]).to_dataset(name="tmin")
    book.array("sql_main_job", "daily", "SELECT time, avg(tmin) AS tmin FROM daily WHERE time < '2000-02-01' GROUP BY time ORDER BY time", mean, tolerance="sum")
    book.array("sql_group_by_position", "daily", "SELECT time, avg(tmin) AS tmin FROM daily WHERE time < '2000-02-01' GROUP BY 1 ORDER BY 1", mean, tolerance="sum")
    book.array("sql_group_by_all", "era", "SELECT lat, lon, max(ps) AS top FROM era GROUP BY ALL", era.ps.max("time").to_dataset(name="top"))
    book.array("sql_climatology", "daily", "SELECT y, x, month(time) AS month, avg(tmin) AS tmin FROM daily GROUP BY y, x, month(time)",
               widened(daily.tmin).groupby("time.month").mean().reset_coords(drop=True).to_dataset(name="tmin"), dims=["month", "y", "x"],
               select=["y", "x", "month", "tmin"], tolerance="sum")
    book.rows("sql_distinct_dimension", "era", "SELECT DISTINCT lat FROM era", {"lat": era.lat.values}, dims=None)
    book.rows("sql_count_distinct", "era", "SELECT count(DISTINCT lat) AS lats FROM (SELECT DISTINCT lat FROM era) AS e", {"lats": [6]})
    book.array("sql_quoted_names", "era", 'SELECT "time", "lat", "lon", "ps" FROM "era"[time[0:2]]', era[["ps"]].isel(time=slice(0, 2)))
    book.array("sql_alias", "era", "SELECT e.lat, avg(e.t) AS t FROM era AS e GROUP BY e.lat", t.mean(["time", "lon"]).to_dataset(name="t"), tolerance="sum")
    book.array("sql_where_and_bracket", "era", "SELECT lat, avg(t) AS t FROM era[time = '2020-01'] WHERE lon < 100 GROUP BY lat",
               t.sel(time="2020-01", lon=slice(0, 99)).mean(["time", "lon"]).to_dataset(name="t"), tolerance="sum")
    book.rows("sql_whole", "era", "SELECT avg(t) AS mean, stddev_pop(t) AS s, min(t) AS low, count(*) AS n FROM era",
              {"mean": [t.mean().item()], "s": [t.std().item()], "low": np.array([era.t.min().item()], "f4"), "n": [era.t.size]}, tolerance="sum")
    book.array("sql_expression_of_aggregates", "era", "SELECT lat, max(ps) - min(ps) AS spread FROM era GROUP BY lat",
               (era.ps.max(["time", "lon"]) - era.ps.min(["time", "lon"])).to_dataset(name="spread"))
    book.array("sql_aggregate_of_expression", "era", "SELECT lat, sqrt(avg(power(t - 10, 2))) AS rmse FROM era GROUP BY lat",
               np.sqrt(((t - 10) ** 2).mean(["time", "lon"])).to_dataset(name="rmse"), tolerance="f32")
    book.array("sql_coalesce_sum", "era", "SELECT time, coalesce(sum(t), 0) AS s FROM era GROUP BY time", t.sum(["lat", "lon"]).to_dataset(name="s"), tolerance="sum")
    book.array("sql_sum_of_nothing_is_missing", "era", "SELECT time, sum(t) AS s, count(t) AS n FROM era[time[32:35]] GROUP BY time",
               xr.Dataset({"s": t.isel(time=slice(32, 35)).sum(["lat", "lon"], min_count=1), "n": era.t.isel(time=slice(32, 35)).count(["lat", "lon"])}), tolerance="sum")
    book.array("sql_year_month_where", "daily", "SELECT time, yearday FROM daily WHERE year(time) = 2001 AND month(time) = 2",
               daily[["yearday"]].sel(time="2001-02"))
    book.array("sql_pipe_equals_reduce", "era", "FROM era |> AGGREGATE avg(t) AS t GROUP BY time", t.mean(["lat", "lon"]).to_dataset(name="t"), tolerance="sum")
    book.array("sql_call_reduce", "era", "FROM era |> CALL reduce(avg(t), along => list(lat, lon))", t.mean(["lat", "lon"]).to_dataset(name="t"), tolerance="sum")


def views(book: Casebook) -> None:
    era, daily = book.stores["era"].drop_vars(["area", "crs"]), book.stores["daily"]
    t = widened(era.t)
    clim = "CREATE VIEW clim AS FROM era |> AGGREGATE avg(t) AS t GROUP BY lat, lon, dayofyear(time) AS doy"
    answer = t.groupby("time.dayofyear").mean().rename(dayofyear="doy").sel(doy=slice(1, 3))
    labels = xr.broadcast(answer.doy, answer.lat, answer.lon)
    rows = {name: label.values.ravel() for name, label in zip(("doy", "lat", "lon"), labels)}
    rows["t"] = answer.transpose("doy", "lat", "lon").values.ravel()
    book.rows("view_climatology", "era", "SELECT doy, lat, lon, t FROM clim WHERE doy <= 3", rows, dims=None, tolerance="sum", setup=clim)
    tops = t.groupby("time.dayofyear").mean().max(["lat", "lon"])
    book.rows("view_is_reduced_further", "era", "SELECT doy, max(t) AS top FROM clim GROUP BY doy ORDER BY doy",
              {"doy": tops.dayofyear.values, "top": tops.values}, ordered=True, dims=None, tolerance="sum", setup=clim)
    book.array("view_of_subset", "era", "FROM winter |> REDUCE avg(t) ALONG lat, lon", t.sel(time="2020-01").mean(["lat", "lon"]).to_dataset(name="t"), tolerance="sum",
               setup="CREATE VIEW winter AS FROM era[time = '2020-01']")
    book.array("view_keeps_dimension_sets", "era", "SELECT lat, sum(ps) AS s FROM winter GROUP BY lat", era.ps.sel(time="2020-01").sum(["time", "lon"]).to_dataset(name="s"),
               tolerance="sum", setup="CREATE VIEW winter AS FROM era[time = '2020-01']")
    book.array("view_takes_brackets", "era", "FROM warm[lat = 40] |> SELECT time, lon, k |> WHERE time < '2019-12-18'",
               (t + 273.15).sel(lat=40).isel(time=slice(0, 3)).to_dataset(name="k"), dims=["time", "lon"], tolerance="f32", types={"k": "float"},
               setup="CREATE VIEW warm AS FROM era |> EXTEND t + 273.15 AS k")
    book.array("let", "era", "FROM january |> REDUCE max(ps) ALONG time", era.ps.sel(time="2020-01").max("time").to_dataset(name="ps"),
               setup="LET january = FROM era[time = '2020-01']")
    book.array("let_of_let", "era", "FROM north |> REDUCE max(ps) ALONG time", era.ps.sel(time="2020-01", lat=slice(60, 40)).max("time").to_dataset(name="ps"),
               setup=["LET january = FROM era[time = '2020-01']", "LET north = FROM january[lat = 40:60]"])
    book.array("let_replaces", "era", "FROM x |> REDUCE avg(p) ALONG time", era.p.sel(time="2020-02").mean().to_dataset(name="p"), dims=[], tolerance="sum",
               setup=["LET x = FROM era[time = '2020-01']", "LET x = FROM era[time = '2020-02']"])
    book.array("view_of_masked", "daily", "FROM hot |> REDUCE count(tmax) AS n ALONG time", (daily.tmax > 28).sum("time").reset_coords(drop=True).to_dataset(name="n"),
               setup="CREATE VIEW hot AS FROM daily |> MASK tmax > 28")


def subqueries(book: Casebook) -> None:
    era = book.stores["era"].drop_vars(["area", "crs"])
    t = widened(era.t)
    means = t.mean(["lat", "lon"])
    tops = means.groupby("time.month").max()
    book.rows("cte", "era", "WITH m AS (SELECT time, avg(t) AS t FROM era GROUP BY time) SELECT month(time) AS month, max(t) AS top FROM m GROUP BY month(time)",
              {"month": tops.month.values, "top": tops.values}, dims=None, tolerance="sum")
    book.array("subquery_in_from", "era", "SELECT max(t) AS top FROM (SELECT time, avg(t) AS t FROM era GROUP BY time) AS m", means.max().to_dataset(name="top"), dims=[], tolerance="sum")
    book.array("subquery_from_first", "era", "SELECT max(t) AS top FROM (FROM era |> REDUCE avg(t) ALONG lat, lon) AS m", means.max().to_dataset(name="top"), dims=[], tolerance="sum")
    above = era.p.isel(time=(era.p > era.p.mean()).values)
    book.rows("scalar_subquery", "era", "SELECT time, p FROM era WHERE p > (SELECT avg(p) FROM era) ORDER BY time", {"time": above.time.values, "p": above.values}, ordered=True, dims=None)
    book.rows("scalar_subquery_in_map", "era", "SELECT time, p - (SELECT min(p) FROM era) AS v FROM era",
              {"time": era.time.values, "v": (era.p - era.p.min()).values}, dims=None)
    wet = era.time.isel(time=(era.p > 10).values)
    days = means.sel(time=wet)
    book.rows("in_subquery", "era", "SELECT time, avg(t) AS t FROM era WHERE time IN (SELECT time FROM era WHERE p > 10) GROUP BY time ORDER BY time",
              {"time": days.time.values, "t": days.values}, ordered=True, dims=None, tolerance="sum")
    book.array("subquery_star_is_a_dataset", "era", "SELECT lev, max(w) AS w FROM (SELECT * FROM era WHERE lat > 20) AS e GROUP BY lev",
               era.w.sel(lat=slice(60, 21)).max(["time", "lat", "lon"]).to_dataset(name="w"))
    book.array("cte_with_brackets", "era", "WITH j AS (FROM era[time = '2020-01']) SELECT lat, max(ps) AS ps FROM j GROUP BY lat",
               era.ps.sel(time="2020-01").max(["time", "lon"]).to_dataset(name="ps"))


def sets(book: Casebook) -> None:
    era = book.stores["era"]
    parts = [era.p.isel(time=slice(0, 2)), era.p.isel(time=slice(5, 7))]
    book.rows("union_all", "era", "SELECT time, p FROM era[time[0:2]] UNION ALL SELECT time, p FROM era[time[5:7]] ORDER BY time",
              {"time": np.concatenate([part.time.values for part in parts]), "p": np.concatenate([part.values for part in parts])}, ordered=True, dims=None)
    book.rows("except", "era", "SELECT lat FROM era EXCEPT SELECT lat FROM era[lat = 20:60] ORDER BY lat", {"lat": np.array([-5.25, 10], "f4")}, ordered=True, dims=None)
    book.rows("union_of_aggregates", "era", "SELECT 'low' AS k, min(ps) AS v FROM era UNION ALL SELECT 'high', max(ps) FROM era",
              {"k": ["low", "high"], "v": [era.ps.min().item(), era.ps.max().item()]})


def relational(book: Casebook) -> None:
    book.rows("no_table", "era", "SELECT 1 + 1 AS two, 'a' || 'b' AS ab", {"two": [2], "ab": ["ab"]})
    book.rows("values", "era", "SELECT * FROM (VALUES (1, 'x'), (2, 'y')) AS v(a, b) ORDER BY a", {"a": [1, 2], "b": ["x", "y"]}, ordered=True)
    book.rows("csv_file", "era", "SELECT name, height FROM '{golden}/tables/stations.csv' WHERE height > 50 ORDER BY name",
              {"name": ["bravo", "delta", "echo"], "height": [845, 77, 1500]}, ordered=True)
    book.rows("array_subscripts_stay_sql", "era", "SELECT a[1] AS one, a[2:3] = ARRAY[20, 30] AS rest FROM (SELECT ARRAY[10, 20, 30] AS a) AS t", {"one": [10], "rest": [True]})
    book.rows("generate_series", "era", "SELECT sum(value) AS s FROM generate_series(1, 10)", {"s": [55]})
    book.rows("external_table", "era", "SELECT count(*) AS n FROM stations", {"n": [5]},
              setup="CREATE EXTERNAL TABLE stations STORED AS CSV LOCATION '{golden}/tables/stations.csv' OPTIONS ('format.has_header' 'true')")
