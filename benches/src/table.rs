//! The figures of a comparison as a table of Markdown.

use std::fmt::Write;

use super::process::Run;

/// The runs of one program.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    seconds: Vec<f64>,
    peak_megabytes: f64,
}

/// One query by every program.
#[derive(Debug, Default)]
pub struct Row {
    /// The query.
    pub name: String,
    /// Quarray's runs, as whole processes.
    pub quarray: Figures,
    /// Dask's, by its own clock.
    pub dask: Figures,
    /// Those of other peers, by their own clocks.
    pub others: Vec<(String, Figures)>,
    /// The physical limit's, as whole processes.
    pub limit: Figures,
    /// Whether the answer is xarray's, where that was asked for.
    pub verdict: Option<String>,
}

impl Figures {
    /// Adds a run.
    pub fn add(&mut self, run: &Run) {
        self.seconds.push(run.seconds);
        self.peak_megabytes = self.peak_megabytes.max(run.peak_megabytes);
    }

    /// The middle one of the seconds; `None` without a run.
    pub fn median(&self) -> Option<f64> {
        median(&self.seconds)
    }

    /// The peak of resident memory of all runs, in MB.
    pub fn peak_megabytes(&self) -> f64 {
        self.peak_megabytes
    }

    fn cell(&self) -> String {
        self.median().map_or("–".to_string(), |seconds| format!("{seconds:.2} s / {:.0}", self.peak_megabytes))
    }
}

/// The middle one of some numbers, or what is in the middle of two; `None` of none.
pub fn median(numbers: &[f64]) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        count if count.is_multiple_of(2) => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
        _ => Some(sorted[middle]),
    }
}

/// Median seconds and peak megabytes of every program, and how many times as long the others take.
pub fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| query | Quarray | Dask | × | best other peer | × | limit | of limit | answer |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let best = row.others.iter().filter(|(_, figures)| figures.median().is_some());
        let best = best.min_by(|a, b| a.1.median().unwrap_or(0.0).total_cmp(&b.1.median().unwrap_or(0.0)));
        let (peer, best) =
            best.map_or((String::new(), Figures::default()), |(peer, best)| (format!("{peer} "), best.clone()));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {peer}{} | {} | {} | {} | {} |",
            row.name,
            row.quarray.cell(),
            row.dask.cell(),
            ratio(&row.dask, &row.quarray),
            best.cell(),
            ratio(&best, &row.quarray),
            row.limit.cell(),
            ratio(&row.quarray, &row.limit),
            row.verdict.as_deref().unwrap_or("–"),
        );
    }
    let logarithms: Vec<f64> =
        rows.iter().filter_map(|row| Some((row.dask.median()? / row.quarray.median()?).ln())).collect();
    if !logarithms.is_empty() {
        let mean = (logarithms.iter().sum::<f64>() / logarithms.len() as f64).exp();
        let _ = writeln!(text, "\nGeometric mean of Dask's ratios: {mean:.1}");
    }
    text
}

fn ratio(slow: &Figures, quick: &Figures) -> String {
    match (slow.median(), quick.median()) {
        (Some(slow), Some(quick)) => format!("{:.2}", slow / quick),
        _ => "–".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_one_counts() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
