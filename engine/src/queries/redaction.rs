//! Secrets in the texts of statements.
//!
//! A text is read token by token, whether it is a statement of the language or not: values of options that may be secret
//! (`ATTACH … WITH (key = '…')`, `secret_access_key => '…'`) and what follows the `?` of an address are taken out. What
//! was taken out is remembered, so that it can be taken out of messages and plans too.

mod scan;

use super::plan_summary::cut;
use crate::source::store::{PUBLIC_OPTIONS, add_query, without_secrets};
use scan::{Piece, pieces};

/// In place of a secret.
const TAKEN_OUT: &str = "<secret>";

/// Shorter values are no secrets, and taking them out would garble every message.
const SECRET_BYTES_MIN: usize = 6;

/// Secrets that are remembered, at most.
const SECRETS_MAX: usize = 256;

/// Options of clusters, of decoding and of stores under their other names, whose values may be shown.
const MORE_PUBLIC_OPTIONS: [&str; 13] = [
    "anon",
    "cores",
    "decode_cf",
    "idle_timeout",
    "max",
    "memory",
    "min",
    "nan_as_null",
    "requester_pays",
    "skip_signature",
    "tenant",
    "use_azure_cli",
    "chunks",
];

/// What names of secrets have in them.
const SECRET_WORDS: [&str; 8] =
    ["secret", "password", "passwd", "token", "credential", "signature", "private", "access_key"];

/// A text without its secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redacted {
    text: String,
    secrets: Vec<String>,
}

/// The text of a statement without its secrets.
pub fn redact(text: &str) -> Redacted {
    let mut writer = Writer::default();
    writer.statement(text);
    let Writer { mut redacted, .. } = writer;
    redacted.secrets.retain(|secret| secret.len() >= SECRET_BYTES_MIN && secret != TAKEN_OUT);
    redacted.secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    redacted.secrets.dedup();
    redacted.secrets.truncate(SECRETS_MAX);
    redacted
}

impl Redacted {
    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The beginning of the text.
    pub(super) fn beginning(&self, bytes_max: usize) -> String {
        cut(&self.text, bytes_max)
    }

    /// Another text, of an error or of a plan, without these secrets and without those of addresses.
    pub fn clean(&self, text: &str) -> String {
        let known = self.secrets.iter().fold(text.to_string(), |text, secret| match text.contains(secret.as_str()) {
            true => text.replace(secret.as_str(), TAKEN_OUT),
            false => text,
        });
        clean_addresses(&known)
    }
}

/// A free text whose addresses have lost their queries and passwords.
fn clean_addresses(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = rest.find("://") {
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let before = rest.get(..place).unwrap_or_default();
        let scheme_start = before.char_indices().rev().take_while(|(_, c)| is_scheme(*c)).last();
        let start = scheme_start.map_or(place, |(start, _)| start);
        let address = rest.get(start..).unwrap_or_default();
        let ends =
            |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '`' | ')' | ']' | '}' | '>' | '<' | ',' | ';');
        let length = address.find(ends).unwrap_or(address.len());
        cleaned.push_str(rest.get(..start).unwrap_or_default());
        cleaned.push_str(&public_address(address.get(..length).unwrap_or_default()));
        rest = address.get(length..).unwrap_or_default();
    }
    cleaned.push_str(rest);
    cleaned
}

/// An address without what may be secret, which is said.
fn public_address(address: &str) -> String {
    let public = without_secrets(address);
    match address.contains('?') {
        true => format!("{public}?{TAKEN_OUT}"),
        false => public,
    }
}

/// Writes a statement again without its secrets.
#[derive(Default)]
struct Writer {
    redacted: Redacted,
    /// The last name that was written, and whether a sign of assignment (`=`, `=>`, `:=`) has followed it.
    key: String,
    assigned: Assigned,
    /// Whether all options are secret unless they are known not to be: in a statement that attaches a store.
    is_strict: bool,
    /// The depth of parentheses, and that at which options stand, if they do.
    depth: usize,
    options_depth: Option<usize>,
    /// A value that is not quoted is being taken out, up to the next comma or parenthesis.
    is_taking_out: bool,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Assigned {
    #[default]
    No,
    ByEquals,
    ByArrow,
}

impl Writer {
    fn statement(&mut self, text: &str) {
        for piece in pieces(text) {
            match piece {
                Piece::Space(_) if self.is_taking_out => {}
                Piece::Space(space) => self.write(space),
                Piece::Comment { open, body, close } => {
                    // What is commented out may have been tried with its secrets before.
                    let inner = redact(body);
                    self.redacted.secrets.extend(inner.secrets);
                    [open, inner.text.as_str(), close].into_iter().for_each(|part| self.write(part));
                }
                Piece::Word(word) => self.word(word),
                Piece::Sign(sign) => self.sign(sign),
                Piece::Quoted { open, body, close } => self.quoted(open, body, close),
            }
        }
    }

