"""REDUCE: every aggregate, along every set of dimensions, KEEP, weights, FILTER, COARSEN and RESAMPLE."""
import numpy as np
import xarray as xr

from casebook import Casebook
from oracle import AGGREGATES, call, class_of, tolerance_of, widened

DIMENSION_SETS = (("time",), ("lat",), ("lon",), ("lat", "lon"), ("time", "lon"), ("time", "lat"), ("time", "lat", "lon"))
POSITIONAL = ("argmin", "argmax", "idxmin", "idxmax")
INTEGERS = ("n",)


def write(book: Casebook) -> None:
    every_aggregate(book)
    every_dimension_set(book)
    integer_types(book)
    several(book)
    weighted(book)
    filtered(book)
    extremes(book)
    coarsen(book)
    resample(book)
    gaps(book)
    empty_selections(book)
    dimension_sets(book)
    after_subsets(book)


def reduced(book, name, store, query, array, aggregate, along, variable, kept=None) -> None:
    """A case of one aggregate of one variable."""
    answer = AGGREGATES[aggregate](array, list(along))
    kept = [dim for dim in array.dims if dim not in along]
    is_integer = array.dtype.kind in "iu" or variable in INTEGERS
    kind = class_of(aggregate, array, is_integer)
    if aggregate in ("idxmin", "idxmax") and array[along[0]].dtype.kind == "i":
        kind = "int"  # xarray gives integer labels back as floats
    book.array(name, store, query, answer.reset_coords(drop=True).to_dataset(name=variable), dims=kept,
               tolerance=tolerance_of(aggregate, array), types={variable: kind} if kind else None)


def every_aggregate(book: Casebook) -> None:
    era = book.stores["era"]
    for aggregate in AGGREGATES:
        variable = "land" if aggregate in ("any", "all") else "t"
        array = era[variable]
        along = ("time",) if variable == "t" else ("lon",)
        reduced(book, f"reduce_{aggregate}", "era", f"FROM era |> REDUCE {call(aggregate, variable)} ALONG {along[0]}", array, aggregate, along, variable)
        if aggregate not in POSITIONAL:
            whole = array.dims
            query = f"FROM era |> REDUCE {call(aggregate, variable)}"
            if aggregate not in ("first", "last"):
                reduced(book, f"reduce_{aggregate}_whole", "era", query, array, aggregate, whole, variable)


def every_dimension_set(book: Casebook) -> None:
    era = book.stores["era"]
    for along in DIMENSION_SETS:
        kept = [dim for dim in era.t.dims if dim not in along]
        for aggregate in ("avg", "max", "stddev_pop"):
            names = "_".join(along)
            reduced(book, f"reduce_{aggregate}_along_{names}", "era",
                    f"FROM era |> REDUCE {aggregate}(t) ALONG {', '.join(along)}", era.t, aggregate, along, "t")
        if kept:
            reduced(book, f"reduce_sum_keep_{'_'.join(kept)}", "era", f"FROM era |> REDUCE sum(ps) KEEP {', '.join(kept)}", era.ps, "sum", along, "ps")
    reduced(book, "reduce_four_dimensions", "era", "FROM era |> REDUCE avg(w) ALONG lev, lat, lon", era.w, "avg", ("lev", "lat", "lon"), "w")
    reduced(book, "reduce_four_keep_lev", "era", "FROM era |> REDUCE min(w) KEEP lev", era.w, "min", ("time", "lat", "lon"), "w")
    reduced(book, "reduce_four_keep_two", "era", "FROM era |> REDUCE max(w) KEEP lev, lat", era.w, "max", ("time", "lon"), "w")
    reduced(book, "reduce_along_order_is_free", "era", "FROM era |> REDUCE avg(t) ALONG lon, lat", era.t, "avg", ("lat", "lon"), "t")
    reduced(book, "reduce_one_dimension", "era", "FROM era |> REDUCE avg(p) ALONG time", era.p, "avg", ("time",), "p")


