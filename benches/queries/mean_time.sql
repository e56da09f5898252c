FROM daymet |> REDUCE avg(tmin) ALONG time
