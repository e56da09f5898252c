FROM daymet |> REDUCE avg(tmin) ALONG y, x
