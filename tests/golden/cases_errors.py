"""Questions without an answer, and what the message must say."""
from casebook import Casebook


def write(book: Casebook) -> None:
    names(book)
    spans(book)
    selections(book)
    steps(book)
    syntax(book)


def names(book: Casebook) -> None:
    for name, store, query, fragments in (
        ("dimension_in_bracket", "era", "FROM era[latitude = 3] |> SELECT t", ["latitude", "did you mean `lat`"]),
        ("dimension_along", "era", "FROM era |> REDUCE avg(t) ALONG lonn", ["lonn", "did you mean `lon`"]),
        ("dimension_keep", "era", "FROM era |> REDUCE avg(t) KEEP tim", ["tim", "did you mean `time`"]),
        ("variable", "daily", "SELECT tmn FROM daily", ["tmn", "tmin"]),
        ("variable_in_reduce", "daily", "FROM daily |> REDUCE avg(tmxa) ALONG time", ["tmxa", "tmax"]),
        ("function", "era", "SELECT averge(t) FROM era", ["averge"]),
        ("table", "era", "SELECT * FROM eera", ["eera", "era"]),
        ("over_along", "era", "FROM era |> EXTEND avg(t) OVER (ALONG lonn) AS v", ["lonn", "lon"]),
        ("coarsen", "dem", "FROM dem |> COARSEN avg(z) BY yy 2", ["yy", "y"]),
        ("resample", "era", "FROM era |> RESAMPLE avg(t) TO tme '1 month'", ["tme", "time"]),
        ("window", "era", "FROM era |> EXTEND avg(t[tme-1:tme]) AS v", ["tme", "time"]),
    ):
        book.error(f"error_unknown_{name}", store, query, *fragments)


def spans(book: Casebook) -> None:
    for name, query, fragments in (
        ("reduce_along_lacking", "FROM era |> REDUCE avg(p) ALONG lat", ["lat", "p"]),
        ("reduce_one_of_two_lacks", "FROM era |> REDUCE avg(t), avg(p) ALONG lat", ["lat", "p"]),
        ("counts_twice_sum", "SELECT sum(p), sum(t) FROM era", ["p"]),
        ("counts_twice_group", "SELECT lat, avg(w), avg(t) FROM era GROUP BY lat", ["t", "lev"]),
        ("counts_twice_aggregate", "FROM era |> AGGREGATE sum(w) AS w, sum(ps) AS ps GROUP BY lat", ["ps", "lev"]),
        ("counts_twice_dimension", "SELECT sum(p) FROM era WHERE lat > 20", ["p", "lat"]),
    ):
        book.error(f"error_{name}", "era", query, *fragments)
    book.error("error_no_common_span", "dem", "SELECT z + band FROM dem", "z", "band")


def selections(book: Casebook) -> None:
    for name, store, query, fragments in (
        ("missing_label", "era", "FROM era[lat = 33] |> SELECT lon, t", ["33", "lat", "nearest"]),
        ("missing_label_in", "era", "FROM era[lat IN (60, 33)] |> SELECT lat, lon, t", ["33", "lat"]),
        ("missing_text_label", "noleap", "FROM noleap[site = 'hillo'] |> SELECT time, tas", ["hillo", "hilo"]),
        ("missing_date", "era", "FROM era[time = '2021-06-01'] |> SELECT time, p", ["2021-06-01", "time"]),
        ("position_outside", "era", "FROM era[lat[6]] |> SELECT lon, t", ["6", "lat"]),
        ("position_outside_negative", "era", "FROM era[lat[-7]] |> SELECT lon, t", ["-7", "lat"]),
        ("step_zero", "era", "FROM era[lat[0:6:0]] |> SELECT lat, lon, t", ["step"]),
        ("nearest_too_far", "era", "FROM era[lat = nearest(33, 1)] |> SELECT lon, t", ["33"]),
        ("date_that_is_none", "era", "FROM era[time = '2020-13'] |> SELECT time, p", ["2020-13"]),
        ("text_for_a_number", "era", "FROM era[lat = 'north'] |> SELECT lon, t", ["north", "lat"]),
        ("linear_outside", "era", "FROM era[lon = linear(400), lat[0]] |> SELECT time, t", ["400"]),
        ("linear_in_a_list", "era", "FROM era[lon IN (0, linear(100)), lat[0]] |> SELECT time, lon, t", ["linear"]),
        ("dimension_twice", "era", "FROM era[lat = 10, lat = 40] |> SELECT lon, t", ["lat"]),
        ("noleap_leap_day", "noleap", "FROM noleap[time = '2000-02-29'] |> SELECT site, tas", ["2000-02-29"]),
    ):
        book.error(f"error_{name}", store, query, *fragments)


