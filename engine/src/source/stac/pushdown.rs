//! Predicates on items as parts of a search. What a search finds may be more than what a predicate takes, never less.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{Between, InList, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::interval::Interval;
use super::search::Search;

/// Whether a search can be narrowed by a predicate.
pub(super) fn is_pushed(filter: &Expr) -> bool {
    let mut bounds = Bounds::default();
    bounds.take(filter);
    bounds != Bounds::default()
}

/// The search for the items of another one of which the predicates can be true; `None` where there can be none.
pub(super) fn narrowed(search: &Search, filters: &[Expr]) -> Option<Search> {
    let mut bounds = Bounds::default();
    filters.iter().for_each(|filter| bounds.take(filter));
    let mut search = search.clone();
    for (own, found) in [(&mut search.collections, bounds.collections), (&mut search.ids, bounds.ids)] {
        let Some(found) = found else { continue };
        match own.is_empty() {
            true => *own = found,
            false => own.retain(|id| found.contains(id)),
        }
        if own.is_empty() {
            return None;
        }
    }
    if bounds.datetime != Interval::default() {
        search.datetime = Some(search.datetime.unwrap_or_default().intersection(bounds.datetime)?);
    }
    if search.bbox.is_none() {
        search.bbox = bounds.place.bbox();
    }
    Some(search)
}

/// What predicates say of an item.
#[derive(Debug, Default, PartialEq)]
struct Bounds {
    collections: Option<Vec<String>>,
    ids: Option<Vec<String>>,
    datetime: Interval,
    place: Place,
}

/// A rectangle as far as it is bounded.
#[derive(Debug, Default, PartialEq)]
struct Place {
    west: Option<f64>,
    south: Option<f64>,
    east: Option<f64>,
    north: Option<f64>,
}

impl Place {
    /// The rectangle; `None` where nothing bounds it, or where it is none.
    fn bbox(&self) -> Option<[f64; 4]> {
        let Self { west, south, east, north } = self;
        if [west, south, east, north].iter().all(|bound| bound.is_none()) {
            return None;
        }
        let within = |bound: &Option<f64>, low: f64, high: f64, other: f64| bound.unwrap_or(other).clamp(low, high);
        let bbox = [
            within(west, -180.0, 180.0, -180.0),
            within(south, -90.0, 90.0, -90.0),
            within(east, -180.0, 180.0, 180.0),
            within(north, -90.0, 90.0, 90.0),
        ];
        (bbox[0] <= bbox[2] && bbox[1] <= bbox[3]).then_some(bbox)
    }
}

impl Bounds {
    /// Takes in what a predicate says that all of an item's predicates are true of.
    fn take(&mut self, filter: &Expr) {
        match filter {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
                self.take(left);
                self.take(right);
            }
            Expr::BinaryExpr(BinaryExpr { op: Operator::Or, .. }) => {
                // The planner makes this of a short list.
                if let Some((column, texts)) = alternatives(filter) {
                    self.among(column, texts);
                }
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (literal(left), literal(right)) {
                (None, Some(value)) => self.compare(left, *op, value),
                (Some(value), None) => {
                    if let Some(op) = op.swap() {
                        self.compare(right, op, value);
                    }
                }
                _ => {}
            },
            Expr::Between(Between { expr, negated: false, low, high }) => {
                if let (Some(low), Some(high)) = (literal(low), literal(high)) {
                    self.compare(expr, Operator::GtEq, low);
                    self.compare(expr, Operator::LtEq, high);
                }
            }
            Expr::InList(InList { expr, list, negated: false }) => {
                let texts: Option<Vec<String>> = list.iter().map(|value| literal(value).and_then(text)).collect();
                if let (Some(column), Some(texts)) = (column(expr), texts) {
                    self.among(column, texts);
                }
            }
            _ => {}
        }
    }

    fn compare(&mut self, left: &Expr, op: Operator, value: &ScalarValue) {
        if let Some(edge) = edge(left) {
            return self.bound_place(edge, op, value);
        }
        match column(left) {
            Some(name @ ("id" | "collection")) if op == Operator::Eq => {
                if let Some(text) = text(value) {
                    self.among(name, vec![text]);
                }
            }
            Some(name @ ("datetime" | "start_datetime" | "end_datetime")) => self.bound_time(name, op, value),
            _ => {}
        }
    }

    fn among(&mut self, column: &str, texts: Vec<String>) {
        let own = match column {
            "id" => &mut self.ids,
            "collection" => &mut self.collections,
            _ => return,
        };
        match own {
            Some(own) => own.retain(|text| texts.contains(text)),
            None => *own = Some(texts),
        }
    }

    /// An item is found when its time, from start to end, touches the interval. An end that is late or a start that is
    /// early says so; of an item with a start and an end, `datetime` may be any moment between them.
    fn bound_time(&mut self, name: &str, op: Operator, value: &ScalarValue) {
        let Some(micros) = micros(value) else { return };
        let low = matches!(op, Operator::Gt | Operator::GtEq | Operator::Eq) && name != "start_datetime";
        let high = matches!(op, Operator::Lt | Operator::LtEq | Operator::Eq) && name != "end_datetime";
        let bound = Interval { low: low.then_some(micros), high: high.then_some(micros) };
        // Where they have nothing in common no item is left, but that is told by the predicates themselves.
        if let Some(common) = self.datetime.intersection(bound) {
            self.datetime = common;
        }
    }

