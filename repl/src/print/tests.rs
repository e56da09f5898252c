//! Every format on the same small batches, byte by byte.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use arrow::array::*;
use arrow::datatypes::{DataType, Field, Int32Type, Schema, TimeUnit};

use super::*;

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn bytes_of(format: Format, batches: &[RecordBatch], dimensions: &[&str], style: &Style) -> Vec<u8> {
    let memory = Memory::default();
    let shape = Shape {
        schema: batches[0].schema(),
        dimensions: dimensions.iter().map(ToString::to_string).collect(),
        is_file: matches!(format, Format::Arrow | Format::Parquet),
    };
    let mut writer = writer(format, Box::new(memory.clone()), &shape, style).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.finish().unwrap();
    let bytes = memory.0.lock().unwrap();
    bytes.clone()
}

fn check(format: Format, batches: &[RecordBatch], dimensions: &[&str], style: &Style, expected: &str) {
    let text = String::from_utf8(bytes_of(format, batches, dimensions, style)).unwrap();
    assert_eq!(text, expected, "got:\n{text}");
}

fn mixed() -> RecordBatch {
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![315_576_000_000_000, 315_662_400_500_000, 0]));
    let days: ArrayRef = Arc::new(["mon", "tue", "mon"].into_iter().collect::<DictionaryArray<Int32Type>>());
    RecordBatch::try_from_iter_with_nullable([
        ("time", times, false),
        ("x", Arc::new(Float32Array::from(vec![Some(0.1), None, Some(f32::NAN)])) as ArrayRef, true),
        ("y", Arc::new(Float64Array::from(vec![f64::INFINITY, 1e300, 5.123456001281738])), true),
        ("a,b", Arc::new(StringArray::from(vec![Some("say \"hi\""), Some(""), None])), true),
        ("day", days, true),
        ("ok", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])), true),
    ])
    .unwrap()
}

#[test]
fn csv_quotes_and_leaves_missing_cells_empty() {
    let expected = "time,x,y,\"a,b\",day,ok\n\
        1980-01-01T12:00:00,0.1,inf,\"say \"\"hi\"\"\",mon,true\n\
        1980-01-02T12:00:00.500,,1e+300,\"\",tue,\n\
        1970-01-01T00:00:00,NaN,5.123456001281738,,mon,false\n";
    check(Format::Csv, &[mixed()], &[], &Style::default(), expected);
}

#[test]
fn a_slice_of_a_dictionary_column() {
    let slice = mixed().slice(1, 1);
    let expected = "time,x,y,\"a,b\",day,ok\n1980-01-02T12:00:00.500,,1e+300,\"\",tue,\n";
    check(Format::Csv, &[slice], &[], &Style::default(), expected);
}

#[test]
fn json_has_null_for_what_it_cannot_say() {
    let expected = concat!(
        r#"{"time":"1980-01-01T12:00:00","x":0.1,"y":null,"a,b":"say \"hi\"","day":"mon","ok":true}"#,
        "\n",
        r#"{"time":"1980-01-02T12:00:00.500","x":null,"y":1.0e300,"a,b":"","day":"tue","ok":null}"#,
        "\n",
        r#"{"time":"1970-01-01T00:00:00","x":null,"y":5.123456001281738,"a,b":null,"day":"mon","ok":false}"#,
        "\n",
    );
    check(Format::Jsonl, &[mixed()], &[], &Style::default(), expected);
    let array = format!("[{}]\n", expected.trim_end().replace('\n', ","));
    check(Format::Json, &[mixed().slice(0, 2), mixed().slice(2, 1)], &[], &Style::default(), &array);
    check(Format::Json, &[mixed().slice(0, 0)], &[], &Style::default(), "[]\n");
}

#[test]
fn arrow_and_parquet_read_back_without_dictionaries() {
    let changed: ArrayRef = Arc::new(["sun", "sun", "sun"].into_iter().collect::<DictionaryArray<Int32Type>>());
    let mut columns = mixed().columns().to_vec();
    columns[4] = changed;
    let other = RecordBatch::try_new(mixed().schema(), columns).unwrap();
    let bytes = bytes_of(Format::Arrow, &[mixed(), other.clone()], &[], &Style::default());
    let read = arrow::ipc::reader::FileReader::try_new(io::Cursor::new(bytes), None).unwrap();
    let batches: Vec<RecordBatch> = read.map(Result::unwrap).collect();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 6);
    assert_eq!(batches[1].column(4).as_string::<i32>().value(0), "sun");

    let bytes = bytes_of(Format::Parquet, &[mixed(), other], &[], &Style::default());
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    let read = datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file);
    let batches: Vec<RecordBatch> = read.unwrap().build().unwrap().map(Result::unwrap).collect();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 6);
}

