"""Joins: arrays with a table of places (nearest), with other arrays, with their own climatology."""
import numpy as np
import pandas as pd
import xarray as xr

from casebook import Casebook
from make_stores import stations
from oracle import widened

PLACES = "CREATE EXTERNAL TABLE stations STORED AS CSV LOCATION '{golden}/tables/stations.csv' OPTIONS ('format.has_header' 'true')"


def write(book: Casebook) -> None:
    places(book)
    arrays(book)
    climatology(book)
    calendars(book)


def at_places(array: xr.DataArray, table: pd.DataFrame) -> xr.DataArray:
    place = {"lat": xr.DataArray(table.lat, dims="place"), "lon": xr.DataArray(table.lon, dims="place")}
    return array.sel(place, method="nearest")


def places(book: Casebook) -> None:
    era = book.stores["era"].drop_vars(["area", "crs"])
    table = stations()
    on = "ON e.lat = nearest(s.lat) AND e.lon = nearest(s.lon)"
    january = at_places(widened(era.t).sel(time="2020-01"), table)
    means = {"name": table.name.values, "t": january.mean("time").values}
    book.rows("join_nearest_avg", "era", f"SELECT s.name, avg(e.t) AS t FROM era[time = '2020-01'] e JOIN stations s {on} GROUP BY s.name", means, tolerance="sum", setup=PLACES)
    book.rows("join_nearest_file", "era", f"SELECT s.name, avg(e.t) AS t FROM era[time = '2020-01'] e JOIN '{{golden}}/tables/stations.csv' s {on} GROUP BY s.name ORDER BY s.name",
              means, ordered=True, tolerance="sum")
    day = at_places(era.ps.sel(time="2020-02-29"), table)
    book.rows("join_nearest_cells", "era", f"SELECT s.name, s.height, e.ps FROM era[time = '2020-02-29'] e JOIN stations s {on} ORDER BY s.name",
              {"name": table.name.values, "height": table.height.values, "ps": day.values}, ordered=True, setup=PLACES)
    high = table[table.height > 50]
    tall = at_places(era.orog, high)
    book.rows("join_nearest_where", "era", f"SELECT s.name, e.orog - s.height AS d FROM era e JOIN stations s {on} WHERE s.height > 50",
              {"name": high.name.values, "d": tall.values.astype("f8") - high.height.values}, tolerance="f32", types={"d": "float"}, setup=PLACES)
    keys = "CREATE VIEW levels AS SELECT * FROM (VALUES (1000, 'ground'), (500, 'middle')) AS v(lev, layer)"
    middle = era.w.sel(lev=[1000, 500]).max(["time", "lat", "lon"])
    book.rows("join_exact_labels", "era", "SELECT l.layer, max(e.w) AS w FROM era e JOIN levels l ON e.lev = l.lev GROUP BY l.layer ORDER BY l.layer",
              {"layer": ["ground", "middle"], "w": middle.values}, ordered=True, setup=keys)
    book.rows("join_left", "era", "SELECT DISTINCT e.lev, l.layer FROM era e LEFT JOIN levels l ON e.lev = l.lev ORDER BY e.lev",
              {"lev": np.array([250, 500, 850, 1000], "i4"), "layer": [None, "middle", None, "ground"]}, ordered=True, dims=None, setup=keys)
    book.rows("join_site_names", "noleap", "SELECT s.site, s.height, n.note FROM noleap s JOIN (VALUES ('hilo', 'wet'), ('kona', 'dry')) AS n(site, note) ON n.site = s.site ORDER BY s.site",
              {"site": ["hilo", "kona"], "height": [12.5, 830.0], "note": ["wet", "dry"]}, ordered=True, dims=None)


