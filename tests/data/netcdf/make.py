"""Makes the NetCDF files beside it and what xarray reads from them.

Written for these tests, under the licence of the project. Wants xarray, netCDF4, h5py, h5netcdf, cftime.
"""

import json
import pathlib

import cftime
import h5py
import netCDF4
import numpy as np
import xarray

HERE = pathlib.Path(__file__).parent
RNG = np.random.default_rng(6)


def dimensions(file, record="time"):
    file.createDimension(record, None)
    file.createDimension("y", 3)
    file.createDimension("x", 5)
    file.createDimension("letters", 4)


def fill(file, **packing):
    """Variables of every kind that the format has, on records and on fixed dimensions."""
    dimensions(file)
    time = file.createVariable("time", "f8", ("time",), **packing)
    time.setncatts({"units": "hours since 2001-02-03 06:00", "calendar": "standard"})
    time[:] = [0, 6, 12.5, 30]
    y = file.createVariable("y", "f4", ("y",))
    y[:] = [50, 49.5, 49]
    packed = file.createVariable("packed", "i2", ("time", "y", "x"), fill_value=-999, **packing)
    packed.setncatts({"scale_factor": 0.5, "add_offset": 10.0, "missing_value": np.int16(-998), "coordinates": "height"})
    packed.set_auto_maskandscale(False)
    values = RNG.integers(-50, 50, (4, 3, 5)).astype("i2")
    values[0, 0, 0], values[3, 2, 4] = -999, -998
    packed[:] = values
    unsigned = file.createVariable("unsigned", "i1", ("y", "x"), fill_value=-1)
    unsigned.setncattr("_Unsigned", "true")
    unsigned.set_auto_maskandscale(False)
    unsigned[:] = RNG.integers(-128, 127, (3, 5)).astype("i1")
    flux = file.createVariable("flux", "f4", ("time", "x"), fill_value=np.float32(1e20), **packing)
    flux.set_auto_maskandscale(False)
    values = RNG.normal(size=(4, 5)).astype("f4")
    values[1, 1], values[2, 2] = 1e20, np.nan
    flux[:] = values
    station = file.createVariable("station", "S1", ("y", "letters"))
    station[:] = netCDF4.stringtochar(np.array(["a", "bcd", "wxyz"], "S4"))
    logs = file.createVariable("logs", "S1", ("time", "letters"))
    logs[:] = netCDF4.stringtochar(np.array(["one", "two", "", "four"], "S4"))
    height = file.createVariable("height", "f8", ())
    height[:] = 2.0
    file.setncatts({"title": "made", "numbers": np.array([1, 2, 3], "i4")})


def classic():
    for name, kind in [("cdf1", "NETCDF3_CLASSIC"), ("cdf2", "NETCDF3_64BIT_OFFSET"), ("cdf5", "NETCDF3_64BIT_DATA")]:
        with netCDF4.Dataset(HERE / f"{name}.nc", "w", format=kind) as file:
            fill(file)
            if name == "cdf5":
                for kind in ["u1", "u2", "u4", "i8", "u8"]:
                    wide = file.createVariable(kind, kind, ("x",))
                    wide[:] = np.array([0, 1, 2, 100, np.iinfo(kind).max - 3], kind)
    # One variable alone on records: its records are not filled up.
    with netCDF4.Dataset(HERE / "one_record.nc", "w", format="NETCDF3_CLASSIC") as file:
        dimensions(file)
        file.createVariable("odd", "i1", ("time", "x"))[:] = np.arange(35).reshape(7, 5)


def modern():
    with netCDF4.Dataset(HERE / "nc4.nc", "w") as file:
        fill(file, zlib=True, shuffle=True, fletcher32=True, chunksizes=None)
        words = file.createVariable("words", str, ("x",))
        words[:] = np.array(["", "ä", "two words", "x" * 300, "end"], object)
        big = file.createVariable("big", ">f8", ("y", "x"), zlib=True, chunksizes=(2, 2), endian="big")
        big[:] = RNG.normal(size=(3, 5))
        file.createDimension("empty", 0)
        file.createVariable("nothing", "f4", ("empty",))
        late = file.createVariable("late", "i4", ("time",), fill_value=-5)
        late[:2] = [7, 8]
        pair = file.createCompoundType(np.dtype([("a", "f4"), ("b", "i4")]), "pair")
        file.createVariable("pairs", pair, ("x",))
        kinds = file.createEnumType(np.uint8, "kinds", {"land": 1, "sea": 2})
        surface = file.createVariable("surface", kinds, ("x",))
        surface[:] = [1, 2, 2, 1, 1]
        deep = file.createGroup("deep").createGroup("er")
        deep.createDimension("z", 2)
        cells = deep.createVariable("cells", "i4", ("z", "x"))
        cells[:] = np.arange(10).reshape(2, 5)
        deep.setncattr("note", "below")
    for calendar in ["noleap", "360_day", "julian", "all_leap", "proleptic_gregorian"]:
        with netCDF4.Dataset(HERE / f"calendar_{calendar}.nc", "w") as file:
            file.createDimension("time", 4)
            time = file.createVariable("time", "i4", ("time",))
            time.setncatts({"units": "days since 1999-12-30", "calendar": calendar})
            time[:] = [0, 1, 60, 500]