def integer_types(book: Casebook) -> None:
    data = book.stores["integers"]
    for name in ("i1", "i2", "i4", "i8", "u1", "u2", "u4"):
        for aggregate in ("sum", "avg", "min", "max"):
            reduced(book, f"reduce_{aggregate}_{name}", "integers", f"FROM integers |> REDUCE {aggregate}({name}) ALONG x", data[name], aggregate, ("x",), name)
    for aggregate in ("sum", "avg", "min", "max", "count", "stddev", "median"):
        reduced(book, f"reduce_{aggregate}_missing_integers", "era", f"FROM era |> REDUCE {aggregate}(n) ALONG time", book.stores["era"].n, aggregate, ("time",), "n")
    reduced(book, "reduce_any_flag", "integers", "FROM integers |> REDUCE any(flag) ALONG time", data.flag, "any", ("time",), "flag")
    reduced(book, "reduce_all_flag", "integers", "FROM integers |> REDUCE all(flag) ALONG x", data.flag, "all", ("x",), "flag")
    book.array("reduce_any_of_comparison", "integers", "FROM integers |> REDUCE any(i1 > 120) AS hit, all(u1 > 20) AS lit ALONG x",
               xr.Dataset({"hit": (data.i1 > 120).any("x"), "lit": (data.u1 > 20).all("x")}))


def several(book: Casebook) -> None:
    era = book.stores["era"]
    t = widened(era.t)
    book.array("reduce_several", "era", "FROM era |> REDUCE avg(t) AS mean, min(t) AS low, max(t) AS high, count(t) AS n ALONG lat, lon",
               xr.Dataset({"mean": t.mean(["lat", "lon"]), "low": era.t.min(["lat", "lon"]), "high": era.t.max(["lat", "lon"]),
                           "n": era.t.count(["lat", "lon"])}), tolerance="sum")
    book.array("reduce_several_variables", "era", "FROM era |> REDUCE avg(t), max(ps) ALONG lat, lon",
               xr.Dataset({"t": t.mean(["lat", "lon"]), "ps": era.ps.max(["lat", "lon"])}), tolerance="sum")
    book.array("reduce_different_dimensions", "era", "FROM era |> REDUCE avg(t) AS t, avg(w) AS w ALONG lat, lon",
               xr.Dataset({"t": t.mean(["lat", "lon"]), "w": era.w.mean(["lat", "lon"])}), dims=["time", "lev"], tolerance="sum")
    book.array("reduce_scalar_beside_array", "era", "FROM era |> REDUCE avg(t) AS t, sum(p) AS p ALONG time",
               xr.Dataset({"t": t.mean("time"), "p": era.p.sum("time")}).drop_vars("area"), dims=["lat", "lon"], tolerance="sum")
    book.array("reduce_of_expression", "era", "FROM era |> REDUCE avg(t * 2 + 1) AS m ALONG time", (t * 2 + 1).mean("time").drop_vars("area").to_dataset(name="m"), tolerance="f32")
    book.array("reduce_expression_of_aggregates", "era", "FROM era |> REDUCE max(t) - min(t) AS spread ALONG lat, lon",
               (t.max(["lat", "lon"]) - t.min(["lat", "lon"])).to_dataset(name="spread"), tolerance="f32", types={"spread": "float"})
    book.array("reduce_two_variables_in_one", "era", "FROM era |> REDUCE avg(t + ps) AS both ALONG time",
               (t + era.ps).mean("time").drop_vars("area").to_dataset(name="both"), tolerance="sum")
    book.array("reduce_broadcast_product", "era", "FROM era |> REDUCE sum(w * orog) AS flux ALONG lat, lon",
               (era.w * era.orog.astype("f8")).sum(["lat", "lon"], min_count=1).to_dataset(name="flux"), tolerance="sum")
    book.array("reduce_twice", "era", "FROM era |> REDUCE avg(t) AS t ALONG lat, lon |> REDUCE max(t) AS top ALONG time",
               t.mean(["lat", "lon"]).max("time").to_dataset(name="top"), dims=[], tolerance="sum")
    book.array("reduce_map_after", "era", "FROM era |> REDUCE avg(t) AS t ALONG lat, lon |> EXTEND t * 2 AS twice |> SELECT time, twice",
               (t.mean(["lat", "lon"]) * 2).to_dataset(name="twice"), tolerance="sum")
    book.array("reduce_then_where", "era", "FROM era |> REDUCE avg(t) AS t ALONG lon |> WHERE lat > 20 |> SELECT time, lat, t",
               t.mean("lon").sel(lat=slice(60, 25)).to_dataset(name="t"), dims=["time", "lat"], tolerance="sum")
    book.array("reduce_sum_nothing_as_zero", "era", "FROM era |> REDUCE coalesce(sum(t), 0) AS s ALONG lat, lon",
               t.sum(["lat", "lon"]).to_dataset(name="s"), tolerance="sum")


