"""Values cell by cell: arithmetic, CASE, comparisons, functions, MASK, WHERE on cells, broadcasting, NaN and missing."""
import numpy as np
import xarray as xr

from casebook import Casebook
from oracle import widened


def write(book: Casebook) -> None:
    arithmetic(book)
    conditions(book)
    missing(book)
    broadcasts(book)
    masks(book)
    where(book)
    spans(book)


def three_days(book: Casebook) -> xr.Dataset:
    return book.stores["era"].isel(time=slice(10, 13), lon=slice(0, 4)).drop_vars(["area", "crs"])


def arithmetic(book: Casebook) -> None:
    era = three_days(book)
    t = widened(era.t)
    for name, text, answer, tolerance, kind in (
        ("add_literal", "t + 273.15", t + 273.15, "f32", "float"),
        ("multiply", "t * 2", t * 2, "f32", "float"),
        ("integer_literal", "t - 1", t - 1, "f32", "float"),
        ("negate", "-t", -era.t, "exact", None),
        ("two_variables", "t + ps", t + era.ps, "f32", "float64"),
        ("f64_arithmetic", "ps * 2 - 1000", era.ps * 2 - 1000, "exact", None),
        ("f64_division", "ps / 3", era.ps / 3, "sum", None),
        ("power", "power(ps, 2)", era.ps**2, "sum", None),
        ("sqrt_abs", "sqrt(abs(t))", np.sqrt(abs(t)), "f32", "float"),
        ("exp", "exp(t / 10)", np.exp(t / 10), "f32", "float"),
        ("round", "round(ps)", np.floor(era.ps + 0.5), "exact", None),
        ("cast_double", "CAST(t AS DOUBLE) * 0.1", t * 0.1, "sum", "float64"),
        ("cast_integer", "CAST(floor(ps) AS BIGINT)", np.floor(era.ps), "exact", "int"),
        ("normalised_difference", "(ps - t) / (ps + t)", (era.ps - t) / (era.ps + t), "f32", "float64"),
        ("greatest", "greatest(t, 5)", xr.where(t.isnull(), 5, np.maximum(t, 5)), "f32", "float"),
        ("integer_with_missing", "n + 1", era.n + 1, "exact", "int"),
        ("integer_times_float", "n * t", era.n * t, "f32", "float"),
        ("dimension_in_expression", "t * lat", t * widened(era.lat), "f32", "float"),
        ("function_of_dimension", "t * cos(radians(lat))", t * np.cos(np.radians(widened(era.lat))), "f32", "float"),
        ("month_in_expression", "ps + month(time)", era.ps + era.time.dt.month, "exact", None),
    ):
        book.array(f"map_{name}", "era", f"FROM era[time[10:13], lon[0:4]] |> EXTEND {text} AS v |> SELECT time, lat, lon, v",
                   answer.transpose("time", "lat", "lon").to_dataset(name="v"), tolerance=tolerance, types={"v": kind} if kind else None)
    data = book.stores["integers"].isel(time=slice(0, 6))
    for name, text, answer in (
        ("integer_division", "i4 / 7", np.trunc(data.i4.astype("f8") / 7)), ("integer_modulo", "u2 % 10", data.u2 % 10),
        ("mixed_integers", "CAST(i1 AS INT) + CAST(u1 AS INT)", data.i1.astype("i4") + data.u1), ("bits", "u1 & 15", data.u1 & 15),
    ):
        book.array(f"map_{name}", "integers", f"SELECT time, x, {text} AS v FROM integers[time[0:6]]", answer.to_dataset(name="v"), types={"v": "int"})
    book.array("map_select_only", "era", "SELECT time, p * 10 AS tenths FROM era[time[0:9]]", (book.stores["era"].p[:9] * 10).to_dataset(name="tenths"))
    daily = book.stores["daily"]
    mid = (widened(daily.tmin) + widened(daily.tmax)) / 2
    book.array("map_two_arrays_mean", "daily", "FROM daily |> EXTEND (tmin + tmax) / 2 AS mid |> REDUCE avg(mid) AS mid ALONG y, x",
               mid.mean(["y", "x"]).to_dataset(name="mid"), tolerance="f32")
    book.array("map_extend_twice", "era", "FROM era[time[0:9]] |> EXTEND p * 2 AS a |> EXTEND a + 1 AS b |> SELECT time, a, b",
               xr.Dataset({"a": book.stores["era"].p[:9] * 2, "b": book.stores["era"].p[:9] * 2 + 1}))
    book.array("map_rename", "era", "FROM era[time[0:9]] |> RENAME p AS rain |> SELECT time, rain", book.stores["era"].p[:9].to_dataset(name="rain"))
    book.array("map_drop", "dem", "FROM dem[y[0:3], x[0:6]] |> DROP z |> SELECT *", book.stores["dem"][["class"]].isel(y=slice(0, 3), x=slice(0, 6)), star=True)


