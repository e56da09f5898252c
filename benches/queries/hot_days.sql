FROM daymet |> REDUCE count(tmax) FILTER (WHERE tmax > 30) AS hot_days ALONG time
