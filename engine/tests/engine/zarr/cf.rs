//! The CF conventions, against what xarray makes of the same stores.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::*;
use quarray_engine::dataset::{Dataset, Role, Variable};
use quarray_engine::source::calendar::Calendar;
use quarray_engine::source::zarr::DecodeOptions;
use serde_json::{Value, json};

use super::reading::*;

/// The decoded cells as JSON: numbers, microseconds of timestamps, dates of other calendars, null for missing ones.
async fn decoded(variable: &Variable) -> Vec<Value> {
    let calendar = variable.calendar.as_deref().and_then(Calendar::from_name);
    let values_of = |values: &ArrayRef| -> Vec<Value> {
        assert!(!variable.nan_is_missing || values.null_count() == 0, "{}", variable.name);
        let number = |i: usize| match values.data_type() {
            DataType::Float32 | DataType::Float64 => {
                let number = cast(values, &DataType::Float64).unwrap().as_primitive::<Float64Type>().value(i);
                if number.is_nan() { Value::Null } else { json!(number) }
            }
            _ => {
                let number = cast(values, &DataType::Int64).unwrap().as_primitive::<Int64Type>().value(i);
                calendar.map_or(json!(number), |calendar| json!(date(calendar, number)))
            }
        };
        (0..values.len()).map(|i| if values.is_null(i) { Value::Null } else { number(i) }).collect()
    };
    cells(variable, values_of).await.unwrap()
}

fn date(calendar: Calendar, micros: i64) -> String {
    let d = calendar.date_of(micros);
    format!("{}-{}-{} {}:{}:{}.{}", d.year, d.month, d.day, d.hour, d.minute, d.second, d.microsecond)
}

fn same(found: &Value, expected: &Value) -> bool {
    match (found.as_f64(), expected.as_f64()) {
        (Some(found), Some(expected)) => (found - expected).abs() <= expected.abs() * 1e-15,
        // xarray has dates of cftime where the calendar is standard and the time before 1582.
        (Some(micros), None) if expected.is_string() => {
            date(Calendar::Standard, micros as i64) == expected.as_str().unwrap()
        }
        _ => found == expected,
    }
}

#[tokio::test]
async fn every_rule_in_both_versions() {
    let made: Value = serde_json::from_slice(&std::fs::read(data("zarr/made.json")).unwrap()).unwrap();
    for version in ["cf2", "cf3"] {
        let dataset = open_path(&data("zarr/made").join(version), &DecodeOptions::default()).await.unwrap();
        let expected: Vec<_> =
            made["cf"].as_object().unwrap().iter().filter(|(key, _)| key.starts_with(version)).collect();
        assert_eq!(expected.len(), dataset.variables.len());
        for (key, expected) in expected {
            let variable = dataset.variable(&key[4..]).unwrap();
            let found = decoded(variable).await;
            let expected = expected.as_array().unwrap();
            let all = found.len() == expected.len()
                && found.iter().zip(expected).all(|(found, expected)| same(found, expected));
            assert!(all, "{key} ({:?}): {found:?}, expected {expected:?}", variable.data_type);
        }
    }
}

#[tokio::test]
async fn types_and_missing_values() {
    let path = data("zarr/made/cf3");
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    let dataset = open_path(&path, &DecodeOptions::default()).await.unwrap();
    for (name, data_type, nan_is_missing, calendar) in [
        ("int_fill", DataType::Int16, false, None),
        ("int_scale", DataType::Float64, true, None),
        ("unsigned", DataType::UInt8, false, None),
        ("float_fill", DataType::Float32, true, None),
        ("float_scale", DataType::Float64, true, None),
        ("no_units", DataType::Int16, false, None),
        ("days_float", micros.clone(), false, None),
        ("before_1582", micros, false, None),
        ("365_day", DataType::Int64, false, Some("noleap")),
        ("360_months", DataType::Int64, false, Some("360_day")),
    ] {
        let variable = dataset.variable(name).unwrap();
        let found = (&variable.data_type, variable.nan_is_missing, variable.calendar.as_deref());
        assert_eq!(found, (&data_type, nan_is_missing, calendar), "{name}");
    }
    let nans_are_values = DecodeOptions { nan_as_null: false, ..DecodeOptions::default() };
    let dataset = open_path(&path, &nans_are_values).await.unwrap();
    let variable = dataset.variable("float_fill").unwrap();
    assert!(!variable.nan_is_missing);
    let valid = |values: &ArrayRef| (0..values.len()).map(|i| values.is_valid(i)).collect();
    assert_eq!(cells(variable, valid).await.unwrap(), [true, true, false, true, true, true]);
    let as_stored = DecodeOptions { decode_cf: false, nan_as_null: true };
    let dataset = open_path(&path, &as_stored).await.unwrap();
    assert_eq!(dataset.variable("days").unwrap().data_type, DataType::Int64);
    assert_eq!(decoded(dataset.variable("int_scale").unwrap()).await[0], json!(-32768));
}