def weighted(book: Casebook) -> None:
    era = book.stores["era"]
    weights = np.cos(np.radians(era.lat.astype("f8")))
    t = widened(era.t)
    for name, along in (("lat_lon", ["lat", "lon"]), ("lat", ["lat"]), ("all", ["time", "lat", "lon"])):
        text = f" ALONG {', '.join(along)}" if name != "all" else ""
        book.array(f"weighted_{name}", "era", f"FROM era |> REDUCE avg(t, weights => cos(radians(lat))) AS m{text}",
                   t.weighted(weights).mean(along).reset_coords(drop=True).to_dataset(name="m"),
                   dims=[dim for dim in t.dims if dim not in along], tolerance="f32")
    book.array("weighted_by_variable", "era", "FROM era |> REDUCE avg(ps, weights => area) AS m ALONG lat, lon",
               era.ps.weighted(era.area).mean(["lat", "lon"]).to_dataset(name="m"), tolerance="sum")
    book.array("weighted_by_time", "era", "FROM era |> REDUCE avg(ps, weights => p) AS m ALONG time",
               era.ps.weighted(era.p).mean("time").to_dataset(name="m"), dims=["lat", "lon"], tolerance="sum")
    book.rows("weighted_in_sql", "era", "SELECT avg(ps, weights => area) AS m FROM era", {"m": [era.ps.weighted(era.area).mean().item()]}, tolerance="sum")


def filtered(book: Casebook) -> None:
    era = book.stores["era"]
    t = widened(era.t)
    book.array("filter_count", "era", "FROM era |> REDUCE count(t) FILTER (WHERE t > 12) AS hot ALONG time",
               (era.t > 12).sum("time").drop_vars("area").to_dataset(name="hot"))
    book.array("filter_count_cells", "era", "FROM era |> AGGREGATE count(*) FILTER (WHERE t > 12) AS hot GROUP BY lat, lon",
               (era.t > 12).sum("time").drop_vars("area").to_dataset(name="hot"))
    book.array("filter_avg", "era", "FROM era |> REDUCE avg(t) FILTER (WHERE ps > 1010) AS m ALONG time",
               t.where(era.ps > 1010).mean("time").drop_vars("area").to_dataset(name="m"), tolerance="sum")
    book.array("filter_sum_none_left", "era", "FROM era |> REDUCE sum(t) FILTER (WHERE t > 1000) AS s ALONG time",
               t.where(t > 1000).sum("time", min_count=1).drop_vars("area").to_dataset(name="s"), dims=["lat", "lon"])
    book.array("filter_case_sum", "era", "FROM era |> REDUCE sum(CASE WHEN t > 12 THEN 1 ELSE 0 END) AS hot ALONG time",
               (era.t > 12).sum("time").drop_vars("area").to_dataset(name="hot"))
    book.array("filter_dimension", "era", "FROM era |> REDUCE avg(t) FILTER (WHERE month(time) = 1) AS january ALONG time",
               t.isel(time=era.time.dt.month.values == 1).mean("time").drop_vars("area").to_dataset(name="january"), tolerance="sum")


def extremes(book: Casebook) -> None:
    era = book.stores["era"]
    filled = era.w
    for dim in ("lev", "lat", "lon"):
        reduced(book, f"argmax_w_{dim}", "era", f"FROM era[time[0:3]] |> REDUCE argmax(w) ALONG {dim}", filled.isel(time=slice(0, 3)), "argmax", (dim,), "w")
        reduced(book, f"idxmin_w_{dim}", "era", f"FROM era[time[0:3]] |> REDUCE idxmin(w) ALONG {dim}", filled.isel(time=slice(0, 3)), "idxmin", (dim,), "w")
    for q in (0, 0.25, 0.5, 1):
        book.array(f"quantile_{q}", "era", f"FROM era |> REDUCE quantile(ps, {q}) AS q ALONG time",
                   era.ps.quantile(q, "time").drop_vars("quantile").to_dataset(name="q"), tolerance="sum")
    book.array("quantile_and_hottest_day", "era", "FROM era |> REDUCE quantile(t, 0.9) AS q90, idxmax(t) AS hottest_day ALONG time",
               xr.Dataset({"q90": widened(era.t).quantile(0.9, "time").drop_vars("quantile"), "hottest_day": era.t.idxmax("time")}).drop_vars("area"),
               tolerance="f32", types={"q90": "float"})
    book.array("arg_max_of_label", "era", "FROM era |> REDUCE arg_max(time, ps) AS day ALONG time", era.ps.idxmax("time").to_dataset(name="day"))


