"""Reductions as the language means them, in terms of xarray's: float32 widened first, all-missing sums missing."""
import numpy as np
import xarray as xr

QUANTILE = 0.9


def widened(array: xr.DataArray) -> xr.DataArray:
    return array.astype("f8") if array.dtype == "f4" else array


def positions(array: xr.DataArray, dim: str, largest: bool) -> xr.DataArray:
    """Where the extreme is; missing where there is nothing but missing cells."""
    filler = -np.inf if largest else np.inf
    filled = array.fillna(filler) if array.dtype.kind == "f" else array
    found = filled.argmax(dim) if largest else filled.argmin(dim)
    return found.astype("f8").where(array.notnull().any(dim))


def end(array: xr.DataArray, dims, last: bool) -> xr.DataArray:
    """The first or last cell along `dims` (in the array's order) that is not missing."""
    names = [dim for dim in array.dims if dim in dims]
    stacked = array.transpose(..., *names).stack(cell=names).reset_index("cell", drop=True)
    order = slice(None, None, -1) if last else slice(None)
    stacked = stacked.isel(cell=order)
    index = stacked.notnull().argmax("cell")
    return stacked.isel(cell=index)


AGGREGATES = {
    "sum": lambda a, d: widened(a).sum(d, min_count=1) if a.dtype.kind == "f" else a.sum(d),
    "avg": lambda a, d: widened(a).mean(d),
    "mean": lambda a, d: widened(a).mean(d),
    "count": lambda a, d: a.count(d),
    "min": lambda a, d: a.min(d),
    "max": lambda a, d: a.max(d),
    "stddev": lambda a, d: widened(a).std(d, ddof=1),
    "stddev_pop": lambda a, d: widened(a).std(d, ddof=0),
    "var": lambda a, d: widened(a).var(d, ddof=1),
    "var_pop": lambda a, d: widened(a).var(d, ddof=0),
    "median": lambda a, d: widened(a).median(d),
    "quantile": lambda a, d: widened(a).quantile(QUANTILE, d).drop_vars("quantile"),
    "argmin": lambda a, d: positions(a, d[0], False),
    "argmax": lambda a, d: positions(a, d[0], True),
    "idxmin": lambda a, d: a.idxmin(d[0]),
    "idxmax": lambda a, d: a.idxmax(d[0]),
    "first": lambda a, d: end(a, d, False),
    "last": lambda a, d: end(a, d, True),
    "any": lambda a, d: a.any(d),
    "all": lambda a, d: a.all(d),
}

GROUPED = {
    "sum": lambda g: g.sum(min_count=1),
    "avg": lambda g: g.mean(),
    "count": lambda g: g.count(),
    "min": lambda g: g.min(),
    "max": lambda g: g.max(),
    "stddev": lambda g: g.std(ddof=1),
    "stddev_pop": lambda g: g.std(ddof=0),
    "var": lambda g: g.var(ddof=1),
    "var_pop": lambda g: g.var(ddof=0),
    "median": lambda g: g.median(),
    "quantile": lambda g: g.quantile(QUANTILE).drop_vars("quantile"),
    "first": lambda g: g.first(skipna=True),
    "last": lambda g: g.last(skipna=True),
}


def tolerance_of(aggregate: str, array: xr.DataArray) -> str:
    if aggregate in ("sum", "avg", "mean", "stddev", "stddev_pop", "var", "var_pop"):
        return "exact" if aggregate == "sum" and array.dtype.kind in "iu" else "sum"
    if aggregate in ("median", "quantile"):
        return "f32" if array.dtype == "f4" else "sum"
    return "exact"


def class_of(aggregate: str, array: xr.DataArray, is_integer: bool) -> str | None:
    """The class of the result's type, where the values alone do not say it."""
    if aggregate in ("count", "argmin", "argmax"):
        return "int"
    if is_integer and aggregate in ("sum", "min", "max", "first", "last"):
        return "int"
    if aggregate in ("median", "quantile"):
        return "float"
    return None


def call(aggregate: str, variable: str) -> str:
    return f"quantile({variable}, {QUANTILE})" if aggregate == "quantile" else f"{aggregate}({variable})"


def rolled(array: xr.DataArray, dim: str, before: int, after: int, function, min_count: int | None = None) -> xr.DataArray:
    """A window from `before` cells back to `after` cells on, complete or missing, by construct().reduce."""
    size = before + after + 1
    array = widened(array)
    padded = array.pad({dim: (before, after)}, constant_values=np.nan)
    windows = padded.rolling({dim: size}).construct("window").isel({dim: slice(before + after, None)})
    windows = windows.assign_coords({dim: array[dim]}) if dim in array.coords else windows
    enough = windows.count("window") >= (size if min_count is None else min_count)
    return function(windows).where(enough)
