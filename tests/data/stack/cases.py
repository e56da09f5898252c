"""What is asked of the stacks whose answers are kept."""

HERE_33 = [275_440, 5_308_680, 276_340, 5_309_380]
HERE_32 = [723_880, 5_308_690, 724_760, 5_309_390]
DEGREES = [11.9962, 47.8923, 12.0071, 47.8979]


def case(name, crs, resolution, resampling, mosaic, group, place, **other):
    where = {"bbox": place} if place[0] < 100 else {"bounds": place}
    return {"name": name, "crs": crs, "resolution": resolution, "resampling": resampling, "mosaic": mosaic, "group": group,
            "assets": ["red"], "datetime": "2024-06-01/2024-06-20", "tolerance": 0 if resampling == "nearest" else 1e-6,
            **where, **other}


CASES = [
    # Scenes of one zone are pasted, those of the other are warped.
    case("nearest_33", "EPSG:32633", 10, "nearest", "first", "time", HERE_33),
    case("nearest_32", "EPSG:32632", 10, "nearest", "last", "solar_day", DEGREES, assets=["nir", "red"],
         datetime="2024-06-01/2024-06-09"),
    case("nearest_mercator", "EPSG:3857", 12, "nearest", "max", "all", DEGREES),
    case("nearest_degrees", "EPSG:4326", 0.0001, "nearest", "min", "solar_day", DEGREES, datetime="2024-06-14/2024-06-20"),
    # Nothing is warped.
    case("nearest_pasted", "EPSG:32633", 10, "nearest", "last", "all", HERE_33, assets=["red", "nir"],
         ids=["a-33-0", "a-33-1", "a-33-4", "b-z-33", "b-x-33", "d-33-strips", "d-33-empty"]),
    # Overviews are pasted; a file without them and one of an odd size are not.
    case("nearest_coarser", "EPSG:32633", 20, "nearest", "first", "time", HERE_33,
         ids=["a-33-0", "a-33-1", "b-z-33", "b-a-33", "c-33-20m", "c-33-odd", "d-33-south", "d-33-strips"]),
    # The sun's day begins before that of Greenwich.
    case("nearest_night", "EPSG:32632", 10, "nearest", "first", "solar_day", HERE_32, datetime="2024-06-19/2024-06-20"),
    # Cells of unlike types, and what is left where three scenes are broken.
    case("nearest_types", "EPSG:32633", 10, "nearest", "first", "time", HERE_33, ids=["g-33-int", "d-33-strips"],
         datetime="2024-06-14/2024-06-30"),
    case("nearest_skipped", "EPSG:32633", 10, "nearest", "first", "time", HERE_33, ids=["a-33-0", "a-32-3"]),
    case("bilinear_33", "EPSG:32633", 10, "bilinear", "first", "time", HERE_33, assets=["red", "nir"],
         datetime="2024-06-01/2024-06-04"),
    case("bilinear_mercator", "EPSG:3857", 15, "bilinear", "mean", "solar_day", DEGREES),
    case("bilinear_coarser", "EPSG:32633", 25, "bilinear", "first", "solar_day", HERE_33, datetime="2024-06-01/2024-06-14"),
    case("bilinear_temperature", "EPSG:32632", 10, "bilinear", "min", "time", HERE_32, assets=["temperature"],
         datetime="2024-06-20/2024-06-30"),
    case("cubic_32", "EPSG:32632", 10, "cubic", "last", "solar_day", HERE_32, datetime="2024-06-09/2024-06-14"),
    case("cubic_finer", "EPSG:32633", 4, "cubic", "mean", "all", [275_600, 5_308_900, 276_000, 5_309_200]),
    case("cubic_coarser", "EPSG:32632", 45, "cubic", "max", "time", HERE_32),
    case("average_33", "EPSG:32633", 25, "average", "mean", "time", HERE_33,
         ids=["a-33-0", "a-33-1", "b-z-33", "b-a-33", "c-33-off", "c-33-20m", "d-33-south", "d-33-strips"]),
    # Cells that are turned: GDAL takes the box of two corners, we that of all four.
    case("average_zone", "EPSG:32632", 25, "average", "first", "solar_day", HERE_32, datetime="2024-06-01/2024-06-04",
         tolerance=0.02),
]


def few_tiles(name, crs, resolution, resampling, bounds):
    return {"name": name, "crs": crs, "resolution": resolution, "resampling": resampling, "mosaic": "first", "group": "time",
            "assets": ["red"], "bounds": bounds}


BYTES = [
    few_tiles("few_tiles", "EPSG:32633", 10, "bilinear", [272_000, 5_307_000, 277_000, 5_311_500]),
    few_tiles("few_tiles_coarser", "EPSG:32633", 45, "cubic", [268_000, 5_300_000, 285_000, 5_318_000]),
]
