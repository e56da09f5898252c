"""Subsets: labels, ranges, steps, IN, positions, nearest, linear, partial dates; and what a scan decodes."""
import numpy as np
import pandas as pd
import xarray as xr

from casebook import Casebook


def write(book: Casebook) -> None:
    labels(book)
    dates(book)
    positions(book)
    nearest(book)
    calendars(book)
    layouts(book)
    integers(book)
    shapes(book)
    real(book)


def labels(book: Casebook) -> None:
    era = book.stores["era"]
    day = era.t.sel(time="2020-02-29")
    base = "FROM era[time = '2020-02-29'"
    keep = "|> SELECT time, lat, lon, t"
    # One label drops its dimension; named in SELECT it is a column like others.
    day3 = day.drop_vars(["area", "crs"]).reset_coords("time")
    for name, text, chosen in (
        ("range", "lat = 10:51.3", day3.sel(lat=slice(51.3, 10))),
        ("range_reversed", "lat = 51.3:10", day3.sel(lat=slice(51.3, 10))),
        ("range_open_low", "lat = :25.5", day3.sel(lat=slice(25.5, None))),
        ("range_open_high", "lat = 40:", day3.sel(lat=slice(None, 40))),
        ("range_between_labels", "lat = 9:41", day3.sel(lat=slice(41, 9))),
        ("range_step", "lon = 0:360:2", day3.sel(lon=slice(0, 360, 2))),
        ("range_step_inside", "lon = 45:270:3", day3.sel(lon=slice(45, 270, 3))),
        ("range_one_label", "lon = 90:90", day3.sel(lon=slice(90, 90))),
        ("in_list", "lat IN (60, 10)", day3.sel(lat=[60, 10])),
        ("in_list_source_order", "lat IN (10, 60, 25.5)", day3.sel(lat=[60, 25.5, 10])),
        ("in_decimal", "lat IN (51.3, 25.5)", day3.sel(lat=[51.3, 25.5], method="nearest")),
        ("two_dimensions", "lat = 10:40, lon = 45:135", day3.sel(lat=slice(40, 10), lon=slice(45, 135))),
        ("arithmetic_bound", "lon = 45 * 2 : 90 + 90", day3.sel(lon=slice(90, 180))),
        ("negative_bound", "lat = -10:20", day3.sel(lat=slice(20, -10))),
    ):
        book.array(f"subset_{name}", "era", f"{base}, {text}] {keep}", chosen, dims=["lat", "lon"],
                   select=["time", "lat", "lon", "t"])
    # The dimension of a single label does not join the span.
    book.array("subset_label", "era", "FROM era[time = '2020-02-29', lat = 40] |> SELECT lon, t", day.sel(lat=40).drop_vars("area"), select=["lon", "t"])
    book.array("subset_label_decimal", "era", "FROM era[time = '2020-02-29', lat = 51.3] |> SELECT lon, t",
               day.sel(lat=51.3, method="nearest"), select=["lon", "t"])
    book.array("subset_label_negative", "era", "FROM era[time = '2020-02-29', lat = -5.25] |> SELECT lon, t", day.sel(lat=-5.25))
    book.rows("subset_empty_range", "era", "FROM era[lat = 26:39] |> SELECT time, lat, lon, t",
              {"time": era.time.values[:0], "lat": era.lat.values[:0], "lon": era.lon.values[:0], "t": era.t.values[:0].ravel()},
              dims=["time", "lat", "lon"])
    book.array("subset_pipe_sel", "era", "FROM era |> SEL time = '2020-02-29', lat = 10:40 |> SELECT lat, lon, orog",
               era[["orog"]].sel(lat=slice(40, 10)))
    book.array("subset_of_query", "era", "FROM (FROM era |> EXTEND ps * 2 AS double)[lat = 10:40, time[0:2]] |> SELECT time, lat, lon, double",
               (era.ps * 2).isel(time=slice(0, 2)).sel(lat=slice(40, 10)).to_dataset(name="double"))
    book.array("subset_twice", "era", "FROM era[lat = 10:60] |> SEL lat = -10:40 |> SELECT lat, lon, orog",
               era[["orog"]].sel(lat=slice(40, 10)))
    book.array("subset_as_sql_call", "era", "SELECT lat, lon, orog FROM sel(era, lat => slice(10, 40))",
               era[["orog"]].sel(lat=slice(40, 10)))
    book.array("subset_integer_labels", "era", "FROM era[lev IN (850, 250), time = '2020-01-05', lon = 0:45] |> SELECT time, lev, lat, lon, w",
               era[["w"]].sel(lev=[850, 250], time="2020-01-05", lon=slice(0, 45)).drop_vars(["crs", "area"], errors="ignore").reset_coords("time"),
               dims=["lev", "lat", "lon"], select=["time", "lev", "lat", "lon", "w"])
    book.array("subset_integer_range_descending", "era", "FROM era[lev = 300:900, time = '2020-01-05', lon[0]] |> SELECT lev, lat, w",
               era[["w"]].sel(lev=slice(900, 300), time="2020-01-05").isel(lon=0), dims=["lev", "lat"])