def conditions(book: Casebook) -> None:
    era = three_days(book)
    t = widened(era.t)
    for name, text, answer, kind in (
        ("comparison", "ps > 1013", (era.ps > 1013).where(era.ps.notnull()), "bool"),
        ("between", "t BETWEEN 5 AND 15", ((t >= 5) & (t <= 15)).where(t.notnull()), "bool"),
        ("and_or", "t > 5 AND ps > 1010", None, "bool"),
        ("case", "CASE WHEN t > 10 THEN 2 WHEN t > 0 THEN 1 ELSE 0 END", xr.where(t > 10, 2, xr.where(t > 0, 1, 0)), "int"),
        ("case_without_else", "CASE WHEN t > 10 THEN ps END", era.ps.where(t > 10), None),
        ("is_null", "t IS NULL", t.isnull(), "bool"),
        ("is_not_null", "n IS NOT NULL", era.n.notnull(), "bool"),
        ("coalesce", "coalesce(n, 0)", era.n.fillna(0), "int"),
        ("coalesce_floats", "coalesce(ps, 0)", era.ps.fillna(0), None),
        ("nullif", "nullif(n, 10)", era.n.where(era.n != 10), "int"),
        ("in_values", "lat IN (60, 40)", era.lat.isin([60, 40]).broadcast_like(era.t), "bool"),
    ):
        if answer is None:
            first, second = (t > 5).where(t.notnull()), (era.ps > 1010).where(era.ps.notnull())
            answer = xr.where((first == 0) | (second == 0), 0, first * second)
        book.array(f"condition_{name}", "era", f"SELECT time, lat, lon, {text} AS v FROM era[time[10:13], lon[0:4]]",
                   answer.transpose("time", "lat", "lon").to_dataset(name="v").assign_coords(era.coords), types={"v": kind} if kind else None)
    hot = book.stores["daily"].tmax > 30
    book.array("condition_hot_days", "daily", "FROM daily |> AGGREGATE count(*) FILTER (WHERE tmax > 30) AS hot GROUP BY y, x",
               hot.sum("time").reset_coords(drop=True).to_dataset(name="hot"))


def missing(book: Casebook) -> None:
    era = three_days(book)
    ratio = (era.ps - era.ps) / (era.ps - era.ps)
    book.array("nan_of_arithmetic_stays", "era", "SELECT time, lat, lon, (ps - ps) / (ps - ps) AS v FROM era[time[10:13], lon[0:4]]",
               xr.where(era.ps.isnull(), None, "NaN").to_dataset(name="v"), types={"v": "float64"})
    book.rows("nan_of_arithmetic_is_no_null", "era", "SELECT count(*) AS n FROM era[time[10:13], lon[0:4]] WHERE (ps - ps) / (ps - ps) IS NULL",
              {"n": [int(era.ps.isnull().sum())]})
    assert ratio.isnull().all()
    book.array("infinity_of_arithmetic", "era", "SELECT time, 1.0 / (p - p) AS v FROM era[time[0:3]]",
               (xr.full_like(book.stores["era"].p[:3], np.inf)).to_dataset(name="v"))
    book.rows("missing_counts", "era", "SELECT count(*) AS cells, count(t) AS there, count(*) - count(t) AS missing FROM era",
              {"cells": [book.stores["era"].t.size], "there": [int(book.stores["era"].t.count())], "missing": [int(book.stores["era"].t.isnull().sum())]})
    book.rows("missing_fails_comparisons", "era", "SELECT count(*) AS n FROM era WHERE t > -1000 OR t <= -1000", {"n": [int(book.stores["era"].t.count())]})
    book.rows("missing_is_not_greatest", "era", "SELECT max(t) AS high, max(n) AS most FROM era",
              {"high": np.array([book.stores["era"].t.max().item()], "f4"), "most": [int(book.stores["era"].n.max())]})
    book.rows("missing_where_is_null", "era", "SELECT count(*) AS n FROM era WHERE t IS NULL", {"n": [int(book.stores["era"].t.isnull().sum())]})


