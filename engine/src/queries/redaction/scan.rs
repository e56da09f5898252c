//! The pieces of any text, statement or not: every byte of it belongs to one piece.

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// White space.
    Space(&'a str),
    /// `-- …` or `/* … */`
    Comment { open: &'a str, body: &'a str, close: &'a str },
    /// Letters and digits.
    Word(&'a str),
    /// One sign.
    Sign(&'a str),
    /// What stands between quotes, or from a quote to the end.
    Quoted { open: &'a str, body: &'a str, close: &'a str },
}

/// The pieces of a text, in their order.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, length) = first(rest)?;
        rest = rest.get(length..).unwrap_or_default();
        Some(piece)
    })
}

/// The first piece, and its bytes.
fn first(text: &str) -> Option<(Piece<'_>, usize)> {
    let begin = text.chars().next()?;
    let run = |is_in: fn(char) -> bool| text.find(|c| !is_in(c)).unwrap_or(text.len());
    let part = |start: usize, end: usize| text.get(start..end).unwrap_or_default();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    if begin.is_whitespace() {
        let length = run(char::is_whitespace);
        return Some((Piece::Space(part(0, length)), length));
    }
    if text.starts_with("--") {
        let length = text.find('\n').unwrap_or(text.len());
        return Some((Piece::Comment { open: "--", body: part(2, length), close: "" }, length));
    }
    if text.starts_with("/*") {
        let (end, length) = match part(2, text.len()).find("*/") {
            Some(place) => (place + 2, place + 4),
            None => (text.len(), text.len()),
        };
        return Some((Piece::Comment { open: "/*", body: part(2, end), close: part(end, length) }, length));
    }
    if let Some(tag) = dollar_tag(text) {
        let after = part(tag.len(), text.len());
        let (end, length) = match after.find(tag) {
            Some(place) => (tag.len() + place, tag.len() + place + tag.len()),
            None => (text.len(), text.len()),
        };
        return Some((Piece::Quoted { open: tag, body: part(tag.len(), end), close: part(end, length) }, length));
    }
    if matches!(begin, '\'' | '"' | '`') {
        let end = end_of_quoted(text, begin);
        let length = (end + 1).min(text.len());
        return Some((Piece::Quoted { open: part(0, 1), body: part(1, end), close: part(end, length) }, length));
    }
    if is_word(begin) {
        let length = run(is_word);
        return Some((Piece::Word(part(0, length)), length));
    }
    let length = begin.len_utf8();
    Some((Piece::Sign(part(0, length)), length))
}

/// `$$` or `$tag$`
fn dollar_tag(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('$')?;
    let end = inner.find(|c: char| !(c.is_alphanumeric() || c == '_'))?;
    let is_number = inner.starts_with(|c: char| c.is_ascii_digit());
    if is_number || !inner.get(end..)?.starts_with('$') { None } else { text.get(..end + 2) }
}

/// The place of the closing quote: two of them stand for one inside.
fn end_of_quoted(text: &str, quote: char) -> usize {
    let mut places = text.char_indices().skip(1).peekable();
    while let Some((place, found)) = places.next() {
        if found != quote {
            continue;
        }
        match places.peek() {
            Some((_, next)) if *next == quote => drop(places.next()),
            _ => return place,
        }
    }
    text.len()
}