def coarsen(book: Casebook) -> None:
    # Coordinates of coarse cells are means: float64.
    dem, era = (dataset.assign_coords({name: dataset[name].astype("f8") for name in names})
                for dataset, names in ((book.stores["dem"], ["x"]), (book.stores["era"], ["lat", "lon"])))
    kept = {"x": "float32"}
    z = widened(dem.z)
    even = era.t.isel(time=slice(0, 4))
    book.array("coarsen_exact", "era", "FROM era[time[0:4]] |> COARSEN avg(t) BY lat 3, lon 4", widened(even).coarsen(lat=3, lon=4).mean().drop_vars("area").to_dataset(name="t"),
               dims=["time", "lat", "lon"], tolerance="sum")
    book.array("coarsen_several", "era", "FROM era |> COARSEN avg(t), max(t) AS top BY time 16, lat 6, lon 8",
               xr.Dataset({"t": widened(era.t).coarsen(time=16, lat=6, lon=8).mean(), "top": era.t.coarsen(time=16, lat=6, lon=8).max()}).drop_vars("area"),
               tolerance="sum")
    book.array("coarsen_trim", "dem", "FROM dem |> COARSEN avg(z), max(z) AS zmax BY y 10, x 10 USING trim",
               xr.Dataset({"z": z.coarsen(y=10, x=10, boundary="trim").mean(), "zmax": dem.z.coarsen(y=10, x=10, boundary="trim").max()}), tolerance="sum")
    book.array("coarsen_pad", "dem", "FROM dem |> COARSEN avg(z) BY y 10, x 10 USING pad", z.coarsen(y=10, x=10, boundary="pad").mean().to_dataset(name="z"), tolerance="sum")
    fours = z.coarsen(y=4, boundary="trim")
    book.array("coarsen_trim_one_dimension", "dem", "FROM dem |> COARSEN sum(z) BY y 4 USING trim",
               fours.sum().where(fours.count() > 0).to_dataset(name="z"), tolerance="sum", types=kept)
    book.array("coarsen_pad_count", "dem", "FROM dem |> COARSEN count(z) AS n, min(z) AS low BY x 5 USING pad",
               xr.Dataset({"n": dem.z.coarsen(x=5, boundary="pad").count(), "low": dem.z.coarsen(x=5, boundary="pad").min()}), dims=["y", "x"], types={"n": "int"})
    book.array("coarsen_time", "era", "FROM era |> COARSEN sum(p) BY time 8", era.p.coarsen(time=8).sum().to_dataset(name="p"), tolerance="sum")


def resample(book: Casebook) -> None:
    daily, era = book.stores["daily"], book.stores["era"]
    for name, step, frequency in (("month", "1 month", "MS"), ("year", "1 year", "YS"), ("quarter", "3 months", "QS")):
        book.array(f"resample_{name}", "daily", f"FROM daily[y[1], x[2:4]] |> RESAMPLE avg(tmin) TO time '{step}'",
                   widened(daily.tmin).isel(y=1, x=slice(2, 4)).resample(time=frequency).mean().reset_coords(drop=True).to_dataset(name="tmin"),
                   dims=["time", "x"], tolerance="sum")
    book.array("resample_sum_and_max", "daily", "FROM daily[y[1:3], x[2]] |> RESAMPLE sum(prcp) AS wet, max(tmax) AS hot TO time '1 month'",
               xr.Dataset({"wet": widened(daily.prcp).isel(y=slice(1, 3), x=2).resample(time="MS").sum(min_count=1),
                           "hot": daily.tmax.isel(y=slice(1, 3), x=2).resample(time="MS").max()}).reset_coords(drop=True), dims=["time", "y"], tolerance="sum")
    book.array("resample_five_days", "era", "FROM era |> RESAMPLE sum(p) TO time '5 days'",
               era.p.resample(time="5D", origin="epoch").sum().to_dataset(name="p"), tolerance="sum")
    hours = book.stores["integers"]
    book.array("resample_day_from_hours", "integers", "FROM integers |> RESAMPLE max(i2) TO time '1 day'", hours.i2.resample(time="1D").max().to_dataset(name="i2"))
    book.array("resample_six_hours", "integers", "FROM integers |> RESAMPLE count(flag) AS n TO time '6 hours'", hours.flag.resample(time="6h").count().to_dataset(name="n"))
    gap = xr.concat([era.p.sel(time="2019-12"), era.p.sel(time="2020-02")], "time")
    book.array("resample_gap_is_missing", "era", "FROM era |> WHERE month(time) <> 1 |> RESAMPLE sum(p) TO time '1 month'",
               gap.sel(time=slice("2019-12", "2020-02")).combine_first(era.p.sel(time="2020-03")).resample(time="MS").sum(min_count=1).to_dataset(name="p"), tolerance="sum")