def broadcasts(book: Casebook) -> None:
    era = three_days(book)
    small = era.isel(lev=slice(0, 2))
    book.array("broadcast_two_into_four", "era", "SELECT time, lev, lat, lon, w * orog AS v FROM era[time[10:13], lev[0:2], lon[0:4]]",
               (small.w * widened(small.orog)).transpose("time", "lev", "lat", "lon").to_dataset(name="v"), tolerance="f32", types={"v": "float64"})
    book.array("broadcast_one_into_three", "era", "SELECT time, lat, lon, t + p AS v FROM era[time[10:13], lon[0:4]]",
               (widened(era.t) + era.p).to_dataset(name="v"), tolerance="f32", types={"v": "float64"})
    book.array("broadcast_three_into_four", "era", "SELECT time, lev, lat, lon, w + ps AS v FROM era[time[10:13], lev[0:2], lon[0:4]]",
               (small.w + small.ps).transpose("time", "lev", "lat", "lon").to_dataset(name="v"))
    book.array("broadcast_beside", "era", "SELECT time, lat, lon, ps, orog, p FROM era[time[10:13], lon[0:4]]", era[["ps", "orog", "p"]],
               dims=["time", "lat", "lon"])
    book.array("broadcast_scalar", "era", "SELECT time, p, crs FROM era[time[0:3]]",
               book.stores["era"][["p", "crs"]].isel(time=slice(0, 3)).reset_coords("crs"), dims=["time"])


def masks(book: Casebook) -> None:
    whole = book.stores["era"].drop_vars(["area", "crs"])
    era = three_days(book)
    start = "FROM era[time[10:13], lon[0:4]]"
    for name, text, condition in (
        ("value", "t > 10", era.t > 10), ("land", "land", era.land), ("not_land", "NOT land", ~era.land),
        ("list", "lat IN (60, 25.5)", era.lat.isin(np.array([60, 25.5], "f4"))), ("null_is_false", "n > 100", era.n > 100),
        ("two", "land AND orog > 1000", era.land & (era.orog > 1000)),
    ):
        book.array(f"mask_{name}", "era", f"{start} |> MASK {text} |> SELECT time, lat, lon, ps", era.ps.where(condition).transpose("time", "lat", "lon").to_dataset(name="ps"))
    book.array("mask_leaves_smaller_variables", "era", f"{start} |> MASK t > 10 |> SELECT time, lat, lon, ps, orog",
               xr.Dataset({"ps": era.ps.where(era.t > 10), "orog": era.orog}), dims=["time", "lat", "lon"])
    book.array("mask_then_reduce", "era", "FROM era |> MASK land |> REDUCE avg(t) ALONG lat, lon", widened(whole.t).where(whole.land).mean(["lat", "lon"]).to_dataset(name="t"), tolerance="sum")
    book.array("mask_integers", "integers", "FROM integers |> MASK scl IN (4, 5, 6) |> REDUCE count(i2) AS n, sum(i2) AS s ALONG x",
               xr.Dataset({"n": book.stores["integers"].i2.where(book.stores["integers"].scl.isin([4, 5, 6])).count("x"),
                           "s": book.stores["integers"].i2.astype("f8").where(book.stores["integers"].scl.isin([4, 5, 6])).sum("x")}), types={"s": "int"})
    day = book.stores["era"].isel(time=11).reset_coords(drop=True)
    for name, limit in (("kept", -1), ("gone", 1000)):
        book.array(f"mask_by_one_label_{name}", "era", f"FROM era[time[11]] |> MASK p > {limit} |> SELECT lat, lon, orog, ps",
                   xr.Dataset({"orog": day.orog, "ps": day.ps}).where(day.p > limit))
    book.array("mask_after_map", "era", f"{start} |> EXTEND ps - 1000 AS d |> MASK d > 10 |> SELECT time, lat, lon, d",
               (era.ps - 1000).where(era.ps - 1000 > 10).to_dataset(name="d"))
    book.array("mask_count_keeps_shape", "era", "FROM era |> MASK t > 10 |> REDUCE count(t) AS n ALONG time",
               (whole.t > 10).sum("time").to_dataset(name="n"))


def where(book: Casebook) -> None:
    era = book.stores["era"]
    part = three_days(book)
    frame = part.t.to_series()
    hot = frame[frame > 12].reset_index()
    columns = {"time": hot.time.values, "lat": hot.lat.values, "lon": hot.lon.values, "t": hot.t.values}
    book.rows("where_cells", "era", "SELECT time, lat, lon, t FROM era[time[10:13], lon[0:4]] WHERE t > 12", columns, dims=None)
    book.rows("where_cells_pipe", "era", "FROM era[time[10:13], lon[0:4]] |> WHERE t > 12 |> SELECT time, lat, lon, t", columns, dims=None)
    book.rows("where_cells_ordered", "era", "SELECT time, lat, lon, t FROM era[time[10:13], lon[0:4]] WHERE t > 12 ORDER BY time, lat DESC, lon", columns, ordered=True, dims=None)
    book.array("where_cells_then_group", "era", "FROM era |> WHERE t > 12 |> AGGREGATE count(*) AS n GROUP BY lat",
               (era.t > 12).sum(["time", "lon"]).to_dataset(name="n"), dims=["lat"])
    box = era.p.sel(time=slice("2020-01-10", "2020-01-20"))
    book.array("where_time_range", "era", "SELECT time, p FROM era WHERE time >= '2020-01-10' AND time <= '2020-01-20'", box.to_dataset(name="p"))
    book.array("where_time_between", "era", "SELECT time, p FROM era WHERE time BETWEEN TIMESTAMP '2020-01-10' AND TIMESTAMP '2020-01-20'", box.to_dataset(name="p"))
    book.array("where_decimal_label", "era", "SELECT lat, lon, orog FROM era WHERE lat = 51.3", era[["orog"]].isel(lat=[1]).drop_vars("area"))
    book.array("where_in_labels", "era", "SELECT lat, lon, orog FROM era WHERE lat IN (51.3, 10) AND lon > 200", era[["orog"]].isel(lat=[1, 4], lon=slice(5, None)).drop_vars("area"))
    book.array("where_month", "era", "SELECT time, p FROM era WHERE month(time) = 2", era.p.isel(time=era.time.dt.month.values == 2).to_dataset(name="p"))
    book.array("where_not_box", "era", "SELECT lat, lon, orog FROM era WHERE NOT (lat > 20 AND lat < 55)", era[["orog"]].isel(lat=[0, 4, 5]).drop_vars("area"))


