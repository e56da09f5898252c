//! Calls taken apart: what the views of the array syntax have in common.

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgOperator, FunctionArguments, Ident, ObjectName,
    ObjectNamePart, Value,
};

/// The arguments of a call that is no more than a name and arguments.
pub(super) struct Call {
    /// In lower case.
    pub name: String,
    pub positional: Vec<Expr>,
    pub named: Vec<(Ident, Expr)>,
}

impl Call {
    /// The call that a function is, if it has an unqualified name and nothing but plain arguments.
    pub fn of(function: &Function) -> Option<Self> {
        let Function { name, uses_odbc_syntax, parameters, args, filter, null_treatment, over, within_group } =
            function;
        let is_plain = !uses_odbc_syntax
            && *parameters == FunctionArguments::None
            && filter.is_none()
            && null_treatment.is_none()
            && over.is_none()
            && within_group.is_empty();
        let name = call_name(name)?;
        match args {
            _ if !is_plain => None,
            FunctionArguments::None => None,
            FunctionArguments::Subquery(query) => {
                Some(Self { name, positional: vec![Expr::Subquery(query.clone())], named: Vec::new() })
            }
            FunctionArguments::List(list) => {
                if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
                    return None;
                }
                Self::of_arguments(name, &list.args)
            }
        }
    }

    /// The call of this name and arguments.
    pub fn of_arguments(name: String, arguments: &[FunctionArg]) -> Option<Self> {
        let mut call = Self { name, positional: Vec::new(), named: Vec::new() };
        for argument in arguments {
            match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) if call.named.is_empty() => {
                    call.positional.push(value.clone());
                }
                FunctionArg::Named {
                    name,
                    arg: FunctionArgExpr::Expr(value),
                    operator: FunctionArgOperator::RightArrow,
                } => call.named.push((name.clone(), value.clone())),
                _ => return None,
            }
        }
        Some(call)
    }

    /// Takes the argument of this name out.
    pub fn take(&mut self, name: &str) -> Option<Expr> {
        let is_named = |ident: &Ident| ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case(name);
        let index = self.named.iter().position(|(ident, _)| is_named(ident))?;
        Some(self.named.remove(index).1)
    }

    /// Whether nothing is left that has not been taken.
    pub fn has_no_named(&self) -> bool {
        self.named.is_empty()
    }
}

/// An unqualified, unquoted name, in lower case.
pub(super) fn call_name(name: &ObjectName) -> Option<String> {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(ident)] if ident.quote_style.is_none() => Some(ident.value.to_lowercase()),
        _ => None,
    }
}

/// The arguments of `name(…)`, if the expression is that call and none of them is named.
pub(super) fn arguments_of(expression: &Expr, name: &str) -> Option<Vec<Expr>> {
    let Expr::Function(function) = expression else { return None };
    let call = Call::of(function)?;
    (call.name == name && call.named.is_empty()).then_some(call.positional)
}

/// `None` for the NULL that stands for what is left out.
pub(super) fn unless_null(expression: Expr) -> Option<Expr> {
    match &expression {
        Expr::Value(value) if value.value == Value::Null => None,
        _ => Some(expression),
    }
}

/// The name that an expression is.
pub(super) fn ident_of(expression: Expr) -> Option<Ident> {
    match expression {
        Expr::Identifier(ident) => Some(ident),
        _ => None,
    }
}

/// The string that an expression is.
pub(super) fn string_of(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// The name, or the quoted path as a name in single quotes, that an expression is.
pub(super) fn object_name_of(expression: &Expr) -> Option<ObjectName> {
    let parts = match expression {
        Expr::Identifier(ident) => vec![ident.clone()],
        Expr::CompoundIdentifier(idents) => idents.clone(),
        Expr::Value(value) => vec![Ident { span: value.span, ..Ident::with_quote('\'', string_of(expression)?) }],
        _ => return None,
    };
    Some(ObjectName(parts.into_iter().map(ObjectNamePart::Identifier).collect()))
}

/// `list(a, b)`: names.
pub(super) fn names_of(expression: &Expr) -> Option<Vec<Ident>> {
    arguments_of(expression, "list")?.into_iter().map(ident_of).collect()
}

/// `list(size(a, 1), size(b, 2))`: names and sizes.
pub(super) fn sizes_of(expression: &Expr) -> Option<Vec<(Ident, Expr)>> {
    arguments_of(expression, "list")?.iter().map(size_of).collect()
}

/// `size(a, 1)`
pub(super) fn size_of(expression: &Expr) -> Option<(Ident, Expr)> {
    let [name, size]: [Expr; 2] = arguments_of(expression, "size")?.try_into().ok()?;
    Some((ident_of(name)?, size))
}

/// `list(option('a', 1), option('b', 2))`: names and values.
pub(super) fn options_of(expression: &Expr) -> Option<Vec<(String, Expr)>> {
    let option_of = |expression: &Expr| {
        let [name, value]: [Expr; 2] = arguments_of(expression, "option")?.try_into().ok()?;
        Some((string_of(&name)?, value))
    };
    arguments_of(expression, "list")?.iter().map(option_of).collect()
}
