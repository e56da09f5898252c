//! Array syntax to text. `None` where it has no text of its own, so that the calls are printed.

use std::fmt::Display;

use sqlparser::ast::{Expr, Ident, ObjectName, ObjectNamePart, PipeOperator, VisitMut};

use super::shown;
use crate::syntax::{
    Along, ArrayStep, CellIndex, CellReference, ClauseValue, IntoMode, Item, LaterStep, Selector, Subset, SubsetSource,
    WindowAlong, later_step,
};

/// A string in quotes.
pub(super) fn string(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The name of an option, in quotes unless it is made of words.
pub(super) fn key(name: &str) -> String {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    if name.split('.').all(is_word) { name.to_string() } else { string(name) }
}

/// `source WITH (…)[…]`
pub(super) fn subset(subset: &Subset) -> Option<String> {
    if subset.selectors.is_empty() && subset.options.is_empty() {
        return None;
    }
    let mut text = match &subset.source {
        SubsetSource::Name(name) => object_name(name),
        SubsetSource::Query(query) => format!("({})", shown(query)),
        SubsetSource::Call(function) => shown(function),
    };
    if !subset.options.is_empty() {
        text += &format!(" {}", options(&subset.options));
    }
    if !subset.selectors.is_empty() {
        text += &format!("[{}]", selectors(&subset.selectors));
    }
    Some(text)
}

/// `z[y-1:y+1, x]`
pub(super) fn cells(cells: &CellReference) -> Option<String> {
    let indexes = cells.indexes.iter().map(cell_index).collect::<Option<Vec<_>>>()?;
    Some(format!("{}[{}]", cells.base, indexes.join(", ")))
}

/// What stands in the parentheses of `OVER (ALONG …)`.
pub(super) fn window(along: &WindowAlong) -> String {
    let mut text = format!("ALONG {}", list(&along.dimensions));
    if !along.order_by.is_empty() {
        text += &format!(" ORDER BY {}", list(&along.order_by));
    }
    if let Some(frame) = &along.frame {
        text += &match &frame.end_bound {
            Some(end) => format!(" {} BETWEEN {} AND {end}", frame.units, frame.start_bound),
            None => format!(" {} {}", frame.units, frame.start_bound),
        };
    }
    text
}

/// A step, without its `|>`.
pub(super) fn step(step: &ArrayStep) -> Option<String> {
    Some(match step {
        ArrayStep::Sel(named) if named.is_empty() => return None,
        ArrayStep::Sel(named) => format!("SEL {}", selectors(named)),
        ArrayStep::Reduce { items: reduced, along } => {
            let along = match along {
                Along::Along(names) => format!(" ALONG {}", list(names)),
                Along::Keep(names) => format!(" KEEP {}", list(names)),
                Along::All => String::new(),
            };
            format!("REDUCE {}{along}", items(reduced))
        }
        ArrayStep::Coarsen { items: coarsened, by, using } => {
            let using = using.as_ref().map(|using| format!(" USING {using}")).unwrap_or_default();
            format!("COARSEN {} BY {}{using}", items(coarsened), sizes(by))
        }
        ArrayStep::Resample { items: resampled, dimension, to } => {
            format!("RESAMPLE {} TO {dimension} {}", items(resampled), shown(to))
        }
        ArrayStep::Mask(condition) => format!("MASK {}", shown(condition)),
        ArrayStep::Into { target, chunks, options: with, mode } => {
            let mut text = format!("INTO {}", object_name(target));
            if !chunks.is_empty() {
                text += &format!(" CHUNKS ({})", sizes(chunks));
            }
            if !with.is_empty() {
                text += &format!(" {}", options(with));
            }
            match mode {
                IntoMode::New => text,
                IntoMode::Append(dimension) => format!("{text} APPEND ALONG {dimension}"),
                IntoMode::Region => format!("{text} REGION"),
            }
        }
        ArrayStep::Plot { items: plotted, to, options: with } => {
            let mut text = "PLOT".to_string();
            if !plotted.is_empty() {
                text += &format!(" {}", items(plotted));
            }
            if let Some(path) = to {
                text += &format!(" TO {}", string(path));
            }
            if !with.is_empty() {
                text += &format!(" {}", options(with));
            }
            text
        }
        ArrayStep::Later { verb, call } => return later(verb, call),
    })
}

fn later(verb: &str, call: &PipeOperator) -> Option<String> {
    let LaterStep { items: step_items, sources, selectors: named, sizes: chunks, clauses } = later_step(call)?;
    let sources = sources.iter().map(source_item).collect::<Option<Vec<_>>>()?;
    let head = [items(&step_items), sources.join(", "), selectors(&named), sizes(&chunks)];
    let mut text = verb.to_string();
    for part in head.iter().filter(|part| !part.is_empty()) {
        text += &format!(" {part}");
    }
    for (keyword, value) in clauses {
        let value = match value {
            ClauseValue::Names(names) => list(&names),
            ClauseValue::Value(value) => shown(&value),
        };
        text += &format!(" {keyword} {value}");
    }
    Some(text)
}

fn source_item((source, alias): &(Subset, Option<Ident>)) -> Option<String> {
    let text = match (&source.source, source.selectors.is_empty() && source.options.is_empty()) {
        (SubsetSource::Name(name), true) => object_name(name),
        (SubsetSource::Query(query), true) => format!("({})", shown(query)),
        (SubsetSource::Call(function), true) => shown(function),
        (_, false) => subset(source)?,
    };
    Some(aliased(&text, alias.as_ref()))
}

fn selectors(selectors: &[(Ident, Selector)]) -> String {
    let written: Vec<String> = selectors
        .iter()
        .map(|(dimension, selector)| match selector {
            Selector::Label(label) => format!("{dimension} = {}", shown(label)),
            Selector::LabelRange { low, high, step } => {
                format!("{dimension} = {}", range(low.as_ref(), high.as_ref(), step.as_ref()))
            }
            Selector::Labels(labels) => match labels.as_slice() {
                [Expr::Subquery(query)] => format!("{dimension} IN ({})", shown(query)),
                labels => format!("{dimension} IN ({})", list(labels)),
            },
            Selector::Position(position) => format!("{dimension}[{}]", shown(position)),
            Selector::PositionRange { start, stop, step } => {
                format!("{dimension}[{}]", range(start.as_ref(), stop.as_ref(), step.as_ref()))
            }
        })
        .collect();
    written.join(", ")
}

/// `low:high:step`
fn range(low: Option<&Expr>, high: Option<&Expr>, step: Option<&Expr>) -> String {
    let bound = |bound: Option<&Expr>| bound.map(shown).unwrap_or_default();
    let (high, step) = (bound(high), bound(step));
    let mut text = format!("{}:{high}", bound(low));
    if !step.is_empty() {
        // `::name` would be a cast.
        let is_apart = high.is_empty() && !step.starts_with(|c: char| c.is_ascii_digit());
        text += if is_apart { " :" } else { ":" };
        text += &step;
    }
    text
}

fn cell_index(index: &CellIndex) -> Option<String> {
    match index {
        CellIndex::Range(low, high) => Some(range(low.as_ref(), high.as_ref(), None)),
        CellIndex::Point(point) => match crate::syntax::label_range(point) {
            Some((dimension, selector)) => Some(selectors(&[(dimension, selector)])),
            None => Some(shown(point)),
        },
    }
}

fn items(items: &[Item]) -> String {
    let written: Vec<String> =
        items.iter().map(|item| aliased(&shown(&item.expression), item.alias.as_ref())).collect();
    written.join(", ")
}

fn aliased(text: &str, alias: Option<&Ident>) -> String {
    match alias {
        Some(alias) => format!("{text} AS {alias}"),
        None => text.to_string(),
    }
}

/// `dim n, …`
fn sizes(sizes: &[(Ident, Expr)]) -> String {
    let written: Vec<String> = sizes.iter().map(|(dimension, size)| format!("{dimension} {}", shown(size))).collect();
    written.join(", ")
}

/// `WITH (k = v, …)`
fn options(options: &[(String, Expr)]) -> String {
    let written: Vec<String> =
        options.iter().map(|(name, value)| format!("{} = {}", option_key(name), shown(value))).collect();
    format!("WITH ({})", written.join(", "))
}

/// Only one word may stand unquoted before the `=` of an option.
fn option_key(name: &str) -> String {
    if name.contains('.') { string(name) } else { key(name) }
}

fn object_name(name: &ObjectName) -> String {
    let part = |part: &ObjectNamePart| match part {
        ObjectNamePart::Identifier(Ident { value, quote_style: Some('\''), .. }) => string(value),
        other => other.to_string(),
    };
    let parts: Vec<String> = name.0.iter().map(part).collect();
    parts.join(".")
}

fn list<T: Clone + VisitMut + Display>(values: &[T]) -> String {
    let written: Vec<String> = values.iter().map(shown).collect();
    written.join(", ")
}