def dates(book: Casebook) -> None:
    era = book.stores["era"]
    for name, text, chosen in (
        ("year", "time = '2019'", era.p.sel(time="2019")),
        ("month", "time = '2020-02'", era.p.sel(time="2020-02")),
        ("months", "time = '2020-01':'2020-02'", era.p.sel(time=slice("2020-01", "2020-02"))),
        ("open_start", "time = :'2019-12'", era.p.sel(time=slice(None, "2019-12"))),
        ("open_end", "time = '2020-03':", era.p.sel(time=slice("2020-03", None))),
        ("days", "time = '2020-02-27':'2020-03-01'", era.p.sel(time=slice("2020-02-27", "2020-03-01"))),
        ("step", "time = '2020-01':'2020-01':7", era.p.sel(time=slice("2020-01", "2020-01", 7))),
        ("timestamp", "time = TIMESTAMP '2020-01-05 00:00:00' : TIMESTAMP '2020-01-07 00:00:00'", era.p.sel(time=slice("2020-01-05", "2020-01-07"))),
        ("date_literal", "time = DATE '2020-01-05' : DATE '2020-01-07'", era.p.sel(time=slice("2020-01-05", "2020-01-07"))),
        ("in_days", "time IN ('2020-01-05', '2020-02-29')", era.p.sel(time=["2020-01-05", "2020-02-29"])),
        ("outside", "time = '2019-12-30':'2025'", era.p.sel(time=slice("2019-12-30", None))),
    ):
        book.array(f"dates_{name}", "era", f"FROM era[{text}] |> SELECT time, p", chosen.to_dataset(name="p"))
    hours = book.stores["integers"]
    for name, text, chosen in (
        ("hours_day", "time = '2020-02-29'", hours.i2.sel(time="2020-02-29")),
        ("hours_range", "time = '2020-02-28T21':'2020-02-29T03'", hours.i2.sel(time=slice("2020-02-28T21", "2020-02-29T03"))),
        ("hours_minutes", "time = '2020-02-28 22:30':'2020-02-29 06:00:00'", hours.i2.sel(time=slice("2020-02-28T22:30", "2020-02-29T06:00:00"))),
    ):
        answer = chosen.transpose("time", "x").to_dataset(name="i2")
        book.array(f"dates_{name}", "integers", f"FROM integers[{text}] |> SELECT time, x, i2", answer)
    book.array("dates_noon", "daily", "FROM daily[time = '2000-12-30':'2001-01-01', x[2]] |> SELECT time, y, tmin",
               book.stores["daily"][["tmin"]].sel(time=slice("2000-12-30", "2001-01-01")).isel(x=2), dims=["time", "y"])


