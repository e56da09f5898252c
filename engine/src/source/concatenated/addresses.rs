//! Patterns of addresses: `dir/*.nc`, `dir/{2001,2002}.nc`.

use crate::access::AccessPolicy;
use crate::source::SourceError;
use crate::source::store::{Store, StoreOptions, without_secrets};

/// The most files of one dataset.
const FILES_MAX: usize = 100_000;

/// Whether an address is a pattern of several.
pub fn is_pattern(uri: &str) -> bool {
    let uri = readable(uri);
    let place = uri.split('?').next().filter(|_| uri.contains("://")).unwrap_or(&uri);
    place.contains('*') || braces(place).is_some()
}

/// The addresses that a pattern stands for: those of its lists in their order, those of its stars in the order of names.
///
/// # Errors
/// [`SourceError::NotFound`] where there are none, and those of the store that is listed.
pub async fn expand(uri: &str, options: &StoreOptions, access: &AccessPolicy) -> Result<Vec<String>, SourceError> {
    let mut addresses = Vec::new();
    for listed in lists(&readable(uri)).map_err(|message| wrong(uri, message))? {
        let (place, query) = match listed.find('?').filter(|_| listed.contains("://")) {
            Some(mark) => listed.split_at(mark),
            None => (listed.as_str(), ""),
        };
        let parts: Vec<&str> = place.split('/').collect();
        let Some(star) = parts.iter().position(|part| part.contains('*')) else {
            addresses.push(listed.clone());
            continue;
        };
        if parts[star + 1..].iter().any(|part| part.contains('*')) {
            return Err(wrong(uri, "expected `*` in one part of the path, found it in several".to_string()));
        }
        let directory = match &parts[..star] {
            [] => ".".to_string(),
            [""] => "/".to_string(),
            above => above.join("/"),
        };
        let names = Store::open_for(&format!("{directory}{query}"), options, access)?.list_children("").await?;
        for name in names.iter().filter(|name| matches(parts[star], name)) {
            let mut found = parts.clone();
            found[star] = name;
            addresses.push(format!("{}{query}", found.join("/")));
        }
    }
    match addresses.len() {
        0 => {
            let message = "nothing has a name like that".to_string();
            Err(SourceError::NotFound { uri: without_secrets(uri), message })
        }
        1..=FILES_MAX => Ok(addresses),
        found => Err(wrong(uri, format!("expected at most {FILES_MAX} files, found {found}"))),
    }
}

/// The pattern as it was written: a URL may have come by with its braces encoded.
fn readable(uri: &str) -> String {
    match uri.contains("://") {
        true => uri.replace("%7B", "{").replace("%7D", "}"),
        false => uri.to_string(),
    }
}

/// Where the first list is.
fn braces(place: &str) -> Option<(usize, usize)> {
    let start = place.find('{')?;
    let end = start + place[start..].find('}')?;
    place[start..end].contains(',').then_some((start, end))
}

/// The addresses with each entry of each list.
fn lists(pattern: &str) -> Result<Vec<String>, String> {
    let (mut done, mut open) = (Vec::new(), vec![pattern.to_string()]);
    while let Some(next) = open.pop() {
        match braces(&next) {
            None => done.push(next),
            Some((start, end)) => {
                let entries = next[start + 1..end].split(',').rev();
                open.extend(entries.map(|entry| format!("{}{}{}", &next[..start], entry.trim(), &next[end + 1..])));
            }
        }
        if done.len() + open.len() > FILES_MAX {
            return Err(format!("expected at most {FILES_MAX} files, found more"));
        }
    }
    Ok(done)
}

/// Whether a name is like a pattern, in which a star stands for any characters.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|start| name.strip_prefix(start)) else { return false };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty()
}

fn wrong(uri: &str, message: String) -> SourceError {
    SourceError::Address { uri: without_secrets(uri), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_like_a_pattern() {
        assert!(matches("*.nc", "a.nc") && matches("t*_*.nc", "tas_2001.nc") && matches("a*a", "aba"));
        assert!(!matches("*.nc", "a.nc4") && !matches("a*a", "a") && !matches("t*_*.nc", "t.nc"));
    }

    #[test]
    fn lists_in_their_order() -> Result<(), String> {
        assert_eq!(lists("d/{b,a}/{1, 2}.nc")?, ["d/b/1.nc", "d/b/2.nc", "d/a/1.nc", "d/a/2.nc"]);
        assert!(is_pattern("https://h/%7B1,2%7D.nc") && is_pattern("a/*.zarr"));
        assert!(!is_pattern("a/{1}.nc") && !is_pattern("https://h/a.nc?x=*"));
        Ok(())
    }

    #[tokio::test]
    async fn files_in_the_order_of_names() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        for name in ["b.nc", "a.nc", "c.txt"] {
            std::fs::write(folder.path().join(name), "")?;
        }
        let root = folder.path().to_string_lossy().into_owned();
        let everything = AccessPolicy::everything();
        let found = expand(&format!("{root}/*.nc"), &StoreOptions::new(), &everything).await?;
        assert_eq!(found, [format!("{root}/a.nc"), format!("{root}/b.nc")]);
        let grouped = expand(&format!("{root}/a*/deep"), &StoreOptions::new(), &everything).await?;
        assert_eq!(grouped, [format!("{root}/a.nc/deep")]);
        assert!(expand(&format!("{root}/*.tif"), &StoreOptions::new(), &everything).await.is_err());
        Ok(())
    }
}