def indexes():
    """Each way of newer HDF5 to keep the places of chunks, and the old one with several levels."""
    cells = np.arange(60 * 50, dtype="i4").reshape(60, 50)
    cases = {
        "single": dict(chunks=(60, 50)),
        "single_packed": dict(chunks=(60, 50), compression="gzip"),
        "implicit": dict(chunks=(7, 9)),
        "fixed": dict(chunks=(7, 9), compression="gzip", shuffle=True),
        "extensible": dict(chunks=(7, 9), maxshape=(None, 50), compression="gzip"),
        "extensible_plain": dict(chunks=(1, 50), maxshape=(None, 50)),
        "btree2": dict(chunks=(7, 9), maxshape=(None, None), compression="gzip", fletcher32=True),
        "btree2_plain": dict(chunks=(7, 9), maxshape=(None, None)),
        "lzf": dict(chunks=(7, 9), compression="lzf"),
        "compact": dict(),
    }
    for name, libver in [("newer", "latest"), ("older", "earliest")]:
        with h5py.File(HERE / f"{name}.h5", "w", libver=libver) as file:
            for case, options in cases.items():
                if case == "compact":
                    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
                    properties.set_layout(h5py.h5d.COMPACT)
                    space = h5py.h5s.create_simple((4, 5))
                    found = h5py.h5d.create(file.id, b"compact", h5py.h5t.STD_I32BE, space, properties)
                    h5py.Dataset(found)[:] = cells[:4, :5]
                    continue
                if case == "implicit":
                    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
                    properties.set_chunk((7, 9))
                    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
                    space = h5py.h5s.create_simple((60, 50))
                    found = h5py.h5d.create(file.id, b"implicit", h5py.h5t.STD_I32LE, space, properties)
                    h5py.Dataset(found)[:] = cells
                    continue
                file.create_dataset(case, data=cells, **options)
            many = file.create_dataset("many", (3000, 1), "i2", chunks=(1, 1), maxshape=(None, 1), fillvalue=-7)
            for place in range(0, 3000, 3):
                many[place] = place
            file["truths"] = np.array([True, False, True])
            file["fixed_texts"] = np.array([b"ab", b"cde"], "S3")
            file["halves"] = np.array([0.5, 65504, -2], "f2")
            file["references"] = np.array([file["fixed"].ref], h5py.ref_dtype)
    with h5py.File(HERE / "user_block.h5", "w", userblock_size=1024) as file:
        file.create_dataset("cells", data=cells, chunks=(30, 50), compression="gzip")
        file.create_dataset("plain", data=cells[:2])
        file.create_dataset("texts", data=["a", "bc"], dtype=h5py.string_dtype())
    with open(HERE / "user_block.h5", "r+b") as file:
        file.write(b"a user's own\n")


def parts():
    """Three files that are one dataset along time, each with units, chunks and a format of its own."""
    begun = 0
    for number, (days, kind) in enumerate([(3, "NETCDF4"), (5, "NETCDF3_CLASSIC"), (2, "NETCDF4")], 1):
        with netCDF4.Dataset(HERE / f"part_{number}.nc", "w", format=kind) as file:
            file.createDimension("time", None)
            file.createDimension("y", 4)
            time = file.createVariable("time", "f8", ("time",))
            time.setncatts({"units": f"days since 2001-01-{1 + begun:02}", "calendar": "standard"})
            time[:] = np.arange(days)
            file.createVariable("y", "f4", ("y",))[:] = [1, 2, 3, 4]
            heat = file.createVariable("heat", "f4", ("time", "y"))
            heat[:] = RNG.normal(size=(days, 4)).astype("f4")
            file.createVariable("land", "i1", ("y",))[:] = [0, 1, 1, 0]
        begun += days


def plain(values):
    """The cells in C order: numbers, texts, null where they are missing; times in microseconds since 1970."""
    values = values.reshape(-1)
    if values.dtype.kind == "M":
        return [None if np.isnat(v) else int(v.astype("datetime64[us]").astype("i8")) for v in values]
    if values.dtype.kind == "O" and len(values) and isinstance(values[0], cftime.datetime):
        origin = "microseconds since 1970-01-01"
        return [int(cftime.date2num(v, origin, v.calendar)) for v in values]
    if values.dtype.kind == "S":
        return [v.decode() for v in values]
    if values.dtype.kind in "OTU":
        return [str(v) for v in values]
    if values.dtype.kind == "f":
        return [None if np.isnan(v) else float(v) for v in values]
    return [v.item() for v in values]


def golden():
    found = {}
    names = ["cdf1.nc", "cdf2.nc", "cdf5.nc", "one_record.nc", "nc4.nc", "nc4.nc/deep/er"]
    names += sorted(path.name for path in HERE.glob("calendar_*.nc"))
    for name in names:
        file, _, group = name.partition("/")
        options = {"drop_variables": ["pairs"]} if file == "nc4.nc" else {}
        with xarray.open_dataset(HERE / file, engine="netcdf4", group=group or None, **options) as dataset:
            found[name] = {
                key: {"dims": list(variable.dims), "values": plain(variable.values)}
                for key, variable in dataset.variables.items()
            }
    opened = [xarray.open_dataset(HERE / f"part_{number}.nc") for number in (1, 2, 3)]
    together = xarray.concat(opened, "time", data_vars="minimal", coords="minimal", compat="equals", join="exact")
    found["part_*.nc"] = {
        key: {"dims": list(variable.dims), "values": plain(variable.values)}
        for key, variable in together.variables.items()
    }
    for name in ["newer.h5", "older.h5", "user_block.h5"]:
        with h5py.File(HERE / name) as file:
            found[name] = {
                key: {"shape": list(data.shape), "values": plain(np.asarray(data.asstr() if data.dtype.kind == "O" else data))}
                for key, data in file.items()
                if key != "references"
            }
    (HERE / "golden.json").write_text(json.dumps(found, separators=(",", ":")) + "\n")


classic()
modern()
indexes()
parts()
golden()
