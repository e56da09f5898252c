FROM daymet |> RESAMPLE max(tmin) TO time '1 month'