def gaps(book: Casebook) -> None:
    """A bin between others that no label lies in: a row of missing cells, for every combination of the other labels."""
    era, daily, noleap = book.stores["era"].drop_vars(["area", "crs"]), book.stores["daily"], book.stores["noleap"]
    few = era.t.sel(time=["2019-12-20", "2019-12-21", "2020-03-01"]).isel(lat=slice(1, 3), lon=slice(0, 3))
    start = "FROM era[time IN ('2019-12-20', '2019-12-21', '2020-03-01'), lat[1:3], lon[0:3]] |> RESAMPLE"
    monthly, dims = few.resample(time="MS"), ["time", "lat", "lon"]
    answer = xr.Dataset({"t": widened(few).resample(time="MS").mean(), "n": monthly.count().fillna(0), "top": monthly.max()})
    book.array("resample_gap_with_several_keys", "era", f"{start} avg(t), count(t) AS n, max(t) AS top TO time '1 month'", answer, dims=dims,
               tolerance="sum", types={"n": "int"})
    book.array("resample_gap_of_expressions", "era", f"{start} coalesce(sum(t), 0) AS s, max(t) - min(t) AS spread TO time '1 month'",
               xr.Dataset({"s": widened(few).resample(time="MS").sum().fillna(0), "spread": monthly.max() - monthly.min()}), dims=dims, tolerance="sum", types={"spread": "float"})
    everything = xr.Dataset({"n": xr.ones_like(few, dtype="i8").resample(time="MS").sum().fillna(0)})
    book.array("resample_gap_counts_rows", "era", f"{start} count(*) AS n, count(t) AS t TO time '1 month'",
               everything.assign(t=monthly.count().fillna(0)), dims=dims, types={"n": "int", "t": "int"})
    book.array("resample_gap_after_where_on_another_dimension", "era", f"{start.replace('|> RESAMPLE', '|> WHERE lat < 45 |> RESAMPLE')} avg(t) TO time '1 month'",
               widened(few.sel(lat=[40])).resample(time="MS").mean().to_dataset(name="t"), dims=dims, tolerance="sum")
    book.array("resample_gap_then_reduce", "era", f"{start} max(t) AS t TO time '1 month' |> REDUCE max(t) AS t ALONG lat, lon",
               monthly.max().max(["lat", "lon"]).to_dataset(name="t"), dims=["time"])
    book.array("resample_gap_of_a_day", "daily", "FROM daily[time = '2000-12-30':'2001-01-02', y[1:3], x[2]] |> RESAMPLE avg(tmin), count(*) AS n TO time '1 day'",
               xr.Dataset({"tmin": widened(daily.tmin).sel(time=slice("2000-12-30", "2001-01-02")).isel(y=slice(1, 3), x=2).resample(time="1D").mean(),
                           "n": xr.ones_like(daily.tmin, dtype="i8").sel(time=slice("2000-12-30", "2001-01-02")).isel(y=slice(1, 3), x=2).resample(time="1D").sum().fillna(0)}).reset_coords(drop=True),
               dims=["time", "y"], tolerance="sum", types={"n": "int"})
    hours = book.stores["integers"].isel(time=[0, 1, 9, 25])
    book.array("resample_gap_of_integers", "integers", "FROM integers[time IN ('2020-02-27T00', '2020-02-27T03', '2020-02-28T03', '2020-03-01T03')] |> RESAMPLE max(i2) AS i2, count(flag) AS n TO time '12 hours'",
               xr.Dataset({"i2": hours.i2.astype("f8").resample(time="12h").max(), "n": hours.flag.resample(time="12h").count().fillna(0)}), dims=["time", "x"], types={"i2": "int", "n": "int"})
    book.array("resample_gap_of_a_calendar", "noleap", "FROM noleap[time IN ('2000-01-10', '2000-04-02')] |> RESAMPLE max(tas) TO time '1 month'",
               noleap.tas.isel(time=[9, 91]).resample(time="MS").max().to_dataset(name="tas"), dims=["time", "site"])


