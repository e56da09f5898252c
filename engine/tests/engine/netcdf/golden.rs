//! What xarray reads. `made` was written for these tests (`tests/data/netcdf/make.py`); the wide corpus is read where the
//! environment variable `QUARRAY_SHARED_DATA` names its folder.

use quarray_engine::dataset::Role;
use serde_json::Value;

use super::reading::*;
use crate::zarr::reading::{data, shared_data};

fn golden(path: &std::path::Path) -> serde_json::Map<String, Value> {
    let text = std::fs::read_to_string(path).unwrap();
    serde_json::from_str::<Value>(&text).unwrap().as_object().unwrap().clone()
}

#[tokio::test]
async fn made_files_read_as_by_xarray() {
    let golden = golden(&data("netcdf/golden.json"));
    let mut compared = 0;
    for (file, variables) in &golden {
        let dataset = open(data("netcdf").join(file).to_str().unwrap(), &[]).await.unwrap();
        for (name, expected) in variables.as_object().unwrap() {
            let variable = dataset.variable(name).unwrap_or_else(|| panic!("{file}: no {name}"));
            if let Some(dimensions) = expected["dims"].as_array() {
                let dimensions: Vec<&str> = dimensions.iter().map(|name| name.as_str().unwrap()).collect();
                assert_eq!(variable.dimensions, dimensions, "{file}: {name}");
            } else if let Some(shape) = expected["shape"].as_array() {
                let shape: Vec<u64> = shape.iter().map(|length| length.as_u64().unwrap()).collect();
                assert_eq!(variable.shape(), shape, "{file}: {name}");
            }
            let found = values(variable).await.unwrap_or_else(|error| panic!("{file}: {name}: {error}"));
            let expected = expected["values"].as_array().unwrap();
            assert_eq!(found.len(), expected.len(), "{file}: {name}");
            for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
                assert!(is_same(found, expected), "{file}: {name}[{place}]: {found}, expected {expected}");
            }
            compared += found.len();
        }
        assert_eq!(dataset.variables.len(), variables.as_object().unwrap().len(), "{file}");
    }
    assert!(compared > 50_000, "{compared} cells were compared");
}

#[tokio::test]
async fn roles_attributes_and_what_is_left_out() {
    for file in ["cdf1.nc", "cdf5.nc", "nc4.nc"] {
        let dataset = open(data("netcdf").join(file).to_str().unwrap(), &[]).await.unwrap();
        let role = |name: &str| dataset.variable(name).unwrap().role;
        assert_eq!(
            [role("time"), role("y"), role("height"), role("flux")],
            [Role::Index, Role::Index, Role::Coordinate, Role::Data]
        );
        assert_eq!(dataset.attributes["title"], "made");
        assert_eq!(dataset.attributes["numbers"], serde_json::json!([1, 2, 3]));
        let packed = dataset.variable("packed").unwrap();
        assert_eq!(
            (&packed.attributes["scale_factor"], &packed.attributes["_FillValue"]),
            (&0.5.into(), &(-999).into())
        );
        let hidden = packed.attributes.keys().find(|name| name.starts_with("_Nc") || *name == "DIMENSION_LIST");
        assert_eq!(hidden, None);
        assert_eq!(dataset.dimensions[0].name, "time", "{file}");
    }
    let dataset = open(data("netcdf/nc4.nc").to_str().unwrap(), &[]).await.unwrap();
    assert_eq!(dataset.attributes["left_out"], "pairs: unsupported data type compound");
    assert!(dataset.variable("packed").unwrap().encoding.codecs.contains("shuffle, deflate("));
    let dataset = open(data("netcdf/newer.h5").to_str().unwrap(), &[]).await.unwrap();
    assert_eq!(dataset.attributes["left_out"], "references: unsupported data type reference");
}