/// The sum and the count of what is not missing.
async fn sum(dataset: &Dataset, name: &str) -> (f64, usize) {
    let values_of = |values: &ArrayRef| -> Vec<Option<f64>> {
        let numbers = match values.data_type() {
            DataType::Timestamp(..) => cast(&cast(values, &DataType::Int64).unwrap(), &DataType::Float64).unwrap(),
            _ => cast(values, &DataType::Float64).unwrap(),
        };
        numbers.as_primitive::<Float64Type>().iter().map(|value| value.filter(|value| !value.is_nan())).collect()
    };
    let cells = cells(dataset.variable(name).unwrap(), values_of).await.unwrap();
    (cells.iter().flatten().sum(), cells.iter().flatten().count())
}

async fn check_sums(dataset: &Dataset, expected: &[(&str, f64, usize)]) {
    for &(name, expected_sum, expected_count) in expected {
        let (sum, count) = sum(dataset, name).await;
        let close = (sum - expected_sum).abs() <= 1e-12 * expected_sum.abs();
        assert!(
            close && count == expected_count,
            "{name}: {sum} of {count}, expected {expected_sum} of {expected_count}"
        );
    }
}

#[tokio::test]
async fn bias_corrected_climate() {
    let dataset = open_path(&data("rnz-bcsd.zarr"), &DecodeOptions::default()).await.unwrap();
    let roles: Vec<(&str, Role)> = dataset.variables.iter().map(|v| (v.name.as_str(), v.role)).collect();
    let (index, data) = (Role::Index, Role::Data);
    assert_eq!(roles, [("latitude", index), ("longitude", index), ("pr", data), ("tas", data), ("time", index)]);
    let expected = [
        ("pr", 2527557.6498287916, 24960),
        ("tas", 386613.5153428372, 24960),
        ("latitude", 1157.0625, 33),
        ("longitude", -6474.9375, 81),
        ("time", 11184912000000000.0, 12),
    ];
    check_sums(&dataset, &expected).await;
}

#[tokio::test]
async fn land_reanalysis() {
    let Some(path) = shared_data("zarr/era5land-subset.zarr") else { return };
    let dataset = open_path(&path, &DecodeOptions::default()).await.unwrap();
    for name in ["number", "surface", "depthBelowLandLayer", "valid_time"] {
        assert_eq!(dataset.variable(name).unwrap().role, Role::Coordinate, "{name}");
    }
    assert_eq!(dataset.variable("lai_hv").unwrap().dimensions, ["time", "step", "latitude", "longitude"]);
    let expected = [
        ("lai_hv", 8815391.579101562, 2742696),
        ("swvl1", 974426.1708526611, 2742696),
        ("latitude", -5653.900000000012, 394),
        ("longitude", -43199.99999999833, 800),
        ("step", 300.0, 24),
        ("time", 41025787200000000.0, 25),
        ("valid_time", 39384878400000000.0, 24),
        ("surface", 0.0, 1),
    ];
    check_sums(&dataset, &expected).await;
}

/// A year of a replica of Daymet, where `QUARRAY_DAYMET` names it: read a day at a time.
#[tokio::test]
async fn a_year_of_daymet() {
    let Some(path) = std::env::var_os("QUARRAY_DAYMET") else {
        println!("skipped: QUARRAY_DAYMET is not set");
        return;
    };
    let dataset = open_path(path.as_ref(), &DecodeOptions::default()).await.unwrap();
    let roles = ["time", "time_bnds", "lat", "tmin"].map(|name| dataset.variable(name).unwrap().role);
    assert_eq!(roles, [Role::Index, Role::Coordinate, Role::Coordinate, Role::Data]);
    let tmin = dataset.variable("tmin").unwrap();
    let start = std::time::Instant::now();
    let chunk = tmin.array.fetch(&[0, 0, 0]).await.unwrap();
    let mut cells = 0;
    for day in 0..365 {
        let day = quarray_engine::array::Region::new(vec![day, 0, 0], vec![1, 584, 284]);
        cells += chunk.read(&day).unwrap().len();
    }
    println!("{:?} for {cells} cells, {} bytes at most", start.elapsed(), chunk.memory_size());
}
