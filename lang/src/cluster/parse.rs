//! Tokens to statements about clusters.

use sqlparser::ast::Ident;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::Token;

use super::forms::RESERVED;
use super::options::{options, size, whole_number};
use super::{ClusterListing, ClusterOptions, ClusterStatement};
use crate::diagnostic::Diagnostic;
use crate::reader::Reader;
use crate::span::Located;
use crate::suggest::{closest, did_you_mean};

const NAME: &str = "the name of a cluster";
const EXECUTORS: &str = "a number of executors";

/// Reads a statement about clusters, if it is one.
pub(crate) fn parse(reader: &Reader<'_, '_>) -> Option<Result<ClusterStatement, Vec<Diagnostic>>> {
    let tokens = &reader.tokens;
    let is_second = |word: &str| tokens.is_word(1, &[word]);
    // `USE local.schema` names a schema, `SHOW jobs.limit` a variable.
    let is_qualified = tokens.is(2, &Token::Period);
    let statement = match tokens.word(0)?.as_str() {
        "CREATE" if is_second("CLUSTER") => return Some(create(reader)),
        "ALTER" if is_second("CLUSTER") => alter(reader),
        "DROP" if is_second("CLUSTER") => drop_cluster(reader),
        "USE" if is_second("CLUSTER") && !is_qualified => use_cluster(reader),
        "USE" if is_second("LOCAL") && !is_qualified => reader.end(2).map(|()| ClusterStatement::UseLocal),
        "SHOW" if !is_qualified => show(reader)?,
        "CANCEL" => cancel(reader),
        _ => return None,
    };
    Some(statement.map_err(|diagnostic| vec![diagnostic]))
}

/// `CREATE CLUSTER [IF NOT EXISTS] name [WITH (…)]`
fn create(reader: &Reader<'_, '_>) -> Result<ClusterStatement, Vec<Diagnostic>> {
    let (name, if_not_exists, with) = created(reader).map_err(|diagnostic| vec![diagnostic])?;
    let options = match with {
        Some((open, close)) => options(reader, open + 1, close)?,
        None => ClusterOptions::default(),
    };
    Ok(ClusterStatement::Create { name, if_not_exists, options })
}

/// What is created, whether only if it is not there, and the parentheses of the options.
type Created = (Located<Ident>, bool, Option<(usize, usize)>);

fn created(reader: &Reader<'_, '_>) -> Result<Created, Diagnostic> {
    let if_not_exists = reader.tokens.is_word(2, &["IF"]);
    if if_not_exists {
        reader.keyword(3, "NOT")?;
        reader.keyword(4, "EXISTS")?;
    }
    let place = if if_not_exists { 5 } else { 2 };
    let name = name(reader, place)?;
    let after = place + 1;
    if reader.tokens.is_word(after, &["WITH"]) {
        let close = reader.group(after + 1)?;
        reader.end(close + 1)?;
        return Ok((name, if_not_exists, Some((after + 1, close))));
    }
    match reader.tokens.token(after) {
        None => Ok((name, if_not_exists, None)),
        Some(_) => Err(reader.expected("WITH or the end of the statement", after)),
    }
}

/// `ALTER CLUSTER name SCALE TO n`, `ALTER CLUSTER name ADAPT BETWEEN a AND b`
fn alter(reader: &Reader<'_, '_>) -> Result<ClusterStatement, Diagnostic> {
    let name = name(reader, 2)?;
    match reader.tokens.word(3).as_deref() {
        Some("SCALE") => {
            reader.keyword(4, "TO")?;
            let (executors, after) = executors(reader, 5, 0)?;
            reader.end(after)?;
            Ok(ClusterStatement::Scale { name, executors })
        }
        Some("ADAPT") => {
            reader.keyword(4, "BETWEEN")?;
            let (min, after) = executors(reader, 5, 0)?;
            reader.keyword(after, "AND")?;
            let (max, after) = executors(reader, after + 1, 1)?;
            reader.end(after)?;
            if min.value > max.value {
                let message = format!("expected at least {} after AND, found {}", min.value, max.value);
                let help = format!("write BETWEEN {} AND {}", max.value, min.value);
                return Err(Diagnostic::new(message).at(max.span).with_help(help));
            }
            Ok(ClusterStatement::Adapt { name, min, max })
        }
        found => Err(suggesting(reader.expected("SCALE TO or ADAPT BETWEEN", 3), found, &["SCALE", "ADAPT"])),
    }
}