#[tokio::test]
async fn errors_say_what_is_wrong() {
    let cases = [
        ("nc4.nc/shallow", "there is no group \"shallow\""),
        ("cdf1.nc/deep", "a classic NetCDF file has no groups"),
        ("none.nc", "there is no such file"),
    ];
    for (file, expected) in cases {
        let error = open(data("netcdf").join(file).to_str().unwrap(), &[]).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let text = data("netcdf/make.py");
    let error = open(text.to_str().unwrap(), &[("format", "netcdf")]).await.unwrap_err().to_string();
    assert!(error.contains("neither NetCDF nor HDF5"), "{error}");
}

#[tokio::test]
async fn values_as_stored_where_cf_is_not_wanted() {
    let dataset = open(data("netcdf/cdf1.nc").to_str().unwrap(), &[("decode_cf", "false")]).await.unwrap();
    let packed = values(dataset.variable("packed").unwrap()).await.unwrap();
    assert_eq!((&packed[0], &packed[59]), (&(-999).into(), &(-998).into()));
}

/// A sum and its terms: means of a million cells are not the same to the last bit.
#[tokio::test]
async fn the_corpus_reads_as_by_xarray() {
    let Some(folder) = shared_data("netcdf") else { return };
    let mut files = 0;
    for (file, expected) in golden(&folder.join("golden_xarray_maskscale.json")) {
        let dataset = open(folder.join(&file).to_str().unwrap(), &[]).await.unwrap_or_else(|e| panic!("{file}: {e}"));
        for (name, length) in expected["sizes"].as_object().unwrap() {
            assert_eq!(dataset.dimension(name).map(|found| found.length), length.as_u64(), "{file}: {name}");
        }
        for (name, expected) in expected["vars"].as_object().unwrap() {
            let variable = dataset.variable(name).unwrap_or_else(|| panic!("{file}: no {name}"));
            let dimensions: Vec<&str> =
                expected["dims"].as_array().unwrap().iter().map(|d| d.as_str().unwrap()).collect();
            assert_eq!(variable.dimensions, dimensions, "{file}: {name}");
            let found = values(variable).await.unwrap_or_else(|error| panic!("{file}: {name}: {error}"));
            let valid: Vec<f64> = found.iter().filter_map(Value::as_f64).collect();
            assert_eq!(Some(valid.len() as u64), expected["n_valid"].as_u64(), "{file}: {name}");
            let is_time =
                variable.calendar.is_some() || matches!(variable.data_type, arrow::datatypes::DataType::Timestamp(..));
            if is_time || valid.is_empty() {
                continue;
            }
            let mean = valid.iter().sum::<f64>() / valid.len() as f64;
            let least = valid.iter().copied().fold(f64::INFINITY, f64::min);
            let most = valid.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            for (what, found) in [("mean", mean), ("min", least), ("max", most)] {
                let expected = expected[what].as_f64().unwrap();
                let scale = expected.abs().max(most.abs()).max(least.abs()).max(1e-30);
                assert!(
                    (found - expected).abs() <= 2e-6 * scale,
                    "{file}: {name}: {what} {found}, expected {expected}"
                );
            }
        }
        files += 1;
    }
    assert_eq!(files, 11);
}

/// The first and the last time of files of the corpus, as xarray reads them, in the calendars of their files.
#[tokio::test]
async fn times_of_the_corpus() {
    let Some(folder) = shared_data("netcdf") else { return };
    let cases = [
        ("canesm2-tas-amon-2007.nc", Some("noleap"), [1_165_492_800_000_000, 1_194_393_600_000_000]),
        ("hadgem2-tasmax-360day.nc", Some("360_day"), [3_888_000_000_000_000, 3_919_017_600_000_000]),
        ("canesm2-tasmax-365day.nc", Some("noleap"), [3_942_000_000_000_000, 3_973_449_600_000_000]),
        ("air_temperature_small.nc", None, [1_393_200_000_000_000, 1_393_610_400_000_000]),
        ("iris-A1B_north_america.nc", Some("360_day"), [-3_408_480_000_000_000, 4_025_376_000_000_000]),
    ];
    for (file, calendar, expected) in cases {
        let dataset = open(folder.join(file).to_str().unwrap(), &[]).await.unwrap();
        let variable = dataset.variable("time").unwrap();
        assert_eq!(variable.calendar.as_deref(), calendar, "{file}");
        let times: Vec<i64> = values(variable).await.unwrap().iter().map(|time| time.as_i64().unwrap()).collect();
        assert_eq!([times[0], times[times.len() - 1]], expected, "{file}");
    }
}