def positions(book: Casebook) -> None:
    orog = book.stores["era"][["orog"]]
    for name, text, chosen in (
        ("range", "lat[1:4]", orog.isel(lat=slice(1, 4))),
        ("open_low", "lat[:2]", orog.isel(lat=slice(None, 2))),
        ("open_high", "lat[4:]", orog.isel(lat=slice(4, None))),
        ("negative_range", "lat[-3:-1]", orog.isel(lat=slice(-3, -1))),
        ("negative_open", "lon[-2:]", orog.isel(lon=slice(-2, None))),
        ("step", "lon[0:8:3]", orog.isel(lon=slice(0, 8, 3))),
        ("step_open", "lon[::3]", orog.isel(lon=slice(None, None, 3))),
        ("step_offset", "lon[1::4]", orog.isel(lon=slice(1, None, 4))),
        ("beyond", "lon[6:100]", orog.isel(lon=slice(6, 100))),
        ("two", "lat[1:3], lon[2:5]", orog.isel(lat=slice(1, 3), lon=slice(2, 5))),
        ("after_labels", "lat = -5.25:40, lon[5]", orog.sel(lat=slice(40, None)).isel(lon=5)),
    ):
        dims = [dim for dim in ("lat", "lon") if dim in chosen.orog.dims]
        book.array(f"positions_{name}", "era", f"FROM era[{text}] |> SELECT {', '.join(dims)}, orog", chosen, dims=dims)
    book.array("positions_one", "era", "FROM era[lat[0]] |> SELECT lon, orog", orog.isel(lat=0))
    book.array("positions_last", "era", "FROM era[lat[-1]] |> SELECT lon, orog", orog.isel(lat=-1))
    book.array("positions_last_day", "era", "FROM era[time[-1]] |> SELECT lat, lon, t", book.stores["era"][["t"]].isel(time=-1), dims=["lat", "lon"])
    book.array("positions_without_labels", "dem", "FROM dem[k[1:], y[0:2]] |> SELECT y, k, band",
               book.stores["dem"][["band"]].isel(k=slice(1, None), y=slice(0, 2)).assign_coords(k=[1, 2]), dims=["y", "k"])


def nearest(book: Casebook) -> None:
    era = book.stores["era"].sel(time="2020-01-20")
    start = "FROM era[time = '2020-01-20', "
    book.array("nearest_one", "era", start + "lat = nearest(45)] |> SELECT lon, t", era[["t"]].sel(lat=45, method="nearest"), dims=["lon"])
    book.array("nearest_and_list", "era", start + "lat = nearest(12), lon IN (90, 180)] |> SELECT lon, t", era[["t"]].sel(lat=12, method="nearest").sel(lon=[90, 180]), dims=["lon"])
    book.array("nearest_outside", "era", start + "lat = nearest(89)] |> SELECT lon, t", era[["t"]].sel(lat=89, method="nearest"), dims=["lon"])
    book.array("nearest_tie_takes_larger", "era", start + "lon = nearest(67.5)] |> SELECT lat, t", era[["t"]].sel(lon=90), dims=["lat"])
    book.array("nearest_tie_descending", "era", start + "lev = nearest(675), lon[0]] |> SELECT lat, w", era[["w"]].sel(lev=850).isel(lon=0), dims=["lat"])
    book.array("nearest_tolerance", "era", start + "lat = nearest(41, 2)] |> SELECT lon, t", era[["t"]].sel(lat=40), dims=["lon"])
    book.array("nearest_time", "era", "FROM era[time = nearest('2020-01-20T13:00')] |> SELECT lat, lon, t",
               book.stores["era"][["t"]].sel(time="2020-01-21"), dims=["lat", "lon"])
    inner = book.stores["era"].ps.isel(time=slice(0, 6))
    book.array("linear_lon", "era", "FROM era[time[0:6], lat = 40, lon = linear(100)] |> SELECT time, ps",
               inner.sel(lat=40).interp(lon=100.0).to_dataset(name="ps"), dims=["time"], tolerance="sum")
    book.array("linear_lat", "era", "FROM era[time[0:6], lat = linear(30), lon = 0] |> SELECT time, ps",
               inner.sel(lon=0).interp(lat=30.0).to_dataset(name="ps"), dims=["time"], tolerance="sum")
    book.array("linear_on_label", "era", "FROM era[time[0:6], lat = 40, lon = linear(90)] |> SELECT time, ps",
               inner.sel(lat=40, lon=90).to_dataset(name="ps"), dims=["time"], tolerance="sum")
    between = pd.Timestamp("2020-01-20T06:00")
    at_six = book.stores["era"].ps.sel(lat=40).interp(time=between).drop_vars("time").to_dataset(name="ps")
    at_six["time"] = ("lon", np.full(at_six.lon.size, between.to_datetime64()))
    book.array("linear_time", "era", "FROM era[time = linear('2020-01-20T06:00'), lat = 40] |> SELECT lon, time, ps",
               at_six[["time", "ps"]], dims=["lon"], tolerance="sum")
    both = inner.sel(lat=51.3, method="nearest").interp(lon=359.0 - 50)
    book.array("nearest_and_linear", "era", "FROM era[lat = nearest(51.5), lon = linear(309), time[0:6]] |> SELECT time, ps",
               both.to_dataset(name="ps"), dims=["time"], tolerance="sum")