def arrays(book: Casebook) -> None:
    era = book.stores["era"].drop_vars(["area", "crs"])
    wide = widened(era.t)
    first, second = wide.sel(time="2020-01-05", drop=True), wide.sel(time="2020-01-06", drop=True)
    difference = (second - first).values
    rows = {"lat": np.repeat(era.lat.values, 8), "lon": np.tile(era.lon.values, 6), "d": difference.ravel()}
    book.rows("join_two_days", "era", "SELECT a.lat, a.lon, b.t - a.t AS d FROM era[time = '2020-01-05'] a JOIN era[time = '2020-01-06'] b ON a.lat = b.lat AND a.lon = b.lon",
              rows, tolerance="f32", types={"d": "float"}, dims=None)
    book.rows("join_using", "era", "SELECT lat, lon, b.t - a.t AS d FROM era[time = '2020-01-05'] a JOIN era[time = '2020-01-06'] b USING (lat, lon)",
              rows, tolerance="f32", types={"d": "float"}, dims=None)
    lag = {"time": era.time.values[1:], "d": np.diff(era.p.values)}
    book.rows("join_yesterday", "era", "SELECT a.time, a.p - b.p AS d FROM era a JOIN era b ON b.time = a.time - INTERVAL '1 day' ORDER BY a.time", lag, ordered=True, dims=None)


def climatology(book: Casebook) -> None:
    era = book.stores["era"].drop_vars(["area", "crs"])
    t = widened(era.t)
    clim = "CREATE VIEW clim AS FROM era |> AGGREGATE avg(t) AS t GROUP BY lat, lon, month(time) AS month"
    anomaly = (t.groupby("time.month") - t.groupby("time.month").mean()).reset_coords(drop=True)
    box = anomaly.isel(time=slice(0, 3), lat=slice(0, 2))
    labels = xr.broadcast(box.time, box.lat, box.lon)
    rows = {name: label.values.ravel() for name, label in zip(("time", "lat", "lon"), labels)}
    rows["anom"] = box.transpose("time", "lat", "lon").values.ravel()
    on = "ON clim.lat = e.lat AND clim.lon = e.lon AND clim.month = month(e.time)"
    book.rows("join_climatology", "era", f"FROM era[time[0:3], lat[0:2]] e JOIN clim {on} |> EXTEND e.t - clim.t AS anom |> SELECT e.time, e.lat, e.lon, anom", rows,
              tolerance="sum", dims=None, setup=clim)
    book.rows("join_climatology_score", "era", f"SELECT sqrt(avg(power(e.t - clim.t, 2))) AS rmse FROM era e JOIN clim {on}",
              {"rmse": [float(np.sqrt((anomaly**2).mean()))]}, tolerance="sum", setup=clim)


def calendars(book: Casebook) -> None:
    stores = ["noleap", "days360"]
    for name, query in (
        ("using", "SELECT n.tas, d.pr FROM noleap n JOIN days360 d USING (time)"),
        ("on", "SELECT n.tas, d.pr FROM noleap n JOIN days360 d ON n.time = d.time"),
        ("in", "SELECT tas FROM noleap WHERE time IN (SELECT time FROM days360)"),
        ("between", "SELECT n.tas FROM noleap n, days360 d WHERE n.time BETWEEN d.time AND d.time"),
        ("union", "SELECT time FROM noleap UNION ALL SELECT time FROM days360"),
        ("where", "SELECT n.tas, d.pr FROM noleap n, days360 d WHERE n.time < d.time"),
    ):
        book.error(f"error_calendars_{name}", stores, query, "noleap", "360_day")
    book.error("error_calendars_and_timestamps", ["noleap", "era"], "SELECT n.tas, e.p FROM noleap n JOIN era e USING (time)", "noleap", "proleptic_gregorian")
    tas = book.stores["noleap"].tas.sel(site="hilo").dropna("time")
    book.rows("join_of_one_calendar", "noleap", "SELECT count(*) AS n FROM noleap[site = 'hilo'] a JOIN noleap[site = 'hilo'] b USING (time) WHERE a.tas = b.tas",
              {"n": [tas.size]}, types={"n": "int"}, dims=None)
