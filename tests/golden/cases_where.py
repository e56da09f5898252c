"""WHERE on single dimensions chooses labels, as brackets do, whatever counts cells afterwards; elsewhere it drops rows."""
import numpy as np

from casebook import Casebook
from oracle import rolled, widened

HELP = "MASK in place of WHERE"


def write(book: Casebook) -> None:
    chosen(book)
    dropped(book)


def chosen(book: Casebook) -> None:
    era = book.stores["era"].drop_vars(["area", "crs"])
    mean = lambda w: w.mean("window")
    late = era.sel(time=slice("2019-12-20", None))
    start = "FROM era |> WHERE time >= '2019-12-20'"
    book.array("where_then_argmax", "era", f"{start} |> REDUCE argmax(ps) ALONG time", late.ps.argmax("time").to_dataset(name="ps"), types={"ps": "int"})
    book.array("where_then_idxmin", "era", f"{start} |> REDUCE idxmin(ps) ALONG time", late.ps.idxmin("time").to_dataset(name="ps"))
    book.array("where_then_coarsen", "era", f"{start} |> COARSEN avg(p) BY time 4 USING trim", late.p.coarsen(time=4, boundary="trim").mean().to_dataset(name="p"), tolerance="sum")
    book.array("where_then_coarsen_two_conditions", "era", f"{start} AND lon > 50 |> COARSEN avg(ps) BY time 5, lon 3 USING trim",
               late.ps.sel(lon=slice(50, None)).assign_coords(lon=late.lon.sel(lon=slice(50, None)).astype("f8")).coarsen(time=5, lon=3, boundary="trim").mean().to_dataset(name="ps"),
               dims=["time", "lat", "lon"], tolerance="sum")
    book.array("where_then_lag", "era", f"{start} |> EXTEND p - p[time-1] AS d |> SELECT time, d", (late.p - late.p.shift(time=1)).to_dataset(name="d"))
    book.array("where_then_window", "era", f"{start} |> EXTEND avg(p[time-2:time]) AS v |> SELECT time, v", rolled(late.p, "time", 2, 0, mean).to_dataset(name="v"), tolerance="sum")
    book.array("where_then_position", "era", f"{start} |> SEL time[1] |> SELECT lat, lon, ps", late.ps.isel(time=1, drop=True).to_dataset(name="ps"))
    three_days = rolled(late.p, "time", 2, 0, lambda w: w.sum("window")).to_dataset(name="v")
    book.array("where_then_interval_window", "era", f"{start} |> EXTEND sum(p[time - INTERVAL '2 days':time]) AS v |> SELECT time, v", three_days, tolerance="sum")
    book.array("where_in_sql_then_interval_window", "era", "SELECT time, window_sum(p, time => range(-INTERVAL '2 days', 0)) AS v FROM era WHERE time >= '2019-12-20'",
               three_days, tolerance="sum")
    months = era.p.isel(time=(era.time.dt.month != 12).values)
    book.array("where_of_a_function_then_lag", "era", "FROM era |> WHERE month(time) <> 12 |> EXTEND p[time-1] AS v |> SELECT time, v", months.shift(time=1).to_dataset(name="v"))
    book.array("where_in_sql_then_argmax", "era", "SELECT lat, lon, argmax(ps) AS a FROM era WHERE time >= '2019-12-20' GROUP BY lat, lon",
               late.ps.argmax("time").to_dataset(name="a"), types={"a": "int"})
    changes = (era.p - era.p.shift(time=1)).sel(time=slice("2019-12-20", None))
    book.array("window_then_where", "era", "FROM era |> EXTEND p - p[time-1] AS d |> WHERE time >= '2019-12-20' |> SELECT time, d", changes.to_dataset(name="d"))
    book.array("where_twice_then_count", "era", f"{start} |> WHERE lat > 0 |> WHERE time < '2019-12-25' |> REDUCE count(t) AS n ALONG time",
               era.t.sel(time=slice("2019-12-20", "2019-12-24"), lat=era.lat[era.lat > 0]).count("time").to_dataset(name="n"), types={"n": "int"})
    book.array("where_of_cells_then_neighbours_elsewhere", "era", "FROM era |> WHERE p > 3 |> EXTEND ps[lon-1] AS v |> REDUCE sum(v) AS v ALONG lat, lon",
               era.ps.shift(lon=1).where(era.p > 3, drop=True).sum(["lat", "lon"]).to_dataset(name="v"), tolerance="sum")


def dropped(book: Casebook) -> None:
    for name, query, fragments in (
        ("lag", "FROM era |> WHERE t > 5 |> EXTEND t - t[time-1] AS d |> SELECT time, lat, lon, d", ["time", "t > 5", HELP]),
        ("window", "FROM era |> WHERE t > 5 |> EXTEND avg(t[time-2:time]) AS v |> SELECT time, lat, lon, v", ["time", "t > 5", HELP]),
        ("window_in_sql", "SELECT time, lat, lon, window_avg(t, lon => range(-1, 1)) AS v FROM era WHERE ps > 1000", ["lon", "ps > 1000", HELP]),
        ("coarsen", "FROM era |> WHERE t > 5 |> COARSEN avg(t) BY lat 3", ["lat", "t > 5", HELP]),
        ("coarsen_two_conditions", "FROM era |> WHERE time > '2019-12-20' AND lat + lon > 60 |> COARSEN avg(t) BY lon 2", ["lon", "lat + lon > 60", HELP]),
        ("argmax", "FROM era |> EXTEND p[time-1] AS d |> WHERE time > '2019-12-20' |> REDUCE argmax(d) ALONG time", ["time", "2019-12-20", HELP]),
    ):
        book.error(f"error_where_then_{name}", "era", query, *fragments)
    era = book.stores["era"].drop_vars(["area", "crs"])
    warm = widened(era.t).where(era.t > 5)
    book.array("mask_then_lag", "era", "FROM era |> MASK t > 5 |> EXTEND t - t[time-1] AS d |> REDUCE sum(d) AS d ALONG time",
               (warm - warm.shift(time=1)).sum("time", min_count=1).to_dataset(name="d"), tolerance="f32")
    # Every place has such a time: a group whose cells were all dropped has no row.
    least = int(np.floor(float(era.ps.max("time").min()) - 1))
    argmax = era.ps.where(era.ps > least).fillna(-1e9).argmax("time")
    book.array("where_of_cells_then_argmax", "era", f"FROM era |> WHERE ps > {least} |> REDUCE argmax(ps) AS a ALONG time",
               argmax.to_dataset(name="a"), types={"a": "int"})
