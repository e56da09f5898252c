"""ADBC against a running server: URI and the path of a store are the arguments."""
import sys
import threading
import time
import warnings

import adbc_driver_flightsql
import adbc_driver_flightsql.dbapi as flight_sql
import adbc_driver_manager
import pyarrow as pa

uri, store, folder = sys.argv[1:4]
warnings.simplefilter("ignore")


def connect(**options):
    return flight_sql.connect(uri, db_kwargs=options)


def one(connection, statement, parameters=None):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


def fails(work, *words):
    try:
        work()
    except Exception as error:  # noqa: BLE001
        text = str(error)
        assert all(word in text for word in words), text
        return error
    raise AssertionError(f"no error with {words}")


with connect(username="ada", password="x") as connection:
    # Statements, in SQL and in the language of arrays.
    assert one(connection, "SELECT 1 AS a, 'b' AS b") == [(1, "b")]
    one(connection, f"ATTACH '{store}' AS ds")
    cells = one(connection, "FROM ds |> REDUCE count(*) AS n")
    assert cells == one(connection, 'SELECT count(*) FROM "datafusion"."public"."ds"'), cells
    months = one(connection, "FROM ds |> REDUCE avg(tas) AS t ALONG latitude, longitude")
    assert len(months) == 12, months
    fails(lambda: one(connection, "SELECT nothing FROM ds"), "nothing")
    fails(lambda: one(connection, "FROM ds |> REDUC avg(tas) ALONG time"), "REDUC")

    # Parameters: by number, by place, of many types, in brackets too.
    many = ", ".join(f"${n} AS c{n}" for n in range(1, 12))
    assert one(connection, f"SELECT {many}", tuple(range(11))) == [tuple(range(11))]
    assert one(connection, "SELECT ? - ? AS d", (7, 5)) == [(2,)]
    import datetime

    moment = datetime.datetime(1999, 1, 31, 12, 30, 15, 250)
    values = (1.5, -2.25, "it's", True, None, moment, datetime.date(1999, 2, 3), b"\x01\xff", -7)
    found = one(connection, "SELECT $1 a, $2 b, $3 c, $4 d, $5 e, $6 f, $7 g, $8 h, $9 i", values)
    assert found == [values], found
    low, high = one(connection, "SELECT min(latitude), max(latitude) FROM ds")[0]
    in_brackets = one(connection, "FROM ds[latitude = $1] |> REDUCE count(*) AS n", (low,))
    in_where = one(connection, "SELECT count(*) FROM ds WHERE latitude = $1", (low,))
    assert in_brackets == in_where and in_where[0][0] * 2 < cells[0][0], (in_brackets, in_where)
    first = one(connection, "SELECT min(time) FROM ds")[0]
    at_first = [one(connection, text, first) for text in (
        "FROM ds[time = $1] |> REDUCE count(*) AS n",
        "SELECT count(*) FROM ds WHERE time = $1",
        "FROM ds |> WHERE time = ? |> REDUCE count(*) AS n",
    )]
    assert at_first == [[(cells[0][0] // 12,)]] * 3, at_first
    assert len(one(connection, "FROM ds |> LIMIT $1", (3,))) == 3
    fails(lambda: one(connection, "SELECT $1 + $2", (1,)), "expected values of 2 parameters, found 1")

    # What changes something runs once, and tells how many rows it changed.
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE numbers (n BIGINT, word VARCHAR)")
        cursor.execute("INSERT INTO numbers VALUES (1, 'one')")
        assert cursor.rowcount == 1, cursor.rowcount
        cursor.executemany("INSERT INTO numbers VALUES ($1, $2)", [(n, str(n)) for n in range(2, 52)])
        assert cursor.adbc_statement.execute_update is not None
    assert one(connection, "SELECT count(*), sum(n) FROM numbers") == [(51, sum(range(52)))]
    update = adbc_driver_manager.AdbcStatement(connection.adbc_connection)
    update.set_sql_query("INSERT INTO numbers SELECT n + 100, word FROM numbers")
    assert update.execute_update() == 51
    update.close()
    assert one(connection, "SELECT count(*) FROM numbers") == [(102,)]

    # A prepared statement for several rows of values.
    with connection.cursor() as cursor:
        cursor.execute("SELECT $1 * 2 AS d", pa.record_batch({"n": [1, 2, 3]}))
        assert [row[0] for row in cursor.fetchall()] == [2, 4, 6]

    # The columns without running.
    with connection.cursor() as cursor:
        schema = cursor.adbc_execute_schema("FROM ds |> REDUCE avg(tas) AS t ALONG latitude, longitude")
        assert schema.names == ["time", "t"], schema
        prepared = cursor.adbc_prepare("SELECT * FROM numbers WHERE n > $1")
        assert prepared.field(0).type == pa.int64(), prepared

    # Whole tables.
    table = pa.table({"k": [1, 2, 3], "v": ["a", "b", None]})
    with connection.cursor() as cursor:
        assert cursor.adbc_ingest("taken", table, mode="create") == 3
        fails(lambda: cursor.adbc_ingest("taken", table, mode="create"), "taken", "exists already")
        assert cursor.adbc_ingest("taken", table, mode="append") == 3
        assert one(connection, "SELECT count(*), max(v) FROM taken") == [(6, "b")]
        assert cursor.adbc_ingest("taken", table.slice(0, 1), mode="replace") == 1
        assert one(connection, "SELECT k, v FROM taken") == [(1, "a")]
        fails(lambda: cursor.adbc_ingest("absent", table, mode="append"), "no table", "absent")
    grid = pa.table({"y": [0, 0, 1, 1], "x": [10, 20, 10, 20], "v": [1.0, 2.0, 3.0, 4.0]})
    grid = grid.replace_schema_metadata({"quarray:dimensions": '["y", "x"]'})
    made = f"{folder}/ingested.zarr"
    with connection.cursor() as cursor:
        cursor.adbc_ingest(made, grid, mode="create")
        assert one(connection, f"FROM '{made}'[y = 1, x = 20] |> SELECT v") [0][-1] == 4.0
        fails(lambda: cursor.adbc_ingest(made, grid, mode="create"), "ALREADY_EXISTS", "a Zarr store already")
        fails(lambda: cursor.adbc_ingest(f"{folder}/other.zarr", table, mode="create"), "dimensions")
        twice = pa.concat_tables([grid, grid])
        fails(lambda: cursor.adbc_ingest(f"{folder}/twice.zarr", twice, mode="create"), "expected one row a cell", "y = 0")
        doubled = grid.set_column(2, "v", pa.array([2.0, 4.0, 6.0, 8.0]))
        cursor.adbc_ingest(made, doubled, mode="replace")
        assert one(connection, f"FROM '{made}' |> REDUCE sum(v) AS s") == [(20.0,)]

    # What there is.
    objects = connection.adbc_get_objects(depth="all").read_all().to_pylist()
    tables = {t["table_name"]: t for c in objects for s in c["catalog_db_schemas"] for t in s["db_schema_tables"]}
    assert {"ds", "numbers", "taken"} <= set(tables), list(tables)
    assert [c["column_name"] for c in tables["numbers"]["table_columns"]] == ["n", "word"]
    assert "tas" in [c["column_name"] for c in tables["ds"]["table_columns"]]
    assert connection.adbc_get_table_schema("taken").names == ["k", "v"]
    assert connection.adbc_get_table_types() == ["TABLE", "VIEW"]
    info = connection.adbc_get_info()
    assert info["vendor_name"] == "Quarray", info
    assert adbc_driver_flightsql.__version__

    # Options of the session.
    inner = connection.adbc_connection
    name = "adbc.flight.sql.session.option.result_form"
    assert inner.get_option(name) == "rows"
    inner.set_options(**{name: "blocks"})
    assert inner.get_option(name) == "blocks"
    inner.set_options(**{name: "rows"})
    assert inner.get_option("adbc.connection.catalog") == "datafusion"
    assert inner.get_option("adbc.connection.db_schema") == "public"
    fails(lambda: inner.set_options(**{name: "cubes"}), "result_form")
    fails(lambda: inner.set_options(**{"adbc.flight.sql.session.option.colour": "red"}), "colour")

    # Names belong to the session.
    with connect(username="bob", password="x") as other:
        fails(lambda: one(other, "SELECT * FROM numbers"), "numbers")

# Without a name: a session for the connection.
with connect() as connection:
    one(connection, "CREATE TABLE mine AS SELECT 7 AS n")
    assert one(connection, "SELECT n FROM mine") == [(7,)]
    with connect() as other:
        fails(lambda: one(other, "SELECT n FROM mine"), "mine")

# Cancelling ends the call at once, and the connection goes on.
with connect(username="ada", password="x") as connection, connection.cursor() as cursor:
    timer = threading.Timer(1.0, cursor.adbc_cancel)
    timer.start()
    since = time.monotonic()
    endless = "SELECT sum(a.value % 7) FROM range(1000000000000) a"
    fails(lambda: (cursor.execute(endless), cursor.fetchall()), "ancel")
    assert time.monotonic() - since < 5
    timer.join()
    assert one(connection, "SELECT 1") == [(1,)]
print("adbc: done")
