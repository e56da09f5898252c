FROM daymet |> AGGREGATE avg(tmin) AS tmin GROUP BY y, x, month(time) AS month