    fn word(&mut self, word: &str) {
        if self.is_secret_value(false) {
            return self.take_out(word, false);
        }
        let upper = word.to_ascii_uppercase();
        self.is_strict |= matches!(upper.as_str(), "ATTACH" | "EXTERNAL");
        self.name(word);
        self.write(word);
    }

    fn sign(&mut self, sign: &str) {
        let closes = matches!(sign, "," | ")" | ";") && self.options_depth.is_none_or(|depth| self.depth <= depth);
        if self.is_taking_out && !closes {
            return self.remember(sign);
        }
        match sign {
            "(" => {
                self.depth += 1;
                let opens = self.is_strict || matches!(self.key.to_ascii_uppercase().as_str(), "WITH" | "OPTIONS");
                if opens && self.options_depth.is_none() {
                    self.options_depth = Some(self.depth);
                }
            }
            ")" => {
                if self.options_depth == Some(self.depth) {
                    self.options_depth = None;
                }
                self.depth = self.depth.saturating_sub(1);
            }
            ";" => *self = Self { redacted: std::mem::take(&mut self.redacted), ..Self::default() },
            _ => {}
        }
        self.is_taking_out = false;
        match sign {
            // A name may have several parts; an arrow is `=` and `>`.
            "." => self.key.push('.'),
            "=" => self.assigned = Assigned::ByEquals,
            ">" if self.assigned == Assigned::ByEquals => self.assigned = Assigned::ByArrow,
            ":" => {}
            _ => self.forget_name(),
        }
        self.write(sign);
    }

    fn quoted(&mut self, open: &str, body: &str, close: &str) {
        if self.is_secret_value(true) {
            return self.take_out(body, true);
        }
        let is_address = body.contains("://");
        let lower = body.to_ascii_lowercase();
        self.write(open);
        if is_address {
            if let Some((_, query)) = body.split_once('?') {
                add_query(&mut self.redacted.secrets, query);
            }
            self.write(&public_address(body));
        } else if lower.contains("sig=") || lower.contains("signature=") {
            add_query(&mut self.redacted.secrets, body);
            self.write(TAKEN_OUT);
        } else {
            self.write(body);
        }
        self.write(close);
        self.name(body);
    }

    /// Whether what comes now is the value of an option that is secret.
    fn is_secret_value(&self, is_quoted: bool) -> bool {
        if self.is_taking_out {
            return true;
        }
        let name = self.key.to_ascii_lowercase();
        let last = name.rsplit('.').next().unwrap_or_default();
        let has_word = SECRET_WORDS.iter().any(|word| last.contains(word));
        let looks_secret = has_word || last.ends_with("_key") || last.split('_').any(|part| part == "sas");
        let is_option = self.options_depth == Some(self.depth);
        match (is_option, self.assigned) {
            (_, _) if name.is_empty() => false,
            // The value of an option may follow its name at once, where it is quoted.
            (true, Assigned::No) if !is_quoted => false,
            (true, _) if self.is_strict => !PUBLIC_OPTIONS.contains(&last) && !MORE_PUBLIC_OPTIONS.contains(&last),
            (true, _) => looks_secret || last == "key" || last == "key_id",
            (false, Assigned::ByArrow) => looks_secret || last == "key",
            (false, Assigned::ByEquals | Assigned::No) => is_quoted && looks_secret,
        }
    }

    fn take_out(&mut self, value: &str, is_quoted: bool) {
        if !self.is_taking_out {
            self.write("'");
            self.write(TAKEN_OUT);
            self.write("'");
        }
        if value.contains('=') && value.contains('&') {
            add_query(&mut self.redacted.secrets, value);
        }
        self.is_taking_out |= self.options_depth.is_some();
        match is_quoted {
            true => {
                // As it is written, and as it is meant.
                self.remember(value);
                if value.contains("''") {
                    self.remember(&value.replace("''", "'"));
                }
            }
            false => self.remember(value),
        }
        if !self.is_taking_out {
            self.forget_name();
        }
    }

    fn remember(&mut self, secret: &str) {
        if self.redacted.secrets.len() < SECRETS_MAX {
            self.redacted.secrets.push(secret.to_string());
        }
    }

    fn name(&mut self, part: &str) {
        if self.key.ends_with('.') {
            self.key.push_str(part);
        } else {
            self.key = part.to_string();
        }
        self.assigned = Assigned::No;
    }

    fn forget_name(&mut self) {
        self.key.clear();
        self.assigned = Assigned::No;
    }

    fn write(&mut self, text: &str) {
        self.redacted.text.push_str(text);
    }
}
