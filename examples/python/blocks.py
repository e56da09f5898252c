"""Results of `quarray serve` as xarray Datasets, over ADBC.

    import adbc_driver_flightsql.dbapi as flight_sql
    with flight_sql.connect("grpc://127.0.0.1:50051") as connection:
        dataset = blocks.query(connection, "FROM 'daymet.zarr' |> REDUCE avg(tmin) ALONG y, x")
"""
import base64
import json

import numpy as np
import pyarrow as pa
import xarray as xr

OPTION = "adbc.flight.sql.session.option.result_form"


def query(connection, statement, parameters=None):
    """Runs a query whose result is an array, and gives it as a Dataset with its coordinates."""
    connection.adbc_connection.set_options(**{OPTION: "blocks"})
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return dataset(cursor.fetch_arrow_table())
    finally:
        connection.adbc_connection.set_options(**{OPTION: "rows"})


def dataset(table):
    """The Dataset that a table of tensors is."""
    metadata = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    names, shape = json.loads(metadata["quarray:dimensions"]), json.loads(metadata["quarray:shape"])
    labels = pa.ipc.open_stream(base64.b64decode(metadata["quarray:coordinates"])).read_all()
    attributes = lambda field: {k.decode(): v.decode() for k, v in (field.metadata or {}).items() if b":" not in k}
    coordinates = {n: (n, labels[n][0].values.to_numpy(zero_copy_only=False), attributes(labels.field(n))) for n in names}
    variables = {}
    for column, field in zip(table.columns, table.schema):
        values = np.concatenate([np.asarray(part.storage.flatten()) for part in column.chunks] or [np.empty(0)])
        kind = (field.metadata or {}).get(b"quarray:dtype")
        values = values.astype("?") if kind == b"bool" else values.view(kind.decode()) if kind else values
        variables[field.name] = (names, values.reshape(shape), attributes(field))
    return xr.Dataset(variables, coordinates)
