"""Cases: a query and its answer, as JSON that the harness reads (tests/tests/quarray/golden.rs)."""
import json
import math
from pathlib import Path

import cftime
import numpy as np
import pandas as pd
import xarray as xr


def type_class(values: np.ndarray) -> str:
    """What kind of column the values are: the harness demands the same of the engine's."""
    kind = values.dtype.kind
    if kind == "f":
        return f"float{values.dtype.itemsize * 8}"
    if kind in "iu":
        return "int"
    if kind == "b":
        return "bool"
    if kind == "M":
        return "timestamp"
    present = [value for value in values.ravel() if value is not None]
    if present and isinstance(present[0], cftime.datetime):
        return "calendar"
    return "text"


def number(value: float, single: bool):
    """A float in the fewest digits that give it back; NaN is a missing cell."""
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return float(str(np.float32(value))) if single else float(value)


def encode(values, kind: str | None) -> dict:
    """A column's type and values."""
    values = np.asarray(values)
    kind = kind or type_class(values)
    flat = values.ravel()
    if kind == "calendar":
        encoded = [int(cftime.date2num(v, "microseconds since 1970-01-01", calendar=v.calendar)) for v in flat]
    elif kind == "timestamp":
        encoded = [None if np.isnat(v) else str(v.astype("datetime64[us]")).removesuffix(".000000") for v in flat]
    elif kind.startswith("float"):
        single = flat.dtype == np.float32
        encoded = [v if isinstance(v, str) else number(float(v), single) for v in flat]
    elif kind == "int":
        encoded = [None if pd.isna(v) else int(v) for v in flat]
    elif kind == "bool":
        encoded = [None if pd.isna(v) else bool(v) for v in flat]
    else:
        encoded = [None if v is None or v is pd.NA else str(v) for v in flat]
    return {"type": kind, "values": encoded}


class Casebook:
    """The cases of one file."""

    def __init__(self, stores: dict[str, xr.Dataset]):
        self.stores = stores
        self.cases: list[dict] = []

    def add(self, name: str, store, query: str, setup, **more) -> None:
        attached = [store] if isinstance(store, str) else list(store)
        text = "\n".join(line.strip() for line in query.strip().splitlines())
        assert all(case["name"] != name for case in self.cases), name
        case = {"name": name, "attach": attached, "query": text}
        if setup:
            case["setup"] = [setup] if isinstance(setup, str) else list(setup)
        self.cases.append(case | more)

    def array(self, name, store, query, answer, dims=None, tolerance="exact", types=None, select=None, star=False, setup=None):
        """A case whose result is an array on `dims`: the variables of `answer`, broadcast over them."""
        if isinstance(answer, xr.DataArray):
            answer = answer.to_dataset(name=answer.name or "value")
        if dims is None:
            dims = list(max((v.dims for v in answer.data_vars.values()), key=len))
        types = types or {}
        columns = {}
        for dim in dims:
            labels = answer[dim].values if dim in answer.coords else np.arange(answer.sizes[dim])
            columns[dim] = {"name": dim, **encode(labels, types.get(dim))}
        shape = {dim: answer.sizes[dim] for dim in dims}
        for column, variable in answer.data_vars.items():
            values = variable.broadcast_like(xr.Dataset(coords={d: answer[d] for d in dims if d in answer.coords}))
            values = values.transpose(*dims).values
            assert values.shape == tuple(shape.values()), (name, column, values.shape, shape)
            columns[column] = {"name": column, **encode(values, types.get(column))}
        chosen = [columns[column] for column in (select or columns)]
        more = {"star": True} if star else {}
        self.add(name, store, query, setup, dims=list(dims), product=True, tolerance=tolerance, columns=chosen, **more)

    def rows(self, name, store, query, columns, ordered=False, dims=(), tolerance="exact", types=None, setup=None):
        """A case whose result is rows: name → values, in the order of the columns.

        `dims=None` leaves open whether the result counts as an array: LANGUAGE.md does not say it of rows dropped or
        ordered by value.
        """
        types = types or {}
        encoded = [{"name": column, **encode(values, types.get(column))} for column, values in columns.items()]
        lengths = {len(column["values"]) for column in encoded}
        assert len(lengths) == 1, (name, lengths)
        more = {"ordered": True} if ordered or dims else {}
        self.add(name, store, query, setup, dims=None if dims is None else list(dims), tolerance=tolerance, columns=encoded, **more)

    def error(self, name, store, query, *fragments, setup=None):
        """A case that fails, with these texts in the message."""
        self.add(name, store, query, setup, error=list(fragments))

    def write(self, path: Path) -> None:
        lines = [json.dumps(case, ensure_ascii=False, separators=(",", ":"), allow_nan=False) for case in self.cases]
        path.write_text("[\n" + ",\n".join(lines) + "\n]\n")