/// `DROP CLUSTER [IF EXISTS] name`
fn drop_cluster(reader: &Reader<'_, '_>) -> Result<ClusterStatement, Diagnostic> {
    let if_exists = reader.tokens.is_word(2, &["IF"]);
    if if_exists {
        reader.keyword(3, "EXISTS")?;
    }
    let place = if if_exists { 4 } else { 2 };
    let name = name(reader, place)?;
    reader.end(place + 1)?;
    Ok(ClusterStatement::Drop { name, if_exists })
}

/// `USE CLUSTER name [ABOVE 'size']`
fn use_cluster(reader: &Reader<'_, '_>) -> Result<ClusterStatement, Diagnostic> {
    let name = name(reader, 2)?;
    let above = match reader.tokens.token(3) {
        None => None,
        Some(_) if reader.tokens.is_word(3, &["ABOVE"]) => Some(size(reader, "ABOVE", 4, reader.tokens.len())?),
        Some(_) => {
            let found = reader.tokens.word(3);
            let expected = reader.expected("ABOVE or the end of the statement", 3);
            return Err(suggesting(expected, found.as_deref(), &["ABOVE"]));
        }
    };
    Ok(ClusterStatement::Use { name, above })
}

/// `SHOW CLUSTERS`, `SHOW EXECUTORS [FROM name]` and the other listings. `None` for what is SQL.
fn show(reader: &Reader<'_, '_>) -> Option<Result<ClusterStatement, Diagnostic>> {
    let word = reader.tokens.word(1)?;
    if word == "CLUSTERS" {
        return Some(reader.end(2).map(|()| ClusterStatement::ShowClusters));
    }
    match ClusterListing::ALL.into_iter().find(|listing| listing.keyword() == word) {
        Some(listing) => Some(show_listing(reader, listing)),
        None => misspelt_listing(reader, &word).map(Err),
    }
}

fn show_listing(reader: &Reader<'_, '_>, listing: ClusterListing) -> Result<ClusterStatement, Diagnostic> {
    let from = match reader.tokens.token(2) {
        None => None,
        Some(_) if reader.tokens.is_word(2, &["FROM"]) => {
            let name = name(reader, 3)?;
            reader.end(4)?;
            Some(name)
        }
        Some(_) => return Err(reader.expected("FROM or the end of the statement", 2)),
    };
    Ok(ClusterStatement::Show { listing, from })
}

/// sqlparser takes any word after SHOW for a variable: one that looks like a listing, and is no word of SQL, is meant
/// to be one.
fn misspelt_listing(reader: &Reader<'_, '_>, word: &str) -> Option<Diagnostic> {
    let is_plain = match reader.tokens.token(1) {
        Some(Token::Word(word)) => matches!(word.keyword, Keyword::NoKeyword | Keyword::CLUSTER),
        _ => false,
    };
    let names = ClusterListing::ALL.into_iter().map(ClusterListing::keyword).chain(["CLUSTERS", "QUERIES"]);
    let near = closest(word, names).filter(|_| is_plain)?;
    let expected = reader.expected("CLUSTERS, EXECUTORS, JOBS, SCALING or QUERIES after SHOW", 1);
    Some(expected.with_help(did_you_mean(near)))
}

/// `CANCEL JOB 'id'`
fn cancel(reader: &Reader<'_, '_>) -> Result<ClusterStatement, Diagnostic> {
    if !reader.tokens.is_word(1, &["JOB"]) {
        let found = reader.tokens.word(1);
        let expected = reader.expected("JOB or QUERY after CANCEL", 1);
        return Err(suggesting(expected, found.as_deref(), &["JOB", "QUERY"]));
    }
    let id = reader.id("the id of a job in quotes", 2)?;
    reader.end(3)?;
    Ok(ClusterStatement::CancelJob { id })
}

/// The name of a cluster at `position`: no word that the grammar has there, unless in quotes.
fn name(reader: &Reader<'_, '_>, position: usize) -> Result<Located<Ident>, Diagnostic> {
    if reader.tokens.is_word(position, RESERVED) {
        return Err(reader.expected(NAME, position));
    }
    Ok(Located::new(reader.name(NAME, position)?, reader.tokens.span(position)))
}

/// A number of executors at `position`, and the position after it.
fn executors(reader: &Reader<'_, '_>, position: usize, least: u32) -> Result<(Located<u32>, usize), Diagnostic> {
    let is_signed = matches!(reader.tokens.token(position), Some(Token::Minus | Token::Plus));
    let end = (position + 1 + usize::from(is_signed)).min(reader.tokens.len());
    Ok((whole_number(reader, EXECUTORS, position, end, least)?, end))
}

fn suggesting(diagnostic: Diagnostic, found: Option<&str>, words: &[&str]) -> Diagnostic {
    match found.and_then(|found| closest(found, words.iter().copied())) {
        Some(near) => diagnostic.with_help(did_you_mean(near)),
        None => diagnostic,
    }
}