def calendars(book: Casebook) -> None:
    noleap, days360 = book.stores["noleap"], book.stores["days360"]
    book.array("noleap_month", "noleap", "FROM noleap[time = '2000-02', site = 'kona'] |> SELECT time, tas",
               noleap[["tas"]].sel(time="2000-02", site="kona"), dims=["time"])
    book.array("noleap_skips_leap_day", "noleap", "FROM noleap[time = '2000-02-27':'2000-03-02'] |> SELECT time, site, tas",
               noleap[["tas"]].sel(time=slice("2000-02-27", "2000-03-02")), dims=["time", "site"])
    book.array("noleap_where_month", "noleap", "SELECT time, tas FROM noleap[site = 'hilo'] WHERE month(time) = 12",
               noleap[["tas"]].sel(site="hilo").isel(time=noleap.time.dt.month.values == 12), dims=["time"])
    book.array("days360_thirtieth_of_february", "days360", "FROM days360[time = '2000-02-30'] |> SELECT lat, pr",
               days360[["pr"]].sel(time="2000-02-30").isel(time=0), dims=["lat"])
    book.array("days360_range", "days360", "FROM days360[time = '2000-02-29':'2000-03-02', lat = 0:10] |> SELECT time, lat, pr",
               days360[["pr"]].sel(time=slice("2000-02-29", "2000-03-02"), lat=slice(0, 10)), dims=["time", "lat"])
    book.array("site_text_labels", "noleap", "FROM noleap[site IN ('mauna kea', 'hilo')] |> SELECT site, height",
               noleap[["height"]].sel(site=["hilo", "mauna kea"]))
    book.array("site_where_text", "noleap", "SELECT site, height FROM noleap WHERE site <> 'kona'", noleap[["height"]].sel(site=["hilo", "mauna kea"]))


def layouts(book: Casebook) -> None:
    daily, dem, era = book.stores["daily"], book.stores["dem"], book.stores["era"]
    book.array("layout_auxiliary_2d", "daily", "SELECT y, x, lat, lon FROM daily", daily[["lat", "lon"]].reset_coords(), dims=["y", "x"])
    book.array("layout_scalar", "daily", "SELECT lambert_conformal_conic FROM daily", daily[["lambert_conformal_conic"]], dims=[])
    book.array("layout_bounds", "daily", "SELECT time, nv, time_bnds FROM daily[time[364:368]]",
               daily[["time_bnds"]].isel(time=slice(364, 368)), dims=["time", "nv"])
    book.array("layout_sharded", "dem", "SELECT y, x, z FROM dem[y[8:13], x[4:14]]", dem[["z"]].isel(y=slice(8, 13), x=slice(4, 14)))
    book.array("layout_star", "dem", "SELECT * FROM dem[y[15:], x[10:]]", dem[["z", "class"]].isel(y=slice(15, None), x=slice(10, None)), star=True)
    star = era.isel(time=slice(1, 3), lev=slice(0, 2), lat=slice(0, 2), lon=slice(3, 5)).reset_coords()
    book.array("layout_star_broadcasts", "era", "SELECT * FROM era[time[1:3], lev[0:2], lat[0:2], lon[3:5]]", star,
               dims=["time", "lev", "lat", "lon"], star=True, types={"n": "int"})
    book.array("layout_fill_value_integers", "era", "SELECT time, lat, lon, n FROM era[time[0:3]]", era[["n"]].isel(time=slice(0, 3)),
               dims=["time", "lat", "lon"], types={"n": "int"})
    book.array("layout_scale_and_offset", "era", "SELECT time, lat, lon, ps FROM era[time[5:8]]", era[["ps"]].isel(time=slice(5, 8)), dims=["time", "lat", "lon"])
    book.array("layout_columns_in_any_order", "era", "SELECT orog, lon, lat FROM era[lat[0:2]]", era[["orog"]].isel(lat=slice(0, 2)),
               dims=["lat", "lon"], select=["orog", "lon", "lat"])
    book.rows("layout_no_variable_spans_most", "era", "SELECT count(*) AS n FROM (SELECT lat FROM era) AS e", {"n": [80 * 4 * 6 * 8]})


