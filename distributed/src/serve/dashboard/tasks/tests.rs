//! Tests of the task stream.

use super::*;

fn key(stage: u32, task: u32) -> TaskKey {
    TaskKey { job: 0, stage, attempt: 0, task }
}

fn numbers(value: &Value) -> Vec<Vec<u64>> {
    let rows = value.as_array().map_or(&[][..], Vec::as_slice);
    let numbers =
        |row: &Value| row.as_array().map_or(&[][..], Vec::as_slice).iter().filter_map(Value::as_u64).collect();
    rows.iter().map(numbers).collect()
}

#[test]
fn tasks_beside_each_other_have_lanes_of_their_own() {
    let mut stream = TaskStream::default();
    stream.start(key(1, 0), "a", 0);
    stream.start(key(1, 1), "a", 5);
    stream.start(key(1, 2), "b", 5);
    stream.end(key(1, 0), "a", 0, 50, &TaskEnd::Done);
    // Never seen while it ran: it fits behind the first.
    stream.end(key(1, 3), "a", 60, 90, &TaskEnd::Done);
    let told = stream.since(0);
    assert_eq!(told["lanes"], json!([["a", 0], ["a", 1], ["b", 0]]));
    assert_eq!(numbers(&told["segments"]), [[0, 0, 50, 1, 1, 0, 50], [0, 60, 90, 1, 1, 0, 30]]);
    assert_eq!(numbers(&told["running"]), [[1, 5, 1], [2, 5, 1]]);
    assert_eq!(told["counts"], json!({"done": 2, "failed": 0, "running": 2, "retries": 0}));
    stream.finish(100);
    let told = stream.since(0);
    assert_eq!(numbers(&told["running"]), Vec::<Vec<u64>>::new());
    assert_eq!(numbers(&told["segments"]).len(), 4);
}

#[test]
fn only_news_are_told() {
    let mut stream = TaskStream::default();
    stream.end(key(1, 0), "a", 0, 50, &TaskEnd::Done);
    let seen = stream.revision();
    assert_eq!(numbers(&stream.since(seen)["segments"]), Vec::<Vec<u64>>::new());
    stream.end(key(1, 1), "a", 60, 70, &TaskEnd::Failed("the disk is full".to_string()));
    let told = stream.since(seen);
    assert_eq!((&told["whole"], numbers(&told["segments"])), (&json!(false), vec![vec![0, 60, 70, 1, 1, 1, 10]]));
    assert_eq!(told["incidents"][0]["cause"], json!("the disk is full"));
    assert_eq!(told["stages"][0]["failed"], json!(1));
}

#[test]
fn a_hundred_thousand_tasks_are_a_bounded_number_of_segments() {
    let mut stream = TaskStream::default();
    let lanes = 8u64;
    for task in 0..100_000u64 {
        let (lane, start) = (task % lanes, task / lanes * 40);
        let how = if task % 1000 == 7 { TaskEnd::Failed("lost".to_string()) } else { TaskEnd::Done };
        let stage = 1 + (task / 50_000) as u32;
        stream.end(key(stage, task as u32), &format!("executor {lane}"), start, start + 37, &how);
    }
    let told = stream.since(0);
    let segments = numbers(&told["segments"]);
    assert!((SEGMENTS_MAX / 4..=SEGMENTS_MAX).contains(&segments.len()), "{}", segments.len());
    // Nothing is lost: tasks, failures and time worked are those of all tasks.
    let sum = |place: usize| segments.iter().map(|segment| segment[place]).sum::<u64>();
    assert_eq!((sum(4), sum(5), sum(6)), (100_000, 100, 3_700_000));
    assert_eq!(told["counts"]["done"], json!(99_900));
    assert_eq!(told["incidents"].as_array().map(Vec::len), Some(INCIDENTS_MAX));
    // Segments of a lane follow each other.
    for lane in 0..lanes {
        let of_lane: Vec<&Vec<u64>> = segments.iter().filter(|segment| segment[0] == lane).collect();
        assert!(of_lane.windows(2).all(|pair| pair[0][2] <= pair[1][1]), "lane {lane}");
    }
    assert!(told.to_string().len() < 300_000, "{} bytes", told.to_string().len());
    // Whoever saw an older state gets all of it anew.
    assert_eq!(stream.since(1)["whole"], json!(true));
}

#[test]
fn lanes_are_bounded() {
    let mut stream = TaskStream::default();
    for task in 0..2000u32 {
        stream.start(key(1, task), &format!("executor {task}"), 0);
    }
    assert_eq!(stream.since(0)["lanes"].as_array().map(Vec::len), Some(256));
}