def steps(book: Casebook) -> None:
    for name, store, query, fragments in (
        ("coarsen_remainder", "dem", "FROM dem |> COARSEN avg(z) BY y 10", ["23", "10", "trim"]),
        ("coarsen_zero", "dem", "FROM dem |> COARSEN avg(z) BY y 0", ["0"]),
        ("coarsen_unknown_method", "dem", "FROM dem |> COARSEN avg(z) BY y 10 USING cut", ["cut", "trim"]),
        ("resample_number_dimension", "era", "FROM era |> RESAMPLE avg(t) TO lat '1 month'", ["bin", "step of time"]),
        ("resample_unknown_unit", "era", "FROM era |> RESAMPLE avg(p) TO time '1 fortnight'", ["fortnight"]),
        ("bin_zero", "era", "SELECT bin(p, 0) AS b FROM era", ["bin"]),
        ("quantile_outside", "era", "FROM era |> REDUCE quantile(t, 1.5) ALONG time", ["1.5"]),
        ("argmax_two_dimensions", "era", "FROM era |> REDUCE argmax(t) ALONG lat, lon", ["argmax"]),
        ("reduce_without_aggregate", "era", "FROM era |> REDUCE t ALONG time", ["aggregate"]),
        ("mask_number", "era", "FROM era |> MASK t + 1", ["MASK"]),
        ("add_text", "era", "SELECT t + 'a' FROM era", ["a"]),
        ("avg_of_text", "noleap", "SELECT avg(site) FROM noleap", ["avg"]),
        ("window_of_two_dimensions", "dem", "FROM dem |> EXTEND max(z[y-1:y+1, x-1:x+1]) AS v |> SELECT y, x, v", ["several dimensions"]),
        ("bracket_after_window", "era", "FROM (FROM era |> EXTEND p - p[time-1] AS d)[time[5:9]] |> SELECT time, d", ["after a window", "time"]),
        ("bracket_after_window_in_sql", "era", "FROM era |> EXTEND window_avg(p, time => range(-1, 0)) AS d |> SEL time = '2020-01' |> SELECT time, d", ["after a window", "time"]),
        ("bracket_after_over", "era", "FROM era |> EXTEND ps - avg(ps) OVER (ALONG lon) AS d |> SEL lon[0] |> SELECT time, lat, d", ["after a window", "lon"]),
        ("position_after_where", "era", "FROM era |> WHERE lat + lon < 45 |> SEL lat[0] |> SELECT time, lon, t", ["after a WHERE", "lat"]),
        ("verb_of_a_later_version", "era", "FROM era |> INTERP lat = 1", ["INTERP"]),
    ):
        book.error(f"error_{name}", store, query, *fragments)


def syntax(book: Casebook) -> None:
    for name, query, fragments in (
        ("pipe_verb", "FROM era |> REDUSE avg(t) ALONG lat", ["REDUSE", "REDUCE"]),
        ("open_bracket", "FROM era[lat = 3", ["`[`"]),
        ("empty_bracket", "FROM era[] |> SELECT t", ["dimension"]),
        ("three_colons", "FROM era[lat[1:2:3:4]] |> SELECT t", ["colon"]),
        ("along_nothing", "FROM era |> REDUCE avg(t) ALONG", ["dimension"]),
        ("along_and_keep", "FROM era |> REDUCE avg(t) ALONG lat KEEP lon", ["KEEP"]),
        ("nothing", "", []),
        ("only_pipe", "|> SELECT 1", []),
        ("open_text", "SELECT 'abc FROM era", ["unterminated"]),
    ):
        book.error(f"error_syntax_{name}", "era", query, *fragments)
    book.error("error_detached", "era", "FROM era |> SELECT p", "era", setup="DETACH era")
    book.error("error_view_exists", "era", "CREATE VIEW v AS FROM era", "v", setup="CREATE VIEW v AS FROM era")
