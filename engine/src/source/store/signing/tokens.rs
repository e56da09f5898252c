//! Tokens of containers: fetched once for all who need them, and anew before they expire.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use object_store::azure::AzureCredential;
use parking_lot::Mutex;
use serde_json::Value;

use super::super::address::without_secrets;
use super::super::cloud::sas_pairs;
use super::super::network::NetworkGuard;
use super::super::web::{WebClient, WebRequest};
use crate::source::SourceError;

/// A token is fetched anew when less than this is left of it, or a fifth of its life where that is less.
const LEFT_MIN: Duration = Duration::from_secs(60);

/// A refusal of a token younger than this is no matter of its age.
const AGE_OF_REFUSAL_MIN: Duration = Duration::from_secs(1);

/// Containers whose tokens are kept.
const KEPT_MAX: usize = 1024;

/// Which tokens they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    endpoint: String,
    account: String,
    container: String,
    /// The key that is shown to the endpoint, if there is one: other keys may be given other tokens.
    key: Option<String>,
}

/// The tokens of this process.
static TOKENS: LazyLock<Mutex<HashMap<Place, Arc<Slot>>>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Slot {
    /// Held while a token is fetched, so that it is fetched once.
    token: tokio::sync::Mutex<Option<Token>>,
}

struct Token {
    credential: Arc<AzureCredential>,
    fetched: Instant,
    renew_at: Instant,
    ends_at: Instant,
}

/// The tokens of one container.
#[derive(Clone)]
pub(crate) struct Tokens {
    place: Place,
    slot: Arc<Slot>,
    guard: Option<NetworkGuard>,
}

impl Tokens {
    /// The tokens that an endpoint gives out for a container; `key` is what it knows whoever asks by.
    pub(crate) fn of(
        endpoint: &str,
        account: &str,
        container: &str,
        key: Option<&str>,
        guard: Option<NetworkGuard>,
    ) -> Self {
        let place = Place {
            endpoint: endpoint.to_string(),
            account: account.to_string(),
            container: container.to_string(),
            key: key.map(str::to_string),
        };
        let mut all = TOKENS.lock();
        if all.len() >= KEPT_MAX {
            all.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        let slot = Arc::clone(all.entry(place.clone()).or_default());
        Self { place, slot, guard }
    }

    /// A token with some life left in it.
    pub(super) async fn current(&self) -> Result<Arc<AzureCredential>, SourceError> {
        let mut slot = self.slot.token.lock().await;
        if let Some(token) = slot.as_ref().filter(|token| Instant::now() < token.renew_at) {
            return Ok(Arc::clone(&token.credential));
        }
        match (self.fetch().await, slot.as_ref()) {
            (Ok(token), _) => Ok(Arc::clone(&slot.insert(token).credential)),
            // The endpoint may answer again before the old one ends.
            (Err(_), Some(old)) if Instant::now() < old.ends_at => Ok(Arc::clone(&old.credential)),
            (Err(error), _) => Err(error),
        }
    }

    /// Sees to it that a token which was fetched no later than `tried` is replaced, as the store refused it; whether there
    /// is another one to try with.
    pub(super) async fn refused(&self, tried: Instant) -> Result<bool, SourceError> {
        let mut slot = self.slot.token.lock().await;
        match slot.as_ref() {
            // Somebody else has fetched one in the meantime.
            Some(token) if token.fetched > tried => return Ok(true),
            Some(token) if token.fetched.elapsed() < AGE_OF_REFUSAL_MIN => return Ok(false),
            _ => {}
        }
        *slot = Some(self.fetch().await?);
        Ok(true)
    }

    async fn fetch(&self) -> Result<Token, SourceError> {
        let Place { endpoint, account, container, key } = &self.place;
        let segment = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
                .replace("%2D", "-")
                .replace("%24", "$")
        };
        let mut request = WebRequest::get(&format!("{endpoint}/{}/{}", segment(account), segment(container)));
        if let Some(key) = key {
            request.headers.push(("Ocp-Apim-Subscription-Key".to_string(), key.clone()));
        }
        let answer = WebClient::guarded(self.guard.clone())?.fetch(&request).await?;
        let wrong = |message: String| SourceError::Store { uri: without_secrets(&request.url), message };
        let answer: Value =
            serde_json::from_slice(&answer).map_err(|_| wrong("expected a token as JSON".to_string()))?;
        let text = |name: &str| {
            let found = answer.get(name).and_then(Value::as_str);
            found.ok_or_else(|| wrong(format!("expected a token with `{name}`, found none")))
        };
        let pairs = sas_pairs(text("token")?).map_err(wrong)?;
        let expiry = chrono::DateTime::parse_from_rfc3339(text("msft:expiry")?)
            .map_err(|_| wrong("expected a time in `msft:expiry`".to_string()))?;
        let life = (expiry.to_utc() - chrono::Utc::now()).to_std().unwrap_or(Duration::ZERO);
        let now = Instant::now();
        // A time in the far future is no time of this clock.
        let life = life.min(Duration::from_secs(7 * 86_400));
        Ok(Token {
            credential: Arc::new(AzureCredential::SASToken(pairs)),
            fetched: now,
            renew_at: now + (life - LEFT_MIN.min(life / 5)),
            ends_at: now + life,
        })
    }
}

impl std::fmt::Debug for Tokens {
    /// Whose tokens, never the tokens.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Place { account, container, .. } = &self.place;
        formatter.debug_struct("Tokens").field("account", account).field("container", container).finish_non_exhaustive()
    }
}
