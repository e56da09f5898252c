//! The options of `CREATE CLUSTER … WITH (…)`.

use std::time::Duration;

use sqlparser::tokenizer::Token;

use super::ClusterOptions;
use crate::diagnostic::Diagnostic;
use crate::quantity::{bytes_text, parse_bytes, parse_duration};
use crate::reader::Reader;
use crate::span::{Located, Span};
use crate::suggest::{closest, did_you_mean};

/// The names of all options.
pub(crate) const OPTION_NAMES: [&str; 5] = ["min", "max", "cores", "memory", "idle_timeout"];

/// The least memory of an executor: below it is a number whose unit was forgotten.
const MEMORY_BYTES_MIN: u64 = 1 << 20;

/// Reads the options between `start` and `end`. All that is wrong with them is reported.
pub(super) fn options(reader: &Reader<'_, '_>, start: usize, end: usize) -> Result<ClusterOptions, Vec<Diagnostic>> {
    let mut options = ClusterOptions::default();
    let mut diagnostics = Vec::new();
    for (start, end) in reader.tokens.split_commas(start, end) {
        diagnostics.extend(read(&mut options, reader, start, end).err());
    }
    if let (Some(min), Some(max)) = (options.min, options.max)
        && min.value > max.value
    {
        let message = format!("expected a `max` of at least {}, which is `min`, found {}", min.value, max.value);
        diagnostics.push(Diagnostic::new(message).at(max.span));
    }
    if diagnostics.is_empty() { Ok(options) } else { Err(diagnostics) }
}

/// Reads the option in the tokens `start..end`.
fn read(options: &mut ClusterOptions, reader: &Reader<'_, '_>, start: usize, end: usize) -> Result<(), Diagnostic> {
    let (name, after) = reader.key(start, end)?;
    let option = Setting { reader, name: &name, start, after, end };
    match name.as_str() {
        "min" => option.set(&mut options.min, |option, value| option.whole_number(value, 0)),
        "max" => option.set(&mut options.max, |option, value| option.whole_number(value, 1)),
        "cores" => option.set(&mut options.cores, |option, value| option.whole_number(value, 1)),
        "memory" => option.set(&mut options.memory, Setting::memory),
        "idle_timeout" => option.set(&mut options.idle_timeout, Setting::idle_timeout),
        _ => Err(option.unknown()),
    }
}

/// `name = value`
struct Setting<'r, 'a, 'text> {
    reader: &'r Reader<'a, 'text>,
    name: &'r str,
    /// Where the name starts, where it has ended, and where the value has.
    start: usize,
    after: usize,
    end: usize,
}

impl Setting<'_, '_, '_> {
    /// Fills `slot` with the value, which starts at the position that `read` is given.
    fn set<T>(
        &self,
        slot: &mut Option<Located<T>>,
        read: impl FnOnce(&Self, usize) -> Result<Located<T>, Diagnostic>,
    ) -> Result<(), Diagnostic> {
        let value = self.reader.equals(self.after)?;
        if slot.is_some() {
            let message = format!("expected each option once, found `{}` again", self.name);
            return Err(Diagnostic::new(message).at(self.name_span()));
        }
        *slot = Some(read(self, value)?);
        Ok(())
    }

    fn whole_number(&self, value: usize, least: u32) -> Result<Located<u32>, Diagnostic> {
        whole_number(self.reader, &format!("a whole number for `{}`", self.name), value, self.end, least)
    }

    fn memory(&self, value: usize) -> Result<Located<u64>, Diagnostic> {
        let (text, span) = self.quantity(value, "a size", "2 GiB")?;
        let bytes = parse_bytes(&text).map_err(|diagnostic| diagnostic.at(span))?;
        if bytes < MEMORY_BYTES_MIN {
            let least = bytes_text(MEMORY_BYTES_MIN);
            let message = format!("expected at least {least} for `{}`, found {}", self.name, bytes_text(bytes));
            return Err(Diagnostic::new(message).at(span).with_help("write the unit with it, as in '2 GiB'"));
        }
        Ok(Located::new(bytes, span))
    }

    fn idle_timeout(&self, value: usize) -> Result<Located<Duration>, Diagnostic> {
        let (text, span) = self.quantity(value, "a duration", "5 minutes")?;
        let duration = parse_duration(&text).map_err(|diagnostic| diagnostic.at(span))?;
        if duration.is_zero() {
            let message = format!("expected more than zero for `{}`, found {}", self.name, self.written(value));
            return Err(Diagnostic::new(message).at(span));
        }
        Ok(Located::new(duration, span))
    }

    /// The text of a quantity: a string's, or a number's.
    fn quantity(&self, value: usize, what: &str, example: &str) -> Result<(String, Span), Diagnostic> {
        quantity(self.reader, &format!("{what} for `{}`, such as '{example}'", self.name), value, self.end)
    }

    fn unknown(&self) -> Diagnostic {
        let message = format!("a cluster has no option `{}`", self.name);
        let help = match closest(self.name, OPTION_NAMES) {
            Some(near) => did_you_mean(near),
            None => format!("its options are {}", OPTION_NAMES.join(", ")),
        };
        Diagnostic::new(message).at(self.name_span()).with_help(help)
    }

    fn name_span(&self) -> Span {
        self.reader.span(self.start, self.after)
    }

    fn written(&self, value: usize) -> &str {
        self.reader.written(value, self.end)
    }
}

