FROM daymet |> REDUCE avg((tmin + tmax) / 2) AS tmid ALONG y, x