    /// `bbox[3] >= x`: an item whose east edge is not west of x touches what is east of x. That its west edge is not says
    /// the same only where it does not go round the back of the world.
    fn bound_place(&mut self, edge: i64, op: Operator, value: &ScalarValue) {
        let Some(value) = number(value).filter(|value| value.is_finite()) else { return };
        let low = matches!(op, Operator::Gt | Operator::GtEq | Operator::Eq);
        let high = matches!(op, Operator::Lt | Operator::LtEq | Operator::Eq);
        let raise = |bound: &mut Option<f64>| *bound = Some(bound.map_or(value, |own| own.max(value)));
        let lower = |bound: &mut Option<f64>| *bound = Some(bound.map_or(value, |own| own.min(value)));
        match edge {
            1 if high => lower(&mut self.place.east),
            3 if low => raise(&mut self.place.west),
            2 | 4 => {
                if low {
                    raise(&mut self.place.south);
                }
                if high {
                    lower(&mut self.place.north);
                }
            }
            _ => {}
        }
    }
}

/// `column = 'a' OR column = 'b'`: the column, and what it may be.
fn alternatives(expression: &Expr) -> Option<(&str, Vec<String>)> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expression else { return None };
    match op {
        Operator::Or => {
            let ((column, mut texts), (other, more)) = (alternatives(left)?, alternatives(right)?);
            texts.extend(more);
            (column == other).then_some((column, texts))
        }
        Operator::Eq => Some((column(left)?, vec![literal(right).and_then(text)?])),
        _ => None,
    }
}

/// The name of a column, casts put aside.
fn column(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Column(column) => Some(column.name.as_str()),
        Expr::Cast(cast) => column(&cast.expr),
        Expr::TryCast(cast) => column(&cast.expr),
        Expr::Alias(alias) => column(&alias.expr),
        _ => None,
    }
}

/// Which edge of the rectangle an expression is: `bbox[1]` to `bbox[4]`.
fn edge(expression: &Expr) -> Option<i64> {
    match expression {
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "array_element" => {
            let [list, place] = args.as_slice() else { return None };
            match (column(list), literal(place)) {
                (Some("bbox"), Some(ScalarValue::Int64(place))) => *place,
                _ => None,
            }
        }
        Expr::Cast(cast) => edge(&cast.expr),
        _ => None,
    }
}

fn literal(expression: &Expr) -> Option<&ScalarValue> {
    match expression {
        Expr::Literal(value, _) => Some(value),
        _ => None,
    }
}

fn text(value: &ScalarValue) -> Option<String> {
    value.try_as_str().flatten().map(str::to_string)
}

fn number(value: &ScalarValue) -> Option<f64> {
    match value {
        ScalarValue::Float64(value) => *value,
        ScalarValue::Float32(value) => value.map(f64::from),
        ScalarValue::Int64(value) => value.map(|value| value as f64),
        _ => None,
    }
}

fn micros(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::TimestampSecond(Some(value), None) => value.checked_mul(1_000_000),
        ScalarValue::TimestampMillisecond(Some(value), None) => value.checked_mul(1_000),
        ScalarValue::TimestampMicrosecond(Some(value), None) => Some(*value),
        ScalarValue::TimestampNanosecond(Some(value), None) => Some(value.div_euclid(1_000)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{col, lit};

    use super::*;

    fn at(micros: i64) -> Expr {
        lit(ScalarValue::TimestampMicrosecond(Some(micros), None))
    }

    #[test]
    fn predicates_narrow_a_search() {
        let filters = [
            col("collection").eq(lit("naip")),
            col("id").in_list(vec![lit("a"), lit("b")], false).and(col("datetime").gt(at(0))),
            lit("2").eq(col("properties")),
            at(10_000_000).gt_eq(col("datetime")),
        ];
        let search = narrowed(&Search::default(), &filters).unwrap_or_default();
        assert_eq!(
            (search.collections, search.ids),
            (vec!["naip".to_string()], vec!["a".to_string(), "b".to_string()])
        );
        assert_eq!(search.datetime, Some(Interval { low: Some(0), high: Some(10_000_000) }));
        let pushed: Vec<bool> = filters.iter().map(is_pushed).collect();
        assert_eq!(pushed, [true, true, false, true]);
        assert!(!is_pushed(&col("id").in_list(vec![lit("a")], true)) && !is_pushed(&col("id").not_eq(lit("a"))));
    }

    #[test]
    fn what_cannot_be_is_not_searched_for() {
        let of = |name: &str| Search { collections: vec![name.to_string()], ..Search::default() };
        assert_eq!(narrowed(&of("a"), &[col("collection").eq(lit("b"))]), None);
        assert_eq!(narrowed(&of("a"), &[col("collection").eq(lit("a"))]), Some(of("a")));
    }

    #[test]
    fn times_of_items_that_last_are_kept_wide() {
        let interval = |filter: Expr| narrowed(&Search::default(), &[filter]).and_then(|search| search.datetime);
        assert_eq!(interval(col("end_datetime").gt_eq(at(5))), Some(Interval { low: Some(5), high: None }));
        assert_eq!(interval(col("end_datetime").lt_eq(at(5))), None);
        assert_eq!(interval(col("start_datetime").gt_eq(at(5))), None);
        assert_eq!(interval(col("datetime").eq(at(5))), Some(Interval { low: Some(5), high: Some(5) }));
    }
}
