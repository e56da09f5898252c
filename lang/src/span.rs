//! Where something stands in the text of a query.

use sqlparser::tokenizer::{Location, Span as TokenSpan};

/// A half-open range of bytes in the text of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The bytes from `start` up to, not including, `end`.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// The bytes of `text` that a span of sqlparser's (lines and columns, in characters, counted from 1, the end
    /// excluded) covers; `None` for its empty span and for positions outside the text.
    pub fn of_tokens(text: &str, span: TokenSpan) -> Option<Self> {
        let start = byte_at(text, span.start)?;
        let end = byte_at(text, span.end)?;
        (start < end).then_some(Self { start, end })
    }

    /// The smallest span that holds both.
    pub fn union(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// Something that a statement says, and where it stands in the text. Two are equal if they say the same, wherever they
/// stand.
#[derive(Debug, Clone, Copy)]
pub struct Located<T> {
    /// What is said.
    pub value: T,
    /// Its bytes in the text.
    pub span: Span,
}

impl<T> Located<T> {
    /// `value`, which stands at `span`.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

impl<T: PartialEq> PartialEq for Located<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

fn byte_at(text: &str, location: Location) -> Option<usize> {
    let line_number = usize::try_from(location.line).ok()?.checked_sub(1)?;
    let column = usize::try_from(location.column).ok()?.checked_sub(1)?;
    let line_start = match line_number {
        0 => 0,
        n => text.match_indices('\n').nth(n - 1)?.0 + 1,
    };
    let rest = text.get(line_start..)?;
    let offset = rest.char_indices().nth(column).map_or(rest.len(), |(offset, _)| offset);
    Some(line_start + offset)
}
