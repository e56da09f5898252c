//! Several files as one dataset.

use std::path::Path;

use super::reading::{open, values};
use crate::file_server::{Manners, serve_counted};
use crate::zarr::reading::data;

/// Chunks of three files, none of which fits the others, against what xarray makes of them; and the same by a list.
#[tokio::test]
async fn patterns_and_lists() {
    let pattern = data("netcdf/part_*.nc");
    let whole = open(pattern.to_str().unwrap(), &[]).await.unwrap();
    let named = open(data("netcdf/part_{1,2,3}.nc").to_str().unwrap(), &[("concat", "time")]).await.unwrap();
    assert_eq!(whole.dimension("time").unwrap().length, 10);
    for variable in &whole.variables {
        let other = named.variable(&variable.name).unwrap();
        assert_eq!(values(variable).await.unwrap(), values(other).await.unwrap(), "{}", variable.name);
    }
    let time = values(whole.variable("time").unwrap()).await.unwrap();
    let days: Vec<i64> = time.iter().map(|time| time.as_i64().unwrap() / 86_400_000_000 - 11_323).collect();
    assert_eq!(days, (0..10).collect::<Vec<i64>>());
}

#[tokio::test]
async fn a_list_on_a_web_server() {
    let (address, _) = serve_counted(&data("netcdf"), Manners::default()).await;
    let dataset = open(&format!("{address}/part_%7B1,2,3%7D.nc"), &[]).await.unwrap();
    let here = open(data("netcdf/part_*.nc").to_str().unwrap(), &[]).await.unwrap();
    let (far, near) = (dataset.variable("heat").unwrap(), here.variable("heat").unwrap());
    assert_eq!(values(far).await.unwrap(), values(near).await.unwrap());
    let error = open(&format!("{address}/part_*.nc"), &[]).await.unwrap_err().to_string();
    assert!(error.contains("list"), "{error}");
}

fn copy(folder: &Path, from: &str, to: &str) {
    std::fs::copy(data("netcdf").join(from), folder.join(to)).unwrap();
}

#[tokio::test]
async fn files_that_are_no_one_dataset_are_told() {
    type Pairs = &'static [(&'static str, &'static str)];
    let cases: [(Pairs, Pairs, &str); 6] = [
        (
            &[("part_2.nc", "a.nc"), ("part_1.nc", "b.nc"), ("part_3.nc", "c.nc")],
            &[],
            "b.nc: the labels of `time` do not go on",
        ),
        (
            &[("part_1.nc", "a.nc"), ("part_1.nc", "b.nc")],
            &[("concat", "time")],
            "b.nc: the labels of `time` do not go on",
        ),
        (&[("part_1.nc", "a.nc"), ("part_1.nc", "b.nc")], &[], "no labels differ from file to file"),
        (&[("part_1.nc", "a.nc"), ("cdf1.nc", "b.nc")], &[], "say along which"),
        (&[("part_1.nc", "a.nc"), ("part_2.nc", "b.nc")], &[("concat", "z")], "there is no dimension `z`"),
        (&[("part_1.nc", "a.txt")], &[], "nothing has a name like that"),
    ];
    for (files, options, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(from, to)| copy(folder.path(), from, to));
        let pattern = folder.path().join("*.nc");
        let error = open(pattern.to_str().unwrap(), options).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}, expected {expected}");
    }
    let error = open(data("netcdf/part_1.nc").to_str().unwrap(), &[("concat", "time")]).await.unwrap_err().to_string();
    assert!(error.contains("expected the address of several files"), "{error}");
}

/// A variable that does not continue has to be the same everywhere.
#[tokio::test]
async fn other_values_are_told() {
    let folder = tempfile::tempdir().unwrap();
    copy(folder.path(), "part_1.nc", "part_1.nc");
    let mut bytes = std::fs::read(data("netcdf/part_2.nc")).unwrap();
    let land = bytes.windows(4).rposition(|cells| cells == [0, 1, 1, 0]).unwrap();
    bytes[land] = 1;
    std::fs::write(folder.path().join("part_2.nc"), bytes).unwrap();
    let error = open(folder.path().join("*.nc").to_str().unwrap(), &[]).await.unwrap_err().to_string();
    assert!(error.contains("part_2.nc: `land` has other values than in the first file"), "{error}");
}
