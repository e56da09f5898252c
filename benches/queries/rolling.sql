FROM daymet |> EXTEND avg(tmin[time-6:time]) AS week |> REDUCE max(week) AS week ALONG time
