"""Results of `quarray serve` as xarray Datasets, over a connection of adbc_driver_flightsql.dbapi."""
import base64, json
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
    names, shape = (json.loads(table.schema.metadata[key]) for key in (b"quarray:dimensions", b"quarray:shape"))
    labels = pa.ipc.open_stream(base64.b64decode(table.schema.metadata[b"quarray:coordinates"])).read_all()
    attributes = lambda field: {k.decode(): v.decode() for k, v in (field.metadata or {}).items() if b":" not in k}
    coordinates = {n: (n, labels[n][0].values.to_numpy(False), attributes(labels.field(n))) for n in names}
    variables = {}
    for column, field in zip(table.columns, table.schema):
        cells = np.concatenate([np.asarray(part.storage.flatten()) for part in column.chunks] or [np.empty(0)])
        kind = (field.metadata or {}).get(b"quarray:dtype", cells.dtype.str.encode()).decode()
        variables[field.name] = (names, cells.view(kind).reshape(shape), attributes(field))
    return xr.Dataset(variables, coordinates)
