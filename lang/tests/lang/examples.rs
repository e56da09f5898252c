//! The examples of the language.

/// The examples, in the order of the language's description; some hold several statements.
pub const EXAMPLES: &[&str] = &[
    r#"FROM 'abfs://daymet-zarr@example.dfs.core.windows.net/daily/hi.zarr' |> REDUCE avg(tmin) ALONG y, x"#,
    r#"SELECT time, avg(tmin) AS tmin FROM daymet GROUP BY time ORDER BY time"#,
    r#"FROM era5[time = '2020-01':'2020-03', lat = 30:60, level IN (500, 850), lon[0:1440:4]]"#,
    r#"FROM era5[lat = nearest(51.5), lon = linear(-0.1), time[-24:]] |> SELECT time, t2m"#,
    r#"FROM s2 |> EXTEND (nir - red) / (nir + red) AS ndvi |> MASK scl IN (4, 5, 6)"#,
    r#"FROM era5 |> AGGREGATE avg(t2m) AS t2m GROUP BY lat, lon, month(time) AS month"#,
    r#"FROM daymet |> AGGREGATE sum(prcp) AS prcp GROUP BY y, x, bin(time, '1 month') AS time"#,
    r#"FROM era5 |> EXTEND t2m - avg(t2m) OVER (PARTITION BY lat, lon, month(time)) AS anom"#,
    r#"FROM era5 |> EXTEND v - avg(v) OVER (ALONG lon) AS v_eddy"#,
    r#"FROM era5 |> EXTEND avg(t2m[time-6:time]) AS t7, t2m - t2m[time-1] AS dt"#,
    r#"FROM dem |> EXTEND avg(z[y-1:y+1, x-1:x+1]) AS smooth, z[x+1] + z[x-1] + z[y+1] + z[y-1] - 4*z AS lap"#,
    r#"FROM era5 |> EXTEND sum(tp[:time]) AS acc"#,
    r#"FROM dem |> COARSEN avg(z), max(z) AS zmax BY y 10, x 10"#,
    r#"FROM era5 |> INTERP lat = range(-90, 90, 1), lon = range(0, 359, 1) USING bilinear"#,
    r#"FROM s2 |> WARP TO 'EPSG:3857' USING cubic"#,
    r#"FROM era5 |> ALIGN forecast USING exact |> EXTEND era5.t2m - forecast.t2m AS error; FROM era5 JOIN clim ON clim.lat = era5.lat AND clim.lon = era5.lon AND clim.doy = dayofyear(era5.time) |> EXTEND era5.t2m - clim.t2m AS anom"#,
    r#"FROM fc JOIN era5 e ON e.time = fc.init + fc.lead AND e.lat = fc.lat AND e.lon = fc.lon |> AGGREGATE sqrt(avg(power(fc.t2m - e.t2m, 2))) AS rmse GROUP BY fc.model, fc.lead"#,
    r#"SELECT s.name, avg(e.t2m) FROM era5[time = '2020-06-01'] e JOIN stations s ON e.lat = nearest(s.lat) AND e.lon = nearest(s.lon) GROUP BY s.name"#,
    r#"FROM a JOIN b USING (j) |> REDUCE sum(a.v * b.v) AS v ALONG j"#,
    r#"FROM era5 |> REDUCE quantile(t2m, 0.9) AS q90, idxmax(t2m) AS hottest_day ALONG time; FROM era5 |> REDUCE avg(t2m, weights => cos(radians(lat))) AS m ALONG lat, lon"#,
    r#"SELECT bin(t2m, 0.5) AS b, count(*) FROM era5[time = '2020'] GROUP BY b ORDER BY b"#,
    r#"FROM sst |> MAP fft(sst) AS spec ALONG time |> RECHUNK time 8760, lat 30, lon 30"#,
    r#"FROM y2023 |> CONCAT y2024 ALONG time |> INTO 'az://c/all.zarr' CHUNKS (time 365, y 500, x 500)"#,
    r#"FROM today |> INTO era5 APPEND ALONG time;  FROM era5[lat = 0:10] |> FILL t2m WITH 0 |> INTO era5 REGION"#,
    r#"SELECT lat, lon, count(*) AS n FROM 'obs.parquet' GROUP BY ALL |> GRID lat, lon"#,
    r#"CREATE VIEW clim AS FROM era5 |> AGGREGATE avg(t2m) AS t2m GROUP BY lat, lon, dayofyear(time) AS doy"#,
    r#"EXPLAIN ANALYZE FROM era5[time = '2020'] |> REDUCE avg(t2m) ALONG lat, lon"#,
    r#"FROM daymet[time = '2010'] |> REDUCE avg(tmin) ALONG y, x |> PLOT TO 'tmin.png' WITH (width = 12, height = 6, title = 'Daily minimum')"#,
];

/// Statements about a cluster.
pub const CLUSTER: &str = "CREATE CLUSTER pc WITH (min = 2, max = 10, cores = 1, memory = '2 GiB'); ALTER CLUSTER pc SCALE TO 4; ALTER CLUSTER pc ADAPT BETWEEN 2 AND 10; SHOW EXECUTORS; DROP CLUSTER pc";
