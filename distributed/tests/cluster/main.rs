//! Real executors, each a process of its own: this very program, started as one.
//!
//! It has no harness of Rust's own, since its first argument may ask for an executor. Otherwise arguments are parts of the
//! names of tests to run; tests run one after the other.

mod answers;
mod bursts;
mod carried;
mod guards;
mod hosts;
mod leaving;
mod losses;
mod namespaces;
mod plans;
mod setting;
mod slow;

use std::process::ExitCode;
use std::time::Instant;

/// What a test ends with.
pub type TestResult<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

type Test = (&'static str, fn() -> TestResult);

const TESTS: &[Test] = &[
    ("answers_are_those_of_this_process", answers::answers_are_those_of_this_process),
    ("every_batch_is_read_once", answers::every_batch_is_read_once),
    ("a_failure_is_told", answers::a_failure_is_told),
    ("a_young_job_gets_its_share", answers::a_young_job_gets_its_share),
    ("a_cold_cluster_waits_for_its_first_executor", answers::a_cold_cluster_waits_for_its_first_executor),
    ("lost_while_scanning", losses::lost_while_scanning),
    ("lost_after_the_shuffle_was_written", losses::lost_after_the_shuffle_was_written),
    ("lost_while_the_result_is_fetched", losses::lost_while_the_result_is_fetched),
    ("all_lost", losses::all_lost),
    ("a_result_that_is_told_of_twice_is_read_once", guards::a_result_that_is_told_of_twice_is_read_once),
    ("an_answer_that_counts_twice_is_thrown_away", guards::an_answer_that_counts_twice_is_thrown_away),
    ("a_job_that_stands_still_is_begun_anew", guards::a_job_that_stands_still_is_begun_anew),
    ("large_lists_and_large_rows_come_as_they_are", guards::large_lists_and_large_rows_come_as_they_are),
    ("a_plan_that_no_message_carries_costs_no_executor", guards::a_plan_that_no_message_carries_costs_no_executor),
    ("a_reader_that_looks_away_misses_nothing", guards::a_reader_that_looks_away_misses_nothing),
    ("a_loss_is_noticed_at_once", guards::a_loss_is_noticed_at_once),
    ("who_holds_data_is_needed", guards::who_holds_data_is_needed),
    ("cancelled", leaving::cancelled),
    ("cancelled_while_a_plan_is_read", leaving::cancelled_while_a_plan_is_read),
    ("told_to_stop", leaving::told_to_stop),
    ("told_to_stop_twice", leaving::told_to_stop_twice),
    ("their_parent_is_killed", leaving::their_parent_is_killed),
    ("dead_at_birth", leaving::dead_at_birth),
    ("statements_about_clusters", bursts::statements_about_clusters),
    ("a_job_is_cancelled_by_its_id", bursts::a_job_is_cancelled_by_its_id),
    ("executors_come_and_go_with_a_burst", bursts::executors_come_and_go_with_a_burst),
    ("an_executor_that_is_taken_back_works_on", bursts::an_executor_that_is_taken_back_works_on),
    ("a_cluster_is_not_dropped_under_its_jobs", bursts::a_cluster_is_not_dropped_under_its_jobs),
    ("shuffled_data_is_carried", carried::shuffled_data_is_carried),
    ("children_of_a_guarded_scheduler", hosts::children_of_a_guarded_scheduler),
    ("hosts_without_a_secret", hosts::hosts_without_a_secret),
    ("hosts_that_are_addresses", hosts::hosts_that_are_addresses),
    ("hosts_that_are_namespaces", hosts::hosts_that_are_namespaces),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let special = match arguments.first().map(String::as_str) {
        Some("executor") => Some(setting::be_executor(&arguments)),
        Some("parent") => Some(leaving::be_parent()),
        Some("session") => Some(hosts::be_session(arguments.get(1).map_or("", String::as_str))),
        _ => None,
    };
    if let Some(ended) = special {
        return report(ended.map_err(|error| error.to_string()));
    }
    let is_list = arguments.iter().any(|argument| argument == "--list");
    let filters: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let mut failed = Vec::new();
    for (name, test) in TESTS {
        if is_list || !(filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()))) {
            continue;
        }
        let start = Instant::now();
        let ended = test();
        println!(
            "test {name} ... {} ({:.1} s)",
            if ended.is_ok() { "ok" } else { "FAILED" },
            start.elapsed().as_secs_f64()
        );
        failed.extend(ended.err().map(|error| format!("{name}: {error}")));
    }
    report(if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) })
}

fn report(ended: Result<(), String>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
