FROM daymet[time = '1981-06-01':'1981-08-31', y[100:200], x[50:150]] |> REDUCE avg(tmin) ALONG time
