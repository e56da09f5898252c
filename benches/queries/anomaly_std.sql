FROM daymet |> EXTEND tmin - avg(tmin) OVER (PARTITION BY y, x, month(time)) AS anomaly |> REDUCE stddev_pop(anomaly) AS spread ALONG time
