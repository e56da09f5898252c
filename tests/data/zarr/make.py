"""Writes `made/` with zarr-python, numcodecs and xarray, and what they read in it to `made.json`.

    python make.py        # zarr 3.1, numcodecs 0.16, zfpy 1.0.1, xarray 2026.9, cftime 1.6

Arrays: the first 16 hex digits of sha256 over the little-endian bytes in C order. CF variables: the decoded values,
times as microseconds since 1970 or, where they are no timestamps, as dates of their calendar.
"""
import base64, hashlib, json, os, shutil, struct, warnings
import numpy as np, numcodecs, xarray as xr, zarr, zfpy
import zarr.codecs.numcodecs as zarr_numcodecs
from zarr.codecs import *

warnings.filterwarnings("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "made")
expected = {"arrays": {}, "texts": {}, "cf": {}}
rng = np.random.default_rng(1)


def remember(name, values):
    values = np.ascontiguousarray(values)
    if values.dtype.kind in "SUOT":
        texts = [v.decode() if isinstance(v, bytes) else str(v) for v in values.ravel()]
        expected["texts"][name] = texts
        return
    if values.dtype.kind in "mM":
        values = values.view("i8")
    if values.dtype.byteorder == ">":
        values = values.astype(values.dtype.newbyteorder("<"))
    expected["arrays"][name] = hashlib.sha256(values.tobytes()).hexdigest()[:16]


def v2(name, values, chunks, skip=(), **options):
    array = zarr.create_array(os.path.join(ROOT, "v2", name), zarr_format=2, shape=values.shape, chunks=chunks,
                              dtype=values.dtype, **{"compressors": None, "filters": None, **options})
    write(array, values, skip, "v2/" + name)


def v3(name, values, chunks, skip=(), **options):
    array = zarr.create_array(os.path.join(ROOT, "v3", name), zarr_format=3, shape=values.shape, chunks=chunks,
                              dtype=values.dtype, **options)
    write(array, values, skip, "v3/" + name)


def write(array, values, skip, name):
    array[...] = values
    for key in skip:
        os.remove(os.path.join(ROOT, name, key))
    remember(name, zarr.open_array(os.path.join(ROOT, name), mode="r")[...])


def codecs():
    i2 = rng.integers(-500, 500, (7, 10)).astype("<i2")
    f4 = (rng.integers(0, 1000, (13, 9)) / 10).astype("<f4")
    f8 = rng.normal(size=(5, 6, 4))
    big = np.arange(200_000, dtype="<f4").reshape(400, 500)
    n = numcodecs
    for shuffle in (0, 1, 2):
        for cname in ("lz4", "lz4hc", "blosclz", "zlib", "zstd"):
            try:
                v2(f"blosc_{cname}_{shuffle}", big[:100, :70], (100, 70), compressors=n.Blosc(cname, 5, shuffle, 8192))
            except Exception as error:
                print("left out", cname, error)
    v2("blosc_bytes", (i2 % 7).astype("u1"), (4, 10), compressors=n.Blosc("lz4", 1, 1))
    v2("blosc_memcpy", np.frombuffer(rng.bytes(4000), "u1").reshape(40, 100), (40, 100), compressors=n.Blosc("lz4", 9, 1))
    v2("gzip", i2, (3, 4), compressors=n.GZip(1))
    v2("lzma", i2, (3, 4), compressors=n.LZMA())
    v2("bz2", i2, (3, 4), compressors=n.BZ2())
    v2("lz4", f4, (13, 9), compressors=n.LZ4())
    v2("big_endian", f4.astype(">f4"), (5, 5), compressors=n.Zlib())
    v2("f_order", f8, (2, 4, 3), order="F", compressors=n.Zstd(3))
    v2("f_order_big", f8.astype(">f8"), (2, 4, 3), order="F", compressors=n.Blosc())
    v2("delta_f4", f4, (5, 5), filters=[n.Delta("<f4")], compressors=n.Zlib())
    v2("delta_f8", f8, (5, 6, 2), filters=[n.Delta("<f8")], compressors=n.Zlib())
    v2("delta_narrow", np.arange(50, dtype="<i8"), (20,), filters=[n.Delta("<i8", astype="<i2")], compressors=n.Zlib())
    v2("delta_big", np.arange(50, dtype=">i4"), (20,), filters=[n.Delta(">i4")], compressors=None)
    v2("delta_u1", np.array([5, 3, 250, 0, 9], "u1"), (5,), filters=[n.Delta("|u1")])
    v2("scale_offset", f4, (5, 5), filters=[n.FixedScaleOffset(offset=100, scale=10, dtype="<f4", astype="<i2")])
    v2("scale_offset_u1", f8.round(1), (5, 6, 2), filters=[n.FixedScaleOffset(offset=-10, scale=10, dtype="<f8", astype="u1")])
    v2("quantize", f8, (5, 6, 2), filters=[n.Quantize(3, "<f8", astype="<f4")])
    v2("astype", i2, (3, 4), filters=[n.AsType(encode_dtype="<i8", decode_dtype="<i2")])
    v2("packbits", f8[0, 0] > 0, (3,), filters=[n.PackBits()])
    v2("bitround", f4, (5, 5), filters=[n.BitRound(5)], compressors=n.Zstd())
    v2("shuffle", f8, (5, 6, 2), filters=[n.Shuffle(8)], compressors=n.Zlib())
    for name, codec in {"crc32": n.CRC32(), "crc32c": n.CRC32C(), "adler32": n.Adler32(), "fletcher32": n.Fletcher32()}.items():
        v2(name, i2, (3, 4), filters=[codec], compressors=n.Zlib())
    v2("slashes", i2, (3, 4), chunk_key_encoding={"name": "v2", "separator": "/"}, compressors=n.Zlib())
    v2("times_ns", np.array(["2000-01-01T00:00:00.000000001", "NaT", "1960-02-03"], "M8[ns]"), (2,))
    v2("texts_s", np.array([b"a", b"bcd", b""], "S5"), (2,), compressors=n.Zlib())
    v2("texts_u", np.array(["é", "bcd", ""], ">U5"), (2,), compressors=n.Zlib())
    v2("absent_nan", f4, (5, 5), ["0.0", "2.1"], fill_value=np.nan)
    v2("absent_big", i2.astype(">i2"), (3, 4), ["0.0"], fill_value=-7)
    v2("scalar", np.array(3.5), (), compressors=n.Blosc())
    v2("empty", np.zeros((0, 4)), (1, 4))
    v3("scalar", np.array(3, "i4"), ())
    v3("transpose", f8, (2, 4, 3), filters=[TransposeCodec(order=(2, 0, 1))])
    v3("big_endian", i2, (3, 4), serializer=BytesCodec(endian="big"), compressors=[GzipCodec(), Crc32cCodec()])
    v3("absent_inf", f4, (5, 5), ["c/0/0"], fill_value=np.inf)
    v3("dots", i2, (3, 4), chunk_key_encoding={"name": "default", "separator": "."})
    v3("blosc_tail", big[:40, :333], (16, 333), compressors=[BloscCodec(cname="lz4", blocksize=4096, shuffle="shuffle", typesize=4)])
    v3("f2", f4.astype("f2"), (5, 5))
    v3("u8_max", np.array([2**64 - 1, 0, 5], "u8"), (2,), fill_value=2**64 - 1)
    v3("bool", f8[0] > 0, (4, 3), fill_value=True)
    v3("texts", np.array([["a", "é", ""], ["b", "c", "long" * 9]], dtype=np.dtypes.StringDType()), (1, 2), fill_value="none")
    v3("utf32", np.array(["a", "é", ""]), (2,))


def shards():
    i4 = rng.integers(-9, 9, (22, 19)).astype("i4")
    for location in ("start", "end"):
        for name, codec in {"plain": None, "zstd": [ZstdCodec()], "blosc": [BloscCodec(typesize=4)]}.items():
            serializer = ShardingCodec(chunk_shape=(4, 5), codecs=[BytesCodec(), *(codec or [])], index_location=location)
            v3(f"shard_{name}_{location}", i4, (8, 10), serializer=serializer, compressors=None)
    bare = ShardingCodec(chunk_shape=(4, 5), codecs=[TransposeCodec(order=(1, 0)), BytesCodec(endian="big")], index_codecs=[BytesCodec(endian="big")])
    v3("shard_bare_index", i4, (8, 10), ["c/1/1"], serializer=bare, compressors=None, fill_value=-5)
    holes = np.where((np.arange(22) // 4 % 2 == 0)[:, None], i4, 7).astype("i4")
    v3("shard_holes", holes, (8, 10), serializer=ShardingCodec(chunk_shape=(4, 5), codecs=[BytesCodec(), ZstdCodec()]), compressors=None, fill_value=7)
    nested = ShardingCodec(chunk_shape=(4, 10), codecs=[ShardingCodec(chunk_shape=(2, 5), codecs=[BytesCodec(), GzipCodec()])])
    v3("shard_nested", i4, (8, 10), serializer=nested, compressors=None)
    v3("shard_transposed", i4, (10, 10), filters=[TransposeCodec(order=(1, 0))], serializer=ShardingCodec(chunk_shape=(5, 2), codecs=[BytesCodec()]), compressors=None)
    v3("shard_gzip_around", i4, (8, 10), serializer=ShardingCodec(chunk_shape=(4, 5), codecs=[BytesCodec()]), compressors=[GzipCodec()])
    v3("shard_texts", np.array(["a", "b", "", "é", "e"], dtype=np.dtypes.StringDType()), (4,), serializer=ShardingCodec(chunk_shape=(2,), codecs=[VLenUTF8Codec()]), compressors=None)


class ReversibleZfpy(numcodecs.zfpy.ZFPY):
    """The mode that numcodecs knows and cannot write."""

    def __init__(self, **settings):
        super().__init__(mode=zfpy.mode_fixed_rate)
        self.mode, self.compression_kwargs = 1, {}


def zfpys():
    rng = np.random.default_rng(2)
    Z = numcodecs.zfpy.ZFPY
    modes = {
        "accuracy": lambda kind: Z(mode=zfpy.mode_fixed_accuracy, tolerance=0.01 if kind == "f" else 3),
        "rate": lambda kind: Z(mode=zfpy.mode_fixed_rate, rate=7.3),
        "precision": lambda kind: Z(mode=zfpy.mode_fixed_precision, precision=13),
        "reversible": lambda kind: ReversibleZfpy(),
    }
    shapes = [((23,), (10,)), ((9, 7), (6, 7)), ((5, 6, 7), (3, 6, 5)), ((3, 5, 2, 6), (3, 4, 2, 5))]
    # Every type in every number of dimensions, every mode in every type and in every number of dimensions.
    for t, dtype in enumerate(("<i4", "<i8", "<f4", "<f8")):
        for d, (shape, chunks) in enumerate(shapes):
            mode = list(modes)[(t + d) % 4]
            values = (280 + np.cumsum(rng.normal(size=np.prod(shape)))).reshape(shape)
            if dtype[1] == "i":
                values = values * 1000 - 280_000
            elif mode == "reversible":
                values[(1,) * len(shape)] = np.nan
            v2(f"zfpy_{dtype[1:]}_{mode}_{d + 1}d", values.astype(dtype), chunks, compressors=modes[mode](dtype[1]))
    f4 = (280 + np.cumsum(rng.normal(size=(6, 8)), axis=1)).astype("<f4")
    rate = Z(mode=zfpy.mode_fixed_rate, rate=9)
    v2("zfpy_absent", f4, (3, 4), ["1.0"], fill_value=np.nan, compressors=rate)
    v2("zfpy_zeros", f4 * 0, (6, 8), compressors=rate, config={"write_empty_chunks": True})
    v2("zfpy_behind_scale", f4.astype("<f8"), (5, 5), compressors=rate,
       filters=[numcodecs.FixedScaleOffset(offset=250, scale=8, dtype="<f8", astype="<i4")])
    v2("zfpy_column", f4[:, :1], (4, 1), order="F", compressors=rate)
    v2("zfpy_times", np.arange(9).astype("M8[us]") + np.timedelta64(5, "D"), (4,), compressors=ReversibleZfpy())
    serializer = zarr_numcodecs.ZFPY(mode=zfpy.mode_fixed_accuracy, tolerance=0.01)
    v3("zfpy", f4, (5, 5), serializer=serializer, compressors=[ZstdCodec()])
    v3("shard_zfpy", f4, (4, 8), serializer=ShardingCodec(chunk_shape=(2, 4), codecs=[serializer]), compressors=None)


def cf():
    i2 = np.array([-32768, -3, 0, 7, 255, 32767], "i2")
    f4 = np.array([1, np.nan, -9999, 1e20, 0, 2.5], "f4")
    cases = {
        "int_fill": (i2, {"_FillValue": -32768}),
        "int_two_masks": (i2, {"_FillValue": -32768, "missing_value": 7}),
        "int_scale": (i2, {"scale_factor": 0.01, "add_offset": 273.15, "_FillValue": -32768}),
        "int_scale_only": (i2, {"scale_factor": 2.0}),
        "int_offset_only": (i2, {"add_offset": 2}),
        "unsigned": (np.array([-1, -128, 0, 127], "i1"), {"_Unsigned": "true", "_FillValue": -1}),
        "unsigned_scale": (np.array([-1, -128, 0, 127], "i1"), {"_Unsigned": "true", "scale_factor": 0.5}),
        "float_fill": (f4, {"_FillValue": -9999.0}),
        "float_masks": (f4, {"_FillValue": -9999.0, "missing_value": float(np.float32(1e20))}),
        "float_scale": (f4, {"_FillValue": -9999.0, "scale_factor": 0.1}),
        "double_fill": (f4.astype("f8"), {"_FillValue": -9999.0}),
        "no_units": (i2, {"units": "days"}),
        "days": (np.array([0, 1, -400, 40000]), {"units": "days since 1980-01-01 12:00:00", "calendar": "proleptic_gregorian"}),
        "days_float": (np.array([0.25, 1 / 3, np.nan, 40000.125]), {"units": "days since 1949-12-01"}),
        "hours_f4": (np.array([0.5, 17.25], "f4"), {"units": "hours since 2001-1-1 6:30:0.0 +05:00"}),
        "minutes": (np.array([1, 2], "i4"), {"units": "minutes since 2020-02-29T23:59:00Z"}),
        "seconds_fill": (np.array([1, -999], "i4"), {"units": "seconds since 1970-01-01", "_FillValue": -999}),
        "ms": (np.array([1, 1_000_000_000_000]), {"units": "milliseconds since 1970-01-01"}),
        "us": (np.array([1, -1]), {"units": "microseconds since 1970-01-01"}),
        "coads": (np.array([17_067_072.0, 17_067_816.0]), {"units": "hour since 0001-01-01 00:00:00", "calendar": "standard"}),
        "scaled_days": (np.array([1, 2], "i2"), {"units": "days since 2000-01-01", "scale_factor": 0.5}),
        "before_1582": (np.array([0, 1, 365, 150000]), {"units": "days since 1500-02-28", "calendar": "gregorian"}),
        "proleptic_early": (np.array([0, 1, 365]), {"units": "days since 0850-02-28", "calendar": "proleptic_gregorian"}),
        "noleap": (np.array([0, 59, 365.5, 100000]), {"units": "days since 2000-01-01", "calendar": "noleap"}),
        "365_day": (np.array([58, 59]), {"units": "days since 2000-01-01", "calendar": "365_day"}),
        "all_leap": (np.array([59, 60, -1]), {"units": "days since 2001-01-01", "calendar": "all_leap"}),
        "360_day": (np.array([0, 59, 60.25, -1]), {"units": "days since 2000-01-01", "calendar": "360_day"}),
        "360_months": (np.array([0, 1, 25]), {"units": "months since 2000-01-30", "calendar": "360_day"}),
        "julian": (np.array([0, 1, 100000]), {"units": "days since 1700-02-28", "calendar": "julian"}),
        "julian_hours": (np.array([0.5, 24]), {"units": "hours since 1900-02-28", "calendar": "julian"}),
    }
    for version in (2, 3):
        group = zarr.create_group(os.path.join(ROOT, f"cf{version}"), zarr_format=version)
        for name, (values, attributes) in cases.items():
            options = {"dimension_names": [name + "_n"]} if version == 3 else {}
            if version == 3 and values.dtype.kind == "f" and "_FillValue" in attributes:
                packed = base64.standard_b64encode(struct.pack("<d", attributes["_FillValue"])).decode()
                attributes = {**attributes, "_FillValue": packed}
            if version == 2:
                attributes = {**attributes, "_ARRAY_DIMENSIONS": [name + "_n"]}
                fill = attributes.pop("_FillValue", None)
                options["fill_value"] = fill
            group.create_array(name, data=values, chunks=(max(len(values) - 1, 1),), attributes=attributes, **options)
            if version == 2 and fill is None:
                path = os.path.join(ROOT, "cf2", name, ".zarray")
                text = json.load(open(path)); text["fill_value"] = None; json.dump(text, open(path, "w"))
        for name, (values, attributes) in cases.items():
            one = xr.open_zarr(os.path.join(ROOT, f"cf{version}"), consolidated=False, decode_times=False, mask_and_scale=False)[[name]]
            decoded = xr.decode_cf(one, decode_times=xr.coders.CFDatetimeCoder(time_unit="us"), decode_timedelta=False)[name].values
            expected["cf"][f"cf{version}/{name}"] = [shown(value) for value in decoded]
        zarr.consolidate_metadata(os.path.join(ROOT, f"cf{version}"))


def shown(value):
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else int(value.astype("M8[us]").astype("i8"))
    if hasattr(value, "isoformat"):
        return f"{value.year}-{value.month}-{value.day} {value.hour}:{value.minute}:{value.second}.{value.microsecond}"
    value = value.item() if hasattr(value, "item") else value
    return None if value is None or value != value else value


shutil.rmtree(ROOT, ignore_errors=True)
codecs()
shards()
zfpys()
cf()
json.dump(expected, open(os.path.join(HERE, "made.json"), "w"), indent=0)