def empty_selections(book: Casebook) -> None:
    """What REDUCE keeps of a bracket that selects nothing; plain SQL has no row for a group without a row."""
    era, daily = book.stores["era"].drop_vars(["area", "crs"]), book.stores["daily"]
    t, none = widened(era.t).isel(time=slice(0, 4)), era.t.isel(time=slice(0, 4), lat=slice(0, 0))
    wide, dims = widened(none), ["time", "lon"]
    for name, bracket in (("positions", "lat[0:0]"), ("reversed_positions", "lat[4:2]"), ("labels", "lat = 26:39")):
        book.array(f"empty_{name}", "era", f"FROM era[time[0:4], {bracket}] |> REDUCE avg(t), sum(t) AS s, count(t) AS n, max(t) AS top, stddev(t) AS d ALONG lat",
                   xr.Dataset({"t": wide.mean("lat"), "s": wide.sum("lat", min_count=1), "n": none.count("lat"),
                               "top": xr.full_like(none.mean("lat"), np.nan), "d": wide.std("lat")}), dims=dims, types={"n": "int"})
    start = "FROM era[time[0:4], lat[0:0]] |>"
    nothing = xr.full_like(none.mean("lat"), np.nan)
    book.array("empty_order_statistics", "era", f"{start} REDUCE median(t) AS m, quantile(t, 0.9) AS q, first(t) AS f, idxmax(t) AS hot ALONG lat",
               xr.Dataset({"m": nothing, "q": nothing, "f": nothing, "hot": nothing}), dims=dims, types={"m": "float", "q": "float"})
    book.array("empty_weighted", "era", f"{start} REDUCE avg(t, weights => cos(radians(lat))) AS m ALONG lat", nothing.astype("f8").to_dataset(name="m"), dims=dims)
    book.array("empty_count_of_rows", "era", f"{start} REDUCE count(*) AS n, count(t) FILTER (WHERE t > 3) AS hot, coalesce(sum(t), 0) AS s ALONG lat",
               xr.Dataset({"n": none.count("lat"), "hot": none.count("lat"), "s": wide.sum("lat")}), dims=dims, types={"n": "int", "hot": "int"})
    book.array("empty_extended", "era", f"{start} EXTEND coalesce(t, 0) AS c |> MASK c > 3 |> REDUCE max(c) AS c, count(c) AS n ALONG lat",
               xr.Dataset({"c": nothing, "n": none.count("lat")}), dims=dims, types={"n": "int"})
    book.array("empty_among_several", "era", f"{start} REDUCE avg(t) ALONG lat, lon", wide.mean(["lat", "lon"]).to_dataset(name="t"), dims=["time"])
    book.array("empty_keep", "era", f"{start} REDUCE avg(t) KEEP lon", wide.mean(["time", "lat"]).to_dataset(name="t"), dims=["lon"])
    book.array("empty_everything", "era", f"{start} REDUCE avg(t), count(t) AS n", xr.Dataset({"t": wide.mean(), "n": none.count()}), dims=[], types={"n": "int"})
    book.array("empty_kept", "era", f"{start} REDUCE avg(t) ALONG lon", wide.mean("lon").to_dataset(name="t"), dims=["time", "lat"])
    book.array("empty_reduced_and_kept", "era", "FROM era[time[9:9], lat[0:0]] |> REDUCE avg(t) ALONG lat", widened(era.t).isel(time=slice(9, 9), lat=slice(0, 0)).mean("lat").to_dataset(name="t"), dims=dims)
    book.array("empty_after_where", "era", f"{start} WHERE lon > 100 |> REDUCE avg(t) ALONG lat", wide.sel(lon=slice(101, None)).mean("lat").to_dataset(name="t"), dims=dims)
    book.array("empty_beside_one_label", "era", "FROM era[time[0:4], lat[0:0], lon = 90] |> REDUCE avg(t) ALONG lat", wide.sel(lon=90).mean("lat").to_dataset(name="t"), dims=["time"])
    labels = {"time": none.time.values[:0], "t": t.values[:0].ravel()}
    book.rows("empty_group_by_is_sql", "era", "SELECT time, avg(t) AS t FROM era[time[0:4], lat[0:0]] GROUP BY time", labels, dims=["time"])
    book.rows("empty_aggregate_is_sql", "era", f"{start} AGGREGATE avg(t) AS t GROUP BY time", labels, dims=["time"])
    book.rows("empty_where_is_sql", "era", "FROM era[time[0:4]] |> WHERE lat > 100 |> REDUCE avg(t) ALONG lat",
              {"time": labels["time"], "lon": era.lon.values[:0], "t": labels["t"]}, dims=dims)
    year = daily.tmin.isel(time=slice(0, 0))
    book.array("empty_time", "daily", "FROM daily[time[0:0]] |> REDUCE avg(tmin), count(tmin) AS n ALONG time",
               xr.Dataset({"tmin": widened(year).mean("time"), "n": year.count("time")}).reset_coords(drop=True), dims=["y", "x"], types={"n": "int"})
    sites = book.stores["noleap"].tas
    book.array("empty_time_of_unsorted_labels", "noleap", "FROM noleap[time[0:0]] |> REDUCE max(tas), count(tas) AS n ALONG time",
               xr.Dataset({"tas": xr.full_like(sites.isel(time=0, drop=True), np.nan), "n": sites.isel(time=slice(0, 0)).count("time")}), dims=["site"], types={"n": "int"})
    book.array("order_of_unsorted_labels", "noleap", "FROM noleap |> REDUCE max(tas), count(tas) AS n ALONG time",
               xr.Dataset({"tas": sites.max("time"), "n": sites.count("time")}), dims=["site"], types={"n": "int"})
    book.array("order_of_unsorted_labels_cell_by_cell", "noleap", "SELECT time, site, tas * 2 AS v FROM noleap[time[0:40]]",
               (sites.isel(time=slice(0, 40)) * 2).to_dataset(name="v"), tolerance="f32", types={"v": "float"})
    book.array("empty_resample", "daily", "FROM daily[time[0:0], x[0]] |> RESAMPLE avg(tmin) TO time '1 month'",
               widened(year).isel(x=0).reset_coords(drop=True).to_dataset(name="tmin"), dims=["time", "y"])


