//! Plans sent to other processes give the same answers there; what cannot be sent is told before.

use std::path::Path;
use std::sync::Arc;

use datafusion::physical_plan::{ExecutionPlan, displayable};
use quarray_distributed::codec::{CodecError, PLAN_BYTES_MAX, WireCodec, decode_plan, encode_plan};
use quarray_engine::Session;

use crate::answer::Answer;
use crate::golden::check_all_cases;
use crate::layouts::{CHUNKINGS, QUERIES, same, write_chunks_of};
use crate::run::{Ending, Settings, attach, run, runtime};
use crate::stages::{Sending, send_plans};
use crate::store::{ArrayToWrite, Stored, write_store};

/// Many partitions, in arrays and in rows.
const WAYS: [Settings; 2] =
    [Settings { grid: true, threads: 3, block_bytes: 40 }, Settings { grid: false, threads: 4, block_bytes: 100 }];

// A test for each way, so that both cores have work to the end.
#[test]
fn golden_cases_sent_whole_in_arrays() {
    golden(Sending::Whole, WAYS[0]);
}

#[test]
fn golden_cases_sent_whole_in_rows() {
    golden(Sending::Whole, WAYS[1]);
}

#[test]
fn golden_cases_in_tasks_of_one_partition_in_arrays() {
    golden(Sending::Stages(1), WAYS[0]);
}

#[test]
fn golden_cases_in_tasks_of_one_partition_in_rows() {
    golden(Sending::Stages(1), WAYS[1]);
}

#[test]
fn golden_cases_in_tasks_of_two_partitions_in_arrays() {
    golden(Sending::Stages(2), WAYS[0]);
}

#[test]
fn golden_cases_in_tasks_of_two_partitions_in_rows() {
    golden(Sending::Stages(2), WAYS[1]);
}

fn golden(sending: Sending, way: Settings) {
    check_all_cases(&[way], &|session| drop(send_plans(session, sending)));
}

/// To the last bit: the states of partitions are merged in their order, wherever they were made.
#[test]
fn answers_do_not_depend_on_where_partitions_run() {
    let folder = tempfile::tempdir().unwrap();
    for chunking in [CHUNKINGS[1], CHUNKINGS[2]] {
        let store = write_chunks_of(folder.path(), chunking);
        for query in QUERIES {
            let settings = Settings { grid: true, threads: 2, block_bytes: 4 << 10 };
            let alone = answer(&settings.session(), &store, query);
            for sending in [Sending::Whole, Sending::Stages(1), Sending::Stages(3)] {
                let session = settings.session();
                send_plans(&session, sending);
                same(&alone, &answer(&session, &store, query), 0.0, &format!("{query}, {sending:?}"));
            }
        }
    }
}

fn answer(session: &Session, store: &Path, query: &str) -> Answer {
    attach(session, "ds", store).unwrap();
    match run(session, query) {
        Ending::Rows(answer) => answer,
        other => panic!("{query}: expected rows, found {other:?}"),
    }
}

/// The plan of a query over a small store of one array along t.
fn plan_over(store: &Path, query: &str) -> Arc<dyn ExecutionPlan> {
    let session = Settings { grid: true, threads: 2, block_bytes: 64 }.session();
    let planner = send_plans(&session, Sending::Keep);
    answer(&session, store, query);
    planner.plans.lock().pop().expect("a plan")
}

/// A store of `a` along `t`, one after the other.
pub fn write_series(store: &Path, labels: impl Iterator<Item = f64>) {
    let labels: Vec<Option<f64>> = labels.map(Some).collect();
    let array = |name: &str, values: Vec<Option<f64>>| ArrayToWrite {
        name: name.to_string(),
        dimensions: vec!["t".to_string()],
        shape: vec![values.len()],
        chunk_shape: vec![100],
        stored: Stored::F8,
        values,
        attributes: String::new(),
    };
    let values = (0..labels.len()).map(|k| Some(k as f64)).collect();
    write_store(store, 2, false, &[array("a", values), array("t", labels)]);
}

const REDUCTION: &str = "FROM ds |> AGGREGATE sum(a) AS s GROUP BY t % 7 AS k";

#[test]
fn a_plan_does_not_grow_with_the_labels() {
    let folder = tempfile::tempdir().unwrap();
    let sizes = [1_000, 100_000].map(|count| {
        let store = folder.path().join(count.to_string());
        write_series(&store, (0..count).map(f64::from));
        let plan = plan_over(&store, REDUCTION);
        encode_plan(&plan, &WireCodec::default(), PLAN_BYTES_MAX).unwrap().len()
    });
    // More partitions (64, not 8) have more descriptors; 99,000 labels more would be 800,000 bytes.
    assert!(sizes[1] < 8 * sizes[0] && sizes[1] < 60_000, "{sizes:?}");
}

