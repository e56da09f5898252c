"""The means of the made-up year, by xarray: what `served.rs` expects.

    QUARRAY_TEST_REPLICA=FOLDER cargo test --workspace --test shell -- served
    python replica_means.py FOLDER/replica.zarr > replica_means.txt
"""
import sys

import xarray as xr

store = xr.open_zarr(sys.argv[1], consolidated=True, chunks={})
for mean in store.tmin.astype("f8").mean(["y", "x"]).values:
    print(repr(float(mean)))