def dimension_sets(book: Casebook) -> None:
    """REDUCE takes each aggregate over its own argument's dimensions."""
    era = book.stores["era"].drop_vars(["area", "crs"])
    t, orog, space = widened(era.t), widened(era.orog), ["lat", "lon"]
    book.array("sets_along_space", "era", "FROM era |> REDUCE avg(w), avg(ps) ALONG lat, lon",
               xr.Dataset({"w": era.w.mean(space), "ps": era.ps.mean(space)}), dims=["time", "lev"], tolerance="sum")
    book.array("sets_of_three", "era", "FROM era |> REDUCE avg(w), count(ps) AS n, sum(orog) AS h ALONG lat, lon",
               xr.Dataset({"w": era.w.mean(space), "n": era.ps.count(space), "h": orog.sum(space)}), dims=["time", "lev"], tolerance="sum", types={"n": "int"})
    book.array("sets_of_everything", "era", "FROM era |> REDUCE avg(w), sum(ps), count(p) AS n, avg(orog)",
               xr.Dataset({"w": era.w.mean(), "ps": era.ps.sum(), "n": era.p.count(), "orog": orog.mean()}), dims=[], tolerance="sum", types={"n": "int"})
    book.array("sets_keep_time", "era", "FROM era |> REDUCE sum(w), sum(ps), sum(orog), sum(p) KEEP time",
               xr.Dataset({"w": era.w.sum(["lev", *space]), "ps": era.ps.sum(space), "orog": orog.sum(), "p": era.p}), dims=["time"], tolerance="sum")
    book.array("sets_keep_level_and_latitude", "era", "FROM era |> REDUCE avg(w), avg(ps), stddev_pop(orog) AS s KEEP lev, lat",
               xr.Dataset({"w": era.w.mean(["time", "lon"]), "ps": era.ps.mean(["time", "lon"]), "s": orog.std("lon")}), dims=["lev", "lat"], tolerance="sum")
    book.array("sets_in_one_expression", "era", "FROM era |> REDUCE avg(w) + avg(ps) AS both, sum(ps) / count(w) AS share KEEP lat",
               xr.Dataset({"both": era.w.mean(["time", "lev", "lon"]) + era.ps.mean(["time", "lon"]),
                           "share": era.ps.sum(["time", "lon"]) / era.w.count(["time", "lev", "lon"])}), dims=["lat"], tolerance="sum")
    book.array("sets_and_rows", "era", "FROM era |> REDUCE count(*) AS n, sum(w) AS w, sum(ps) AS ps",
               xr.Dataset({"n": era.w.size, "w": era.w.sum(), "ps": era.ps.sum()}), dims=[], tolerance="sum")
    book.array("sets_weighted", "era", "FROM era |> REDUCE avg(t, weights => cos(radians(lat))) AS t, avg(p) KEEP time",
               xr.Dataset({"t": t.weighted(np.cos(np.radians(widened(era.lat)))).mean(space), "p": era.p}), dims=["time"], tolerance="f32")
    part = dict(time=slice(3, 9), lev=slice(1, 3), lat=slice(2, 4))
    book.array("sets_of_a_box", "era", "FROM era[time[3:9], lev[1:3], lat[2:4]] |> REDUCE sum(w), sum(ps) KEEP time",
               xr.Dataset({"w": era.w.isel(**part).sum(["lev", *space]), "ps": era.ps.isel(time=slice(3, 9), lat=slice(2, 4)).sum(space)}), dims=["time"], tolerance="sum")
    book.array("sets_empty", "era", "FROM era[time[0:3], lev[0:0]] |> REDUCE avg(w), count(w) AS n, avg(ps) KEEP time, lat",
               xr.Dataset({"w": era.w.isel(time=slice(0, 3), lev=slice(0, 0)).mean(["lev", "lon"]), "n": era.w.isel(time=slice(0, 3), lev=slice(0, 0)).count(["lev", "lon"]),
                           "ps": era.ps.isel(time=slice(0, 3)).mean("lon")}), dims=["time", "lat"], tolerance="sum", types={"n": "int"})
    book.array("sets_after_where_on_level", "era", "FROM era |> WHERE lev > 500 |> REDUCE sum(w), sum(ps) KEEP lat",
               xr.Dataset({"w": era.w.sel(lev=[1000, 850]).sum(["time", "lev", "lon"]), "ps": era.ps.sum(["time", "lon"])}), dims=["lat"], tolerance="sum")
    book.array("sets_then_extend", "era", "FROM era |> REDUCE sum(w), sum(ps) KEEP lat |> EXTEND w / ps AS share |> SELECT lat, share",
               (era.w.sum(["time", "lev", "lon"]) / era.ps.sum(["time", "lon"])).to_dataset(name="share"), dims=["lat"], tolerance="sum")
    book.error("sets_apart", "era", "FROM era |> REDUCE avg(p), avg(orog) KEEP time, lat", "[time]", "[lat]", "neither")
    book.error("sets_along_what_one_lacks", "era", "FROM era |> REDUCE avg(w), avg(ps) ALONG lev", "avg(ps)", "lev")


