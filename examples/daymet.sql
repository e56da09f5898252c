-- The mean minimum temperature of Hawaii, day by day: found in a catalog, signed for, read chunk by chunk, drawn.
-- Tokens live for an hour or so, and are fetched anew while the query runs.
FROM stac('https://planetarycomputer.microsoft.com/api/stac/v1', collection => 'daymet-daily-hi') ASSET 'zarr-abfs'
    WITH (sign = 'https://planetarycomputer.microsoft.com/api/sas/v1/token')
|> REDUCE avg(tmin) ALONG y, x
|> PLOT TO 'daymet.png' WITH (title = 'Daymet, Hawaii: mean minimum temperature')
