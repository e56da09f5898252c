//! "Did you mean …?"

/// The candidate nearest to `word` in spelling, in any case, if one is near.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let allowed = match word.chars().count() {
        0 | 1 => 0,
        2..=4 => 1,
        5..=7 => 2,
        _ => 3,
    };
    let mut best: Option<(usize, f64, &'a str)> = None;
    for candidate in candidates {
        let lower = candidate.to_lowercase();
        let distance = strsim::osa_distance(&word, &lower);
        let similarity = strsim::jaro_winkler(&word, &lower);
        let is_short_form =
            lower.len() >= 2 && (word.starts_with(&lower) || lower.starts_with(&word)) && !word.is_empty();
        let distance = if is_short_form { distance.min(1) } else { distance };
        let is_better = best.is_none_or(|(least, most, _)| distance < least || distance == least && similarity > most);
        if distance <= allowed && is_better {
            best = Some((distance, similarity, candidate));
        }
    }
    best.map(|(_, _, candidate)| candidate)
}

/// The advice to write `name` instead.
pub fn did_you_mean(name: &str) -> String {
    format!("did you mean `{name}`?")
}