/// `tmin` over `time` × `y`, in batches of seven rows.
fn array(times: i64, rows: i64) -> Vec<RecordBatch> {
    let units = HashMap::from([("units".to_string(), "degrees C".to_string())]);
    let schema = Arc::new(Schema::new(vec![
        Field::new("time", DataType::Timestamp(TimeUnit::Second, None), false),
        Field::new("y", DataType::Int64, false),
        Field::new("tmin", DataType::Float64, true).with_metadata(units),
    ]));
    let cells: Vec<(i64, i64)> = (0..times).flat_map(|time| (0..rows).map(move |y| (time, y))).collect();
    let batch = |cells: &[(i64, i64)]| {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(cells.iter().map(|cell| Some(cell.0 * 86_400)).collect::<TimestampSecondArray>()),
            Arc::new(cells.iter().map(|cell| Some(cell.1)).collect::<Int64Array>()),
            Arc::new(cells.iter().map(|cell| (cell.0 != 1).then_some(cell.0 as f64 / 2.0)).collect::<Float64Array>()),
        ];
        RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()
    };
    cells.chunks(7).map(batch).collect()
}

#[test]
fn a_small_array_as_a_table() {
    let expected = "\
tmin[time: 2, y: 1] degrees C
┌─────────────────────┬───┬───────────┐
│ time                │ y │      tmin │
│                     │   │ degrees C │
├─────────────────────┼───┼───────────┤
│ 1970-01-01T00:00:00 │ 0 │       0.0 │
│ 1970-01-02T00:00:00 │ 0 │      NULL │
└─────────────────────┴───┴───────────┘
2 rows
";
    check(Format::Table, &array(2, 1), &["time", "y"], &Style::default(), expected);
}

#[test]
fn a_large_array_shows_its_first_and_last_rows() {
    let text = String::from_utf8(bytes_of(Format::Table, &array(365, 5), &["time", "y"], &Style::default())).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "tmin[time: 365, y: 5] degrees C");
    assert_eq!(lines[5], "│ 1970-01-01T00:00:00 │ 0 │       0.0 │");
    assert_eq!(lines[25], "│ ⋮                   │ ⋮ │         ⋮ │");
    assert_eq!(lines[45], "│ 1970-12-31T00:00:00 │ 4 │     182.0 │");
    assert_eq!(lines.last(), Some(&"1,825 rows (40 shown)"));
    assert_eq!(lines.len(), 48);
}

#[test]
fn a_cut_table_fits_the_terminal() {
    for (height, rows) in [(10, 5), (24, 7), (40, 15), (200, 20)] {
        let style = Style { width: Some(80), height: Some(height), ..Style::default() };
        let text = String::from_utf8(bytes_of(Format::Table, &array(365, 5), &["time", "y"], &style)).unwrap();
        assert_eq!(text.lines().filter(|line| line.contains("T00:00:00")).count(), 2 * rows, "{text}");
        assert!(text.ends_with(&format!("1,825 rows ({} shown)\n", 2 * rows)), "{text}");
        assert!(height < 24 || text.lines().count() + 2 <= height, "{text}");
    }
    let style = Style { width: Some(80), height: Some(24), ..Style::default() };
    let text = String::from_utf8(bytes_of(Format::Table, &array(8, 5), &["time", "y"], &style)).unwrap();
    assert!(!text.contains('⋮') && text.ends_with("\n40 rows\n"), "{text}");
}

#[test]
fn forty_rows_are_shown_whole() {
    let text = String::from_utf8(bytes_of(Format::Table, &array(40, 1), &[], &Style::default())).unwrap();
    assert!(!text.contains('⋮') && text.ends_with("\n40 rows\n"), "{text}");
    assert_eq!(text.lines().filter(|line| line.contains("T00:00:00")).count(), 40);
}

#[test]
fn columns_in_the_middle_give_way_to_the_terminal() {
    let columns = (0..30).map(|index| (format!("column{index}"), Arc::new(Int64Array::from(vec![index])) as ArrayRef));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let style = Style { width: Some(50), ..Style::default() };
    let expected = "\
┌─────────┬─────────┬───┬──────────┬──────────┐
│ column0 │ column1 │ … │ column28 │ column29 │
├─────────┼─────────┼───┼──────────┼──────────┤
│       0 │       1 │ … │       28 │       29 │
└─────────┴─────────┴───┴──────────┴──────────┘
1 row
";
    check(Format::Table, &[batch], &[], &style, expected);
}

#[test]
fn long_text_is_cut_and_cannot_move_the_cursor() {
    let text: ArrayRef = Arc::new(StringArray::from(vec!["a\x1b[2J\nb", &"long ".repeat(40)]));
    let batch = RecordBatch::try_from_iter([("text", text)]).unwrap();
    let style = Style { width: Some(40), ..Style::default() };
    let table = String::from_utf8(bytes_of(Format::Table, &[batch], &[], &style)).unwrap();
    assert!(table.contains("a\\u{1b}[2J\\nb") && table.contains("long long … │"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 40), "{table}");
}

#[test]
fn a_result_without_rows_or_columns() {
    check(
        Format::Table,
        &array(1, 1).iter().map(|batch| batch.slice(0, 0)).collect::<Vec<_>>(),
        &[],
        &Style::default(),
        "\
┌──────┬───┬───────────┐
│ time │ y │      tmin │
│      │   │ degrees C │
├──────┼───┼───────────┤
└──────┴───┴───────────┘
0 rows
",
    );
}
