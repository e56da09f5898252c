"""Makes the golden stores and cases: `python generate.py [--cases-only]`, with xarray, zarr, numpy and cftime.

Deterministic: the same packages give the same bytes. README.md says what the answers are and where they leave xarray's.
"""
import importlib
import sys
import warnings
from pathlib import Path

import xarray as xr

import make_stores
from casebook import Casebook

HERE = Path(__file__).parent
FILES = ("subsets", "reductions", "groups", "maps", "windows", "sql", "where", "joins", "errors")


def main(cases_only: bool) -> None:
    warnings.filterwarnings("ignore")
    xr.set_options(use_flox=False, use_numbagg=False, use_bottleneck=False)
    if not cases_only:
        for name in make_stores.STORES:
            make_stores.write(name, HERE / "stores")
        (HERE / "tables").mkdir(exist_ok=True)
        make_stores.stations().to_csv(HERE / "tables" / "stations.csv", index=False)
    opened = {name: make_stores.read(HERE / "stores" / f"{name}.zarr") for name in make_stores.STORES}
    opened["bcsd"] = make_stores.read(HERE.parent / "data" / "rnz-bcsd.zarr")
    (HERE / "cases").mkdir(exist_ok=True)
    total, names = 0, set()
    for file in FILES:
        book = Casebook(opened)
        importlib.import_module(f"cases_{file}").write(book)
        book.write(HERE / "cases" / f"{file}.json")
        total += len(book.cases)
        assert names.isdisjoint(case["name"] for case in book.cases)
        names |= {case["name"] for case in book.cases}
        print(f"{file}: {len(book.cases)} cases")
    print(f"{total} cases")


if __name__ == "__main__":
    main("--cases-only" in sys.argv[1:])