#[test]
fn a_plan_that_is_too_large_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_series(folder.path(), (0..1_000).map(f64::from));
    let plan = plan_over(folder.path(), REDUCTION);
    let bytes = encode_plan(&plan, &WireCodec::default(), PLAN_BYTES_MAX).unwrap().len();
    let refused = encode_plan(&plan, &WireCodec::default(), bytes - 1);
    assert!(
        matches!(refused, Err(CodecError::TooLarge { bytes: found, most }) if found == bytes && most == bytes - 1),
        "{refused:?}"
    );
}

/// Labels decide what a plan means: where they are others, the answer would be too.
#[test]
fn a_store_that_changed_is_told() {
    let folder = tempfile::tempdir().unwrap();
    write_series(folder.path(), (0..200).map(f64::from));
    let codec = WireCodec::default();
    let bytes = encode_plan(&plan_over(folder.path(), REDUCTION), &codec, PLAN_BYTES_MAX).unwrap();
    let context = Settings { grid: true, threads: 1, block_bytes: 64 }.session().context().task_ctx();
    let executor = WireCodec::default();
    decode_plan(&bytes, &executor, &context).unwrap();
    write_series(folder.path(), (0..200).map(|k| f64::from(k) * 2.0));
    let found = decode_plan(&bytes, &WireCodec::default(), &context);
    assert!(matches!(&found, Err(CodecError::Changed { .. })), "{found:?}");
    // One that had the old store open reads the new one for a plan over it.
    let bytes = encode_plan(&plan_over(folder.path(), REDUCTION), &codec, PLAN_BYTES_MAX).unwrap();
    decode_plan(&bytes, &executor, &context).unwrap();
}

/// A reduction without one of its states is an error, not an answer to some of the cells; states that come twice count
/// once.
#[test]
fn a_state_that_is_lost_is_told() {
    use datafusion::datasource::memory::MemorySourceConfig;
    use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
    use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
    use datafusion::physical_plan::{collect, collect_partitioned};

    let folder = tempfile::tempdir().unwrap();
    write_series(folder.path(), (0..1_000).map(f64::from));
    let plan = plan_over(folder.path(), "FROM ds |> AGGREGATE sum(a) AS s");
    let last = find(&plan, "GridReduceFinalExec").expect("a reduction");
    let partial = find(&plan, "GridReducePartialExec").expect("a reduction");
    let context = Settings { grid: true, threads: 4, block_bytes: 64 }.session().context().task_ctx();
    let over = |states: &[Vec<arrow::record_batch::RecordBatch>]| {
        let states = MemorySourceConfig::try_new_exec(states, partial.schema(), None).unwrap();
        let merged = Arc::new(CoalescePartitionsExec::new(states));
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        let plan = Arc::clone(&last).replace_children(vec![merged], options).unwrap();
        runtime().block_on(collect(plan, Arc::clone(&context)))
    };
    let (codec, executor) = (WireCodec::default(), WireCodec::default());
    let bytes = encode_plan(&partial, &codec, PLAN_BYTES_MAX).unwrap();
    let received = decode_plan(&bytes, &executor, &context).unwrap();
    let states = runtime().block_on(collect_partitioned(received, Arc::clone(&context))).unwrap();
    assert!(states.len() > 2, "{} partitions", states.len());
    let whole = over(&states).unwrap();
    let mut twice = states.clone();
    twice.extend(states.iter().rev().cloned());
    assert_eq!(over(&twice).unwrap(), whole);
    let error = over(&states[1..]).unwrap_err().to_string();
    assert!(error.contains("partition 0"), "{error}");
}

fn find(plan: &Arc<dyn ExecutionPlan>, name: &str) -> Option<Arc<dyn ExecutionPlan>> {
    if plan.name() == name {
        return Some(Arc::clone(plan));
    }
    plan.children().into_iter().find_map(|child| find(child, name))
}

/// Order statistics that do not fit are taken in passes, which are sent as any other plan.
#[test]
fn passes_are_sent() {
    let folder = tempfile::tempdir().unwrap();
    let store = write_chunks_of(folder.path(), CHUNKINGS[1]);
    let query = "FROM ds |> REDUCE median(a) AS m, quantile(b, 0.3) AS q ALONG y, x";
    let settings = Settings { grid: true, threads: 2, block_bytes: 1 << 10 };
    let session = settings.session();
    let planner = send_plans(&session, Sending::Keep);
    let alone = answer(&session, &store, query);
    let plan = planner.plans.lock().pop().expect("a plan");
    let shown = displayable(plan.as_ref()).indent(false).to_string();
    assert!(shown.contains("PassesExec"), "{shown}");
    for sending in [Sending::Whole, Sending::Stages(2)] {
        let session = settings.session();
        send_plans(&session, sending);
        same(&alone, &answer(&session, &store, query), 0.0, &format!("{sending:?}"));
    }
}
