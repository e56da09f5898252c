//! Small pieces of SQL, built by hand.

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, OrderBy, OrderByExpr, OrderByKind, OrderByOptions,
    Query, Select, SelectItem, SetExpr, SetOperator, SetQuantifier, Statement, TableAlias, TableFactor, TableWithJoins,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::error::Error;

/// A column by its exact name.
pub fn column(name: &str) -> Expr {
    Expr::Identifier(quoted(name))
}

/// An identifier that keeps its case.
pub fn quoted(name: &str) -> Ident {
    Ident::with_quote('"', name)
}

/// A column of one of several joined tables.
pub fn column_of(table: &str, name: &str) -> Expr {
    Expr::CompoundIdentifier(vec![quoted(table), quoted(name)])
}

/// An expression of text that is not the user's.
pub fn expression(text: &str) -> Result<Expr, Error> {
    let parser = Parser::new(&GenericDialect {}).try_with_sql(text);
    let parsed = parser.and_then(|mut parser| parser.parse_expr());
    parsed.map_err(|error| Error::Internal(format!("{text}: {error}")))
}

/// The call of a function of one name.
pub fn call(name: &str, arguments: &[Expr]) -> Result<Expr, Error> {
    let mut function = match expression(&format!("{name}()"))? {
        Expr::Function(function) => function,
        other => return Err(Error::Internal(format!("{other} is no call"))),
    };
    if let datafusion::sql::sqlparser::ast::FunctionArguments::List(list) = &mut function.args {
        use datafusion::sql::sqlparser::ast::{FunctionArg, FunctionArgExpr};
        list.args =
            arguments.iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument.clone()))).collect();
    }
    Ok(Expr::Function(function))
}

/// `SELECT items FROM factor`
pub fn select(items: Vec<SelectItem>, factor: TableFactor) -> Result<Select, Error> {
    let mut select = empty_select()?;
    select.projection = items;
    select.from = vec![TableWithJoins { relation: factor, joins: Vec::new() }];
    Ok(select)
}

/// A query that is nothing but a `SELECT`.
pub fn query(select: Select) -> Result<Query, Error> {
    let mut query = empty_query()?;
    query.body = Box::new(SetExpr::Select(Box::new(select)));
    Ok(query)
}

/// `SELECT * FROM (query) AS alias`
pub fn select_all(inner: Query, alias: Option<&Ident>) -> Result<Select, Error> {
    select(vec![SelectItem::Wildcard(Default::default())], derived(inner, alias))
}

/// `(first) UNION ALL (second)`
pub fn union_all(first: Query, second: Query) -> Result<Query, Error> {
    let operand = |query: Query| Box::new(SetExpr::Query(Box::new(query)));
    let mut query = empty_query()?;
    query.body = Box::new(SetExpr::SetOperation {
        op: SetOperator::Union,
        set_quantifier: SetQuantifier::All,
        left: operand(first),
        right: operand(second),
    });
    Ok(query)
}

/// `LEFT JOIN factor ON condition`
pub fn left_join(relation: TableFactor, condition: Expr) -> Join {
    Join { relation, global: false, join_operator: JoinOperator::LeftOuter(JoinConstraint::On(condition)) }
}

/// `(query) AS alias`
pub fn derived(query: Query, alias: Option<&Ident>) -> TableFactor {
    TableFactor::Derived { lateral: false, subquery: Box::new(query), alias: alias.map(table_alias), sample: None }
}

/// `"name" AS alias`
pub fn table(name: &str, alias: &Ident) -> TableFactor {
    TableFactor::Table {
        name: ObjectName::from(vec![quoted(name)]),
        alias: Some(table_alias(alias)),
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    }
}

/// `expression AS name`
pub fn named(expr: Expr, name: &str) -> SelectItem {
    SelectItem::ExprWithAlias { expr, alias: quoted(name) }
}

/// `ORDER BY` of columns, each with whether it descends.
pub fn order_by(columns: &[(String, bool)]) -> OrderBy {
    let expressions = columns.iter().map(|(name, descending)| OrderByExpr {
        expr: column(name),
        options: OrderByOptions { asc: Some(!descending), nulls_first: Some(*descending) },
        with_fill: None,
    });
    OrderBy { kind: OrderByKind::Expressions(expressions.collect()), interpolate: None }
}

fn table_alias(name: &Ident) -> TableAlias {
    TableAlias { explicit: true, name: name.clone(), columns: Vec::new(), at: None }
}

fn empty_query() -> Result<Query, Error> {
    let parsed = Parser::parse_sql(&GenericDialect {}, "SELECT 1");
    match parsed.as_deref() {
        Ok([Statement::Query(query)]) => Ok(query.as_ref().clone()),
        other => Err(Error::Internal(format!("SELECT 1 parsed to {other:?}"))),
    }
}

fn empty_select() -> Result<Select, Error> {
    match *empty_query()?.body {
        SetExpr::Select(select) => Ok(*select),
        other => Err(Error::Internal(format!("SELECT 1 parsed to {other}"))),
    }
}
