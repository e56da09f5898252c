FROM daymet |> REDUCE quantile(tmin, 0.9) AS tmin ALONG time
