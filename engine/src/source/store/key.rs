//! Keys: names of objects in a store, which metadata written by strangers may have chosen.

/// Refuses a key that could lead out of its store, or that stores disagree about.
pub(crate) fn check(key: &str) -> Result<(), String> {
    let wrong = |why: &str| Err(format!("key {key:?} is refused: {why}"));
    if key.is_empty() {
        return wrong("expected a name, found nothing");
    }
    if key.starts_with('/') {
        return wrong("expected a key relative to the store, found an absolute one");
    }
    if key.chars().any(|c| c.is_control() || c == '\\') {
        return wrong("expected no backslash and no control character");
    }
    // A percent-encoded dot or slash is refused too: some server on the way may decode it.
    let lower = key.to_ascii_lowercase();
    if ["%2e", "%2f", "%5c", "%00"].iter().any(|escape| lower.contains(escape)) {
        return wrong("expected no percent-encoded dot, slash or NUL");
    }
    if key.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        return wrong("expected no empty part and no part `.` or `..`");
    }
    Ok(())
}