def integers(book: Casebook) -> None:
    data = book.stores["integers"]
    for name in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "flag"):
        book.array(f"decode_{name}", "integers", f"SELECT time, x, {name} FROM integers[time[5:19]]", data[[name]].isel(time=slice(5, 19)))
    book.array("decode_time_units_hours", "integers", "SELECT time, count(flag) AS n FROM integers GROUP BY time",
               (data.flag.count("x")).to_dataset(name="n"))


def shapes(book: Casebook) -> None:
    """Results of one cell, of one row, of a scalar."""
    era = book.stores["era"]
    book.array("shape_one_cell", "era", "FROM era[lat[2], lon[3]] |> SELECT orog", era[["orog"]].isel(lat=2, lon=3), dims=[])
    for name, query, cells in (("limit", "SELECT time, p FROM era ORDER BY time LIMIT 3", slice(0, 3)),
                               ("offset", "FROM era |> SELECT time, p |> ORDER BY time |> LIMIT 4 OFFSET 10", slice(10, 14))):
        book.rows(f"shape_{name}", "era", query, {"time": era.time.values[cells], "p": era.p.values[cells]}, ordered=True, dims=None)
    book.rows("shape_count_all", "era", "SELECT count(*) AS n FROM era", {"n": [80 * 4 * 6 * 8]})
    book.rows("shape_count_span", "era", "SELECT count(*) AS n, sum(t) AS s FROM era",
              {"n": [80 * 6 * 8], "s": [era.t.astype("f8").sum().item()]}, tolerance="sum")


def real(book: Casebook) -> None:
    bcsd = book.stores["bcsd"]
    wide = bcsd.astype("f8")
    book.array("real_mean_space", "bcsd", "FROM bcsd |> REDUCE avg(tas), avg(pr) ALONG latitude, longitude",
               wide[["tas", "pr"]].mean(["latitude", "longitude"]), tolerance="sum")
    book.array("real_box", "bcsd", "FROM bcsd[time = '1999-06', latitude = 35:35.5, longitude = -80:-79.5] |> SELECT time, latitude, longitude, tas",
               bcsd[["tas"]].sel(time="1999-06", latitude=slice(35, 35.5), longitude=slice(-80, -79.5)))
    book.array("real_warmest", "bcsd", "FROM bcsd[latitude[0:3], longitude[40:45]] |> REDUCE idxmax(tas) AS hot, max(tas) AS top ALONG time",
               xr.Dataset({"hot": bcsd.tas.isel(latitude=slice(0, 3), longitude=slice(40, 45)).idxmax("time"),
                           "top": bcsd.tas.isel(latitude=slice(0, 3), longitude=slice(40, 45)).max("time")}))
    season = bcsd.time.dt.quarter
    book.array("real_quarters", "bcsd", "FROM bcsd |> AGGREGATE sum(pr) AS pr GROUP BY date_part('quarter', time) AS quarter",
               wide.pr.groupby(season).sum(...).to_dataset(name="pr"), tolerance="sum", types={"quarter": "int"})
    book.array("real_missing_cells", "bcsd", "FROM bcsd |> REDUCE count(tas) AS n ALONG time, longitude",
               bcsd.tas.count(["time", "longitude"]).to_dataset(name="n"))
    book.rows("real_wet_cells", "bcsd", "SELECT count(*) AS n FROM bcsd WHERE pr > 200", {"n": [int((bcsd.pr > 200).sum())]})
