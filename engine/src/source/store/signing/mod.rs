//! Stores whose requests are signed with tokens that an endpoint gives out: shared access signatures that live for a while.
//!
//! Option `sign` of a store says where tokens come from. Nothing of a token is kept but in this process: another process
//! that opens the same address with the same option asks for tokens of its own.

mod provider;
mod signed;
mod tokens;

pub(super) use provider::TokenProvider;
pub(super) use signed::SignedStore;
pub(super) use tokens::Tokens;

/// The token endpoint of the Planetary Computer.
const PLANETARY_COMPUTER: &str = "https://planetarycomputer.microsoft.com/api/sas/v1/token";

/// The host of its catalog.
const PLANETARY_COMPUTER_HOST: &str = "planetarycomputer.microsoft.com";

/// Where tokens come from, by the value of option `sign`; `None` where requests are not signed.
pub(super) fn endpoint(value: &str) -> Result<Option<String>, String> {
    match value.trim() {
        "none" | "false" => Ok(None),
        "planetary-computer" => Ok(Some(PLANETARY_COMPUTER.to_string())),
        url if url.starts_with("https://") || url.starts_with("http://") => {
            Ok(Some(url.trim_end_matches('/').to_string()))
        }
        other => Err(format!(
            "option `sign`: expected planetary-computer, none or the URL of a token endpoint, found `{other}`"
        )),
    }
}

/// Whether an endpoint is that of the Planetary Computer.
pub(super) fn is_planetary_computer(endpoint: &str) -> bool {
    endpoint == PLANETARY_COMPUTER
}

/// What option `sign` is for what a catalog names, where nobody said anything.
pub(crate) fn usual_signing(catalog: &str) -> Option<&'static str> {
    let url = url::Url::parse(catalog).ok()?;
    (url.scheme() == "https" && url.host_str() == Some(PLANETARY_COMPUTER_HOST)).then_some("planetary-computer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_have_names() {
        assert_eq!(endpoint("none"), Ok(None));
        assert_eq!(endpoint("planetary-computer"), Ok(Some(PLANETARY_COMPUTER.to_string())));
        assert_eq!(endpoint("http://h/token/"), Ok(Some("http://h/token".to_string())));
        assert!(endpoint("planetary").is_err() && endpoint("file:///token").is_err());
    }

    #[test]
    fn only_its_own_catalog_is_signed_for_unasked() {
        assert_eq!(usual_signing("https://planetarycomputer.microsoft.com/api/stac/v1"), Some("planetary-computer"));
        for other in ["https://planetarycomputer.microsoft.com.evil.example/", "http://h.example/", "catalog.json"] {
            assert_eq!(usual_signing(other), None, "{other}");
        }
    }
}
