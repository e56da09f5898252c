"""pyarrow.flight, SQLAlchemy (flightsql-dbapi), pandas and polars against a running server."""
import sys
import warnings

import adbc_driver_flightsql.dbapi as flight_sql
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.flight as flight

uri, store, _folder, examples = sys.argv[1:5]
warnings.simplefilter("ignore")
sys.path.insert(0, examples)
import blocks  # noqa: E402

host, port = uri.removeprefix("grpc://").rsplit(":", 1)

# pyarrow.flight: a handshake, a command, a ticket that may be redeemed again, an info that is cancelled.
client = flight.connect(uri)
header = client.authenticate_basic_token("ada", "x")
options = flight.FlightCallOptions(headers=[header])


def field(number, data):
    """A field of a message, by hand."""
    size, length = len(data), b""
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + data


def command(text):
    """CommandStatementQuery in an Any."""
    kind = b"type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery"
    return flight.FlightDescriptor.for_command(field(1, kind) + field(2, field(1, text.encode())))


info = client.get_flight_info(command("SELECT value FROM range(5)"), options)
ticket = info.endpoints[0].ticket
for _ in range(2):
    read = client.do_get(ticket, options).read_all()
    assert read.column(0).to_pylist() == [0, 1, 2, 3, 4] and read.schema == info.schema, read
assert client.get_schema(command("SELECT 1 AS n"), options).schema.names == ["n"]
try:
    flight.connect(uri).do_get(ticket, flight.FlightCallOptions()).read_all()
    raise AssertionError("a ticket of another session is redeemed")
except (flight.FlightError, KeyError) as error:
    assert "not one of this session" in str(error), error
info = client.get_flight_info(command("SELECT value FROM range(1000000000)"), options)
reader = client.do_get(info.endpoints[0].ticket, options)
reader.read_chunk()
list(client.do_action(flight.Action("CancelFlightInfo", field(1, info.serialize())), options))
try:
    while True:
        reader.read_chunk()
except StopIteration:
    raise AssertionError("a query that was cancelled has an end")
except Exception as error:  # noqa: BLE001
    assert "cancel" in str(error).lower(), error

# SQLAlchemy.
import sqlalchemy  # noqa: E402
from sqlalchemy.dialects import registry  # noqa: E402

registry.register("datafusion.flightsql", "flightsql.sqlalchemy", "DataFusionDialect")
engine = sqlalchemy.create_engine(f"datafusion+flightsql://ada:x@{host}:{port}?insecure=True")
with engine.connect() as connection:
    assert list(connection.execute(sqlalchemy.text("SELECT 1 AS a, 'b' AS b"))) == [(1, "b")]
    rows = list(connection.execute(sqlalchemy.text(f"SELECT count(*) AS n FROM '{store}'")))
    assert rows[0][0] > 0, rows

# pandas and polars, through ADBC.
with flight_sql.connect(uri) as connection:
    monthly = f"FROM '{store}' |> REDUCE avg(tas) AS t ALONG latitude, longitude"
    frame = pd.read_sql(monthly, connection)
    assert list(frame.columns) == ["time", "t"] and len(frame) == 12
    again = pl.read_database(monthly, connection)
    assert again.shape == (12, 2) and np.array_equal(again["t"].to_numpy(), frame["t"].to_numpy())
    words = "SELECT arrow_cast('a', 'Dictionary(Int8, Utf8)') AS w, arrow_cast('b', 'Utf8View') AS v"
    assert pl.read_database(words, connection).rows() == [("a", "b")]
    assert frame.to_sql("frame", connection, index=False) == 12
    assert pd.read_sql("SELECT count(*) AS n FROM frame", connection)["n"].tolist() == [12]

    # Blocks: the same array as xarray reads.
    found = blocks.query(connection, f"FROM '{store}' |> SELECT time, latitude, longitude, tas, pr")
    assert list(found.sizes) == ["time", "latitude", "longitude"], found
    rows = pd.read_sql(f"SELECT * FROM '{store}'", connection).set_index(["time", "latitude", "longitude"])
    array = rows["tas"].to_xarray().reindex_like(found["tas"]).values
    assert np.array_equal(found["tas"].values, array, equal_nan=True)
    assert found["tas"].attrs.get("units"), found["tas"].attrs
    mean = blocks.query(connection, monthly)
    assert np.allclose(mean["t"].values, frame["t"].to_numpy()) and mean.sizes == {"time": 12}
    assert np.array_equal(mean["time"].values.astype("datetime64[us]"), frame["time"].to_numpy().astype("datetime64[us]"))
    scalar = pd.read_sql(f"FROM '{store}' |> REDUCE count(*) AS n", connection)
    assert len(scalar) == 1
print("others: done")