def after_subsets(book: Casebook) -> None:
    era, daily = book.stores["era"], book.stores["daily"]
    t = widened(era.t)
    box = t.sel(time="2020-01", lat=slice(51.3, 20), lon=slice(45, 200))
    book.array("box_mean_time", "era", "FROM era[time = '2020-01', lat = 20:51.3, lon = 45:200] |> REDUCE avg(t) ALONG time",
               box.mean("time").drop_vars("area").to_dataset(name="t"), tolerance="sum")
    book.array("box_step_mean", "era", "FROM era[time[5:60:3], lon[::2]] |> REDUCE avg(t) ALONG lat, lon",
               t.isel(time=slice(5, 60, 3), lon=slice(None, None, 2)).mean(["lat", "lon"]).to_dataset(name="t"), tolerance="sum")
    book.array("box_list_mean", "era", "FROM era[lat IN (60, 25.5)] |> REDUCE avg(t) ALONG lat, lon",
               t.sel(lat=[60, 25.5]).mean(["lat", "lon"]).to_dataset(name="t"), tolerance="sum")
    book.array("where_dimension_mean", "era", "FROM era |> WHERE lat > 20 AND lon < 100 |> REDUCE avg(t) ALONG lat, lon",
               t.sel(lat=slice(60, 25), lon=slice(0, 99)).mean(["lat", "lon"]).to_dataset(name="t"), tolerance="sum")
    book.array("main_job", "daily", "FROM daily |> REDUCE avg(tmin) ALONG y, x", widened(daily.tmin).mean(["y", "x"]).to_dataset(name="tmin"), tolerance="sum")
    book.array("main_job_one_year", "daily", "FROM daily[time = '2001-02'] |> REDUCE avg(tmin) ALONG y, x",
               widened(daily.tmin).sel(time="2001-02").mean(["y", "x"]).to_dataset(name="tmin"), tolerance="sum")
    book.array("noleap_mean", "noleap", "FROM noleap[time = '2000-02'] |> REDUCE avg(tas) ALONG site",
               widened(book.stores["noleap"].tas).sel(time="2000-02").mean("site").to_dataset(name="tas"), tolerance="sum")
    book.array("noleap_idxmax", "noleap", "FROM noleap |> REDUCE idxmax(tas) AS day ALONG time",
               book.stores["noleap"].time.isel(time=book.stores["noleap"].tas.fillna(-np.inf).argmax("time")).drop_vars("time").to_dataset(name="day"), dims=["site"])
    book.array("text_idxmax", "noleap", "FROM noleap[time[0:5]] |> REDUCE idxmax(tas) AS where_hot ALONG site",
               xr.DataArray(book.stores["noleap"].site.values[book.stores["noleap"].tas.isel(time=slice(0, 5)).fillna(-np.inf).argmax("site").values],
                            dims="time", coords={"time": book.stores["noleap"].time[:5]}).to_dataset(name="where_hot"))