def spans(book: Casebook) -> None:
    """What a block spans, and what joins it."""
    era = book.stores["era"]
    book.array("span_not_once_per_level", "era", "SELECT lat, sum(ps) AS s FROM era GROUP BY lat", era.ps.sum(["time", "lon"]).to_dataset(name="s"), tolerance="sum")
    book.array("span_two_variables", "era", "SELECT lat, sum(ps) AS s, avg(t) AS m FROM era GROUP BY lat",
               xr.Dataset({"s": era.ps.sum(["time", "lon"]), "m": widened(era.t).mean(["time", "lon"])}), tolerance="sum")
    book.array("span_dimension_in_where_joins", "era", "SELECT count(*) AS n FROM era WHERE p > 5 AND lat > 20",
               xr.Dataset({"n": int((era.p > 5).sum()) * 4}), dims=[])
    book.array("span_bracket_does_not_join", "era", "SELECT count(p) AS n, sum(p) AS s FROM era[lat = 10:60, lev = 850]",
               xr.Dataset({"n": era.p.count(), "s": era.p.sum()}), dims=[], tolerance="sum")
    book.array("span_dimension_in_group_joins", "era", "SELECT lev, count(*) AS n FROM era WHERE p > 5 GROUP BY lev",
               xr.full_like(era.lev, int((era.p > 5).sum())).to_dataset(name="n"), types={"n": "int"})
    book.array("span_min_of_smaller_variable", "era", "SELECT min(p) AS low, avg(t) AS m FROM era",
               xr.Dataset({"low": era.p.min(), "m": widened(era.t).mean()}), dims=[], tolerance="sum")
    book.array("span_smaller_variable_with_its_keys", "era", "SELECT lat, lon, avg(t) AS m, max(orog) AS h FROM era GROUP BY lat, lon",
               xr.Dataset({"m": widened(era.t).mean("time"), "h": era.orog}).drop_vars(["area", "crs"]), dims=["lat", "lon"], tolerance="sum")
    book.array("span_through_subquery", "era", "SELECT lat, sum(ps) AS s FROM (SELECT * FROM era) AS e GROUP BY lat", era.ps.sum(["time", "lon"]).to_dataset(name="s"), tolerance="sum")
    book.array("span_through_extend", "era", "FROM era |> EXTEND w * 2 AS ww |> AGGREGATE sum(ps) AS s GROUP BY lat", era.ps.sum(["time", "lon"]).to_dataset(name="s"), tolerance="sum")
    book.array("span_auxiliary_coordinate", "era", "SELECT lat, lon, area FROM era[lat[0:2]]", era.area.isel(lat=slice(0, 2)).drop_vars(["area", "crs"]).to_dataset(name="area"))
    book.array("span_of_dimensions_alone", "era", "SELECT lat, lon, lat + lon AS v FROM era", (era.lat + era.lon).drop_vars(["area", "crs"], errors="ignore").to_dataset(name="v"), types={"v": "float"})
    book.rows("span_of_dimensions_counts_the_largest", "era", "SELECT lat, count(*) AS n FROM era GROUP BY lat",
              {"lat": era.lat.values, "n": [80 * 4 * 8] * 6}, dims=["lat"])
    wet = era.p.isel(time=(era.p > 20).values)
    book.rows("span_fixed_table", "era", 'SELECT time, p FROM era."time" WHERE p > 20 ORDER BY time', {"time": wet.time.values, "p": wet.values},
              ordered=True, dims=None)
    book.rows("span_fixed_table_count", "era", 'SELECT count(*) AS n FROM era."lat_lon"', {"n": [48]})
