//! Files of a web server, read in ranges.

use super::reading::{open, values};
use crate::file_server::{Manners, serve_counted};
use crate::zarr::reading::data;

#[tokio::test]
async fn few_requests() {
    let (address, requests) = serve_counted(&data("netcdf"), Manners::default()).await;
    for (file, most) in [("cdf1.nc", 3), ("nc4.nc", 3), ("newer.h5", 4), ("older.h5", 4)] {
        requests.lock().unwrap().clear();
        let dataset = open(&format!("{address}/{file}"), &[]).await.unwrap();
        let local = open(data("netcdf").join(file).to_str().unwrap(), &[]).await.unwrap();
        for variable in &dataset.variables {
            let here = local.variable(&variable.name).unwrap();
            assert_eq!(values(variable).await.unwrap(), values(here).await.unwrap(), "{file}: {}", variable.name);
        }
        let asked = requests.lock().unwrap().clone();
        assert!(asked.len() <= most, "{file}: {asked:#?}");
    }
}

/// What is in one variable's chunk does not bring the others along.
#[tokio::test]
async fn only_what_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    // A classic file with one variable of 64 MiB, of which the last cells are something.
    let mut bytes = b"CDF\x02\0\0\0\0\0\0\0\x0a\0\0\0\x01\0\0\0\x01x\0\0\0\x01\0\0\0".to_vec();
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(
        b"\0\0\0\x0b\0\0\0\x01\0\0\0\x01v\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x04\x04\0\0\0",
    );
    bytes.extend_from_slice(&(bytes.len() as u64 + 8).to_be_bytes());
    let begin = bytes.len();
    bytes.resize(begin + (64 << 20), 0);
    let end = bytes.len();
    bytes[end - 1] = 7;
    std::fs::write(folder.path().join("long.nc"), bytes).unwrap();
    let (address, requests) = serve_counted(folder.path(), Manners::default()).await;
    let dataset = open(&format!("{address}/long.nc"), &[]).await.unwrap();
    let variable = dataset.variable("v").unwrap();
    assert_eq!(variable.shape(), [1 << 24]);
    let chunk = variable.array.fetch(&[15]).await.unwrap();
    assert_eq!(chunk.memory_size(), 4 << 20);
    let last = quarray_engine::array::Region::new(vec![(1 << 20) - 1], vec![1]);
    let found = chunk.read(&last).unwrap();
    assert_eq!(arrow::array::AsArray::as_primitive::<arrow::datatypes::Int32Type>(&found).value(0), 7);
    // Its size, its header, the chunk.
    assert_eq!(requests.lock().unwrap().len(), 3, "{requests:?}");
}
