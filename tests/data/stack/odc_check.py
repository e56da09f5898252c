"""The same cubes by odc-stac, and how far they agree."""

import numpy as np
import odc.stac
import pystac
from odc.geo.geobox import GeoBox


def load(folder, case, target, steps, groupby):
    items = []
    for entry in (entry for step in steps for entry in step):
        item = pystac.Item.from_dict(entry)
        item.set_self_href(f"{folder}/items.json")
        item.make_asset_hrefs_absolute()
        items.append(item)
    geobox = GeoBox((target.height, target.width), target.transform, target.crs)
    return odc.stac.load(items, bands=case["assets"], geobox=geobox, resampling=case["resampling"], groupby=groupby,
                         dtype="float64", nodata=np.nan, fail_on_error=True)


def difference(case, found, expected, safe):
    """Cells of which one is missing; of the others away from edges those that differ, and by how much."""
    both = ~np.isnan(found) & ~np.isnan(expected)
    sure = both & safe
    apart = np.abs(found[sure] - expected[sure]) / np.maximum(np.abs(expected[sure]), 1)
    answer = {"cells": int(sure.sum()), "missing_in_one": int((np.isnan(found) != np.isnan(expected)).sum())}
    if case["resampling"] == "nearest":
        return answer | {"differ": int((apart > 0).sum())}
    if apart.size == 0:
        return answer
    return answer | {"median": float(f"{np.median(apart):.2g}"), "p99": float(f"{np.quantile(apart, 0.99):.2g}"),
                     "largest": float(f"{apart.max():.2g}")}


def compare(folder, case, target, steps, cube, safe, layers):
    """Scene by scene; and whole where odc-stac has such a mosaic."""
    by_scene = load(folder, case, target, steps, "id")
    names = [entry["id"] for step in steps for entry in step]
    everywhere = np.ones((target.height, target.width), bool)
    found, expected = [], []
    for place, name in enumerate(names):
        for asset in case["assets"]:
            if (name, asset) in layers:
                found.append(by_scene[asset].values[place])
                expected.append(layers[name, asset])
    found, expected = np.array(found), np.array(expected)
    answer = {"name": case["name"], "scenes": difference(case, found, expected, np.broadcast_to(everywhere, found.shape))}
    if case["mosaic"] == "first" and case["group"] != "all":
        whole = load(folder, case, target, steps, case["group"])
        times = [np.datetime64(step[0]["properties"]["datetime"].rstrip("Z")) for step in steps]
        same = len(whole.time) == len(times) and all(whole.time.values == np.array(times, "M8[ns]"))
        answer["times"] = "the same" if same else [str(time)[:19] for time in whole.time.values]
        if same:
            other = np.stack([whole[asset].values for asset in case["assets"]], axis=1)
            answer["cube"] = difference(case, other, cube, safe)
    return answer