/// A size, which is all of the tokens `start..end`: what stands after the word `after`.
pub(super) fn size(reader: &Reader<'_, '_>, after: &str, start: usize, end: usize) -> Result<Located<u64>, Diagnostic> {
    let (text, span) = quantity(reader, &format!("a size after {after}, such as '64 MB'"), start, end)?;
    let bytes = parse_bytes(&text).map_err(|diagnostic| diagnostic.at(span))?;
    Ok(Located::new(bytes, span))
}

/// The text of a string or of a number, which is all of the tokens `start..end`, and its place.
fn quantity(reader: &Reader<'_, '_>, expected: &str, start: usize, end: usize) -> Result<(String, Span), Diagnostic> {
    let span = reader.span(start, end);
    match reader.tokens.token(start) {
        Some(Token::SingleQuotedString(text)) if start + 1 == end => Ok((text.clone(), span)),
        Some(Token::Number(number, false)) if start + 1 == end => Ok((number.clone(), span)),
        first => {
            let diagnostic = unexpected(reader, expected, start, end);
            match (first, start + 1 < end) {
                (Some(Token::Number(..)), true) => {
                    Err(diagnostic.with_help(format!("write '{}', in quotes", reader.written(start, end))))
                }
                _ => Err(diagnostic),
            }
        }
    }
}

/// A whole number of at least `least`, which is all of the tokens `start..end`.
pub(super) fn whole_number(
    reader: &Reader<'_, '_>,
    expected: &str,
    start: usize,
    end: usize,
    least: u32,
) -> Result<Located<u32>, Diagnostic> {
    let token = reader.tokens.token(start).filter(|_| start + 1 == end);
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match token {
        Some(Token::Number(digits, false)) if is_digits(digits) => match digits.parse::<u32>() {
            Ok(number) if number >= least => Ok(Located::new(number, reader.tokens.span(start))),
            Ok(_) => Err(unexpected(reader, &format!("{expected} of at least {least}"), start, end)),
            Err(_) => Err(unexpected(reader, &format!("{expected} of at most {}", u32::MAX), start, end)),
        },
        Some(Token::SingleQuotedString(text)) if text.parse::<u32>().is_ok() => {
            Err(unexpected(reader, expected, start, end).with_help(format!("write {text}, without quotes")))
        }
        _ => Err(unexpected(reader, expected, start, end)),
    }
}

/// That `expected` was to be all of the tokens `start..end`.
fn unexpected(reader: &Reader<'_, '_>, expected: &str, start: usize, end: usize) -> Diagnostic {
    if start >= end {
        return reader.expected(expected, start);
    }
    let message = format!("expected {expected}, found `{}`", reader.written(start, end));
    Diagnostic::new(message).at(reader.span(start, end))
}
