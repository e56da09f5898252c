"""Ten queries by the quarray command and by dask: every value compared, seconds and peak memory side by side.

    python check.py QUARRAY STORE.zarr [QUERY …]        packages: peers/requirements.txt, pyarrow among them

Both start from nothing in a process of their own; the store's files are in the page cache. The expected values are
xarray's in double precision. Exits with 1 when a value differs.

Values are compared in a process of its own too: a child's peak memory begins with that of its parent, so this one
stays small and imports nothing that is large.
"""
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

HERE = Path(__file__).parent
YEARS = slice("1981-06-01", "1981-08-31")
TILE = {"time": -1, "y": 73, "x": 71}
SINGLE, SUM, EXACT = 1e-6, 1e-12, 0.0


def week_means(tmin):
    """Means of seven days, complete or missing, by adding seven shifted arrays."""
    return sum(tmin.shift(time=days) for days in range(7)) / 7


def anomalies(tmin):
    return tmin.groupby("time.month") - tmin.groupby("time.month").mean()


# query → dimensions of the answer, largest difference allowed (relative), the answer in double precision
EXPECTED = {
    "mean_space": (("time",), SUM, lambda d: d.tmin.mean(["y", "x"])),
    "mean_time": (("y", "x"), SUM, lambda d: d.tmin.mean("time")),
    "climatology": (("month", "y", "x"), SUM, lambda d: d.tmin.groupby("time.month").mean()),
    "two_arrays": (("time",), SINGLE, lambda d: ((d.tmin + d.tmax) / 2).mean(["y", "x"])),
    "box": (("y", "x"), SUM, lambda d: d.tmin.sel(time=YEARS).isel(y=slice(100, 200), x=slice(50, 150)).mean("time")),
    "hot_days": (("y", "x"), EXACT, lambda d: (d.tmax > 30).sum("time")),
    "rolling": (("y", "x"), SUM, lambda d: week_means(d.tmin.chunk(TILE)).max("time")),
    "anomaly_std": (("y", "x"), SUM, lambda d: anomalies(d.tmin.chunk(TILE)).std("time")),
    "quantile": (("y", "x"), SUM, lambda d: d.tmin.chunk(TILE).quantile(0.9, "time")),
    "resample": (("time", "y", "x"), EXACT, lambda d: d.tmin.resample(time="MS").max()),
}


def expected(query: str, store: str):
    import dask
    import xarray as xr

    data = xr.open_zarr(store, chunks={})[["tmin", "tmax"]].reset_coords(drop=True).astype("f8")
    dims, _, answer = EXPECTED[query]
    with dask.config.set(scheduler="threads"), xr.set_options(use_flox=False, use_numbagg=False, use_bottleneck=False):
        return answer(data).transpose(*dims).compute()


def timed(command: list[str]) -> tuple[float, float, str]:
    """Seconds, peak resident megabytes and the output of a command."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        output.seek(0)
        text = output.read().decode(errors="replace")
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{text}")
    return seconds, usage.ru_maxrss / 1024, text


def found(path: Path, dims: tuple[str, ...]):
    """The labels and the one other column of a result."""
    import pyarrow as pa

    table = pa.ipc.open_file(path).read_all()
    names = [name for name in table.column_names if name not in dims]
    assert len(names) == 1 and set(dims) <= set(table.column_names), f"columns {table.column_names}"
    plain = {name: plain_column(table[name]) for name in table.column_names}
    return {dim: plain[dim] for dim in dims}, plain[names[0]]


def plain_column(column):
    import pyarrow as pa

    column = pa.chunked_array([chunk.dictionary_decode() if isinstance(chunk, pa.DictionaryArray) else chunk for chunk in column.chunks])
    return column.to_numpy(zero_copy_only=False)


def differences(query: str, answer, labels: dict, values) -> list[str]:
    """What is wrong with the result; empty when it is right."""
    import numpy as np

    dims, tolerance, _ = EXPECTED[query]
    wrong = []
    if values.size != answer.size:
        return [f"{values.size} cells, expected {answer.size}"]
    for position, dim in enumerate(dims):
        shape = [1] * len(dims)
        shape[position] = -1
        wanted = np.broadcast_to(answer[dim].values.reshape(shape), answer.shape).ravel()
        got = labels[dim].astype(wanted.dtype)
        if not (got == wanted).all():
            wrong.append(f"labels of {dim} differ")
    values, wanted = values.astype("f8"), answer.values.ravel().astype("f8")
    missing = np.isnan(wanted)
    if not (np.isnan(values) == missing).all():
        wrong.append(f"{(np.isnan(values) != missing).sum()} cells are missing on one side only")
    error = np.abs(values - wanted)[~missing & ~np.isnan(values)]
    scale = np.abs(wanted[~missing & ~np.isnan(values)])
    worst = float(np.max(error / np.where(scale == 0, 1, scale), initial=0))
    if worst > tolerance:
        wrong.append(f"differs by {worst:.2e}, allowed {tolerance:.0e}")
    return wrong


def compare(query: str, store: str, path: str) -> int:
    """Prints what is wrong with a result; the exit code says whether anything is."""
    warnings.filterwarnings("ignore")
    labels, values = found(Path(path), EXPECTED[query][0])
    wrong = differences(query, expected(query, store), labels, values)
    print("; ".join(wrong) or "equal")
    return min(len(wrong), 1)


def main(binary: str, store: str, queries: list[str]) -> int:
    failed = 0
    for query in queries or EXPECTED:
        text = (HERE / "queries" / f"{query}.sql").read_text().strip()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "answer.arrow"
            command = [binary, "-c", f"ATTACH '{store}' AS daymet", "-c", text, "--format", "arrow", "-o", str(path)]
            seconds, peak, _ = timed(command)
            comparison = subprocess.run([sys.executable, __file__, "--compare", query, store, str(path)], capture_output=True, text=True)
        verdict = comparison.stdout.strip() or comparison.stderr
        failed += comparison.returncode != 0
        peer = timed([sys.executable, str(HERE / "peers" / "peer.py"), "dask", query, store])[2].split("\t")
        peer_seconds, peer_peak = float(peer[2].split()[0]), float(peer[3].split()[0])
        print(f"{query:<12} quarray {seconds:6.2f} s {peak:6.0f} MB   dask {peer_seconds:6.2f} s {peer_peak:6.0f} MB   "
              f"time 1/{peer_seconds / seconds:.1f}  memory 1/{peer_peak / peak:.1f}   {verdict}", flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(compare(*sys.argv[2:5]) if sys.argv[1] == "--compare" else main(sys.argv[1], sys.argv[2], sys.argv[3:]))
