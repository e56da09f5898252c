//! Catalogs in FROM, and assets of them, read back: `stac('https://…', collection => 'x', asset => 'y')`.

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, ObjectNamePart, TableFactor,
    TableFunctionArgs, Value,
};

use super::calls::{Call, call_name, options_of};

/// A call in FROM, and the options that are given with it.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceCall {
    /// The function, in lower case.
    pub name: String,
    /// Arguments without a name.
    pub positional: Vec<Expr>,
    /// Arguments by name, as written.
    pub named: Vec<(Ident, Expr)>,
    /// `WITH (k = v, …)`: names in lower case.
    pub options: Vec<(String, Expr)>,
    /// Whether it has brackets.
    pub has_brackets: bool,
}

/// The call that a table factor is, or that its brackets and options are on.
pub fn source_call(factor: &TableFactor) -> Option<SourceCall> {
    let TableFactor::Table { name, args: Some(arguments), .. } = factor else { return None };
    let mut call = Call::of_arguments(call_name(name)?, &arguments.args)?;
    if call.name != "sel" {
        return Some(SourceCall {
            name: call.name,
            positional: call.positional,
            named: call.named,
            options: Vec::new(),
            has_brackets: false,
        });
    }
    let options = match call.take("with") {
        Some(options) => options_of(&options)?,
        None => Vec::new(),
    };
    let has_brackets = !call.has_no_named();
    let Ok([Expr::Function(function)]) = <[Expr; 1]>::try_from(call.positional) else { return None };
    let Call { name, positional, named } = Call::of(&function)?;
    Some(SourceCall { name, positional, named, options, has_brackets })
}

/// The call that an argument is, as in `stack(stac('…'))`.
pub fn nested_call(expression: &Expr) -> Option<SourceCall> {
    let Expr::Function(function) = expression else { return None };
    let Call { name, positional, named } = Call::of(function)?;
    Some(SourceCall { name, positional, named, options: Vec::new(), has_brackets: false })
}

/// Puts a quoted path in the place of the call that a table factor is or has its brackets on; the options go with the
/// call.
pub fn replace_source_call(factor: &mut TableFactor, path: &str) {
    let TableFactor::Table { name, args, .. } = factor else { return };
    if call_name(name).as_deref() != Some("sel") {
        *name = ObjectName(vec![ObjectNamePart::Identifier(Ident::with_quote('\'', path))]);
        *args = None;
        return;
    }
    let Some(arguments) = args else { return };
    let is_with = |argument: &FunctionArg| matches!(argument, FunctionArg::Named { name, .. } if name.value.eq_ignore_ascii_case("with"));
    arguments.args.retain(|argument| !is_with(argument));
    if let Some(first) = arguments.args.first_mut() {
        *first = string_argument(path);
    }
}

/// Makes a table factor the call of a function with texts for its arguments.
pub fn replace_call(factor: &mut TableFactor, function: &str, texts: &[&str]) {
    if let TableFactor::Table { name, args: Some(TableFunctionArgs { args, .. }), .. } = factor {
        *name = ObjectName(vec![ObjectNamePart::Identifier(Ident::new(function))]);
        *args = texts.iter().map(|text| string_argument(text)).collect();
    }
}

fn string_argument(text: &str) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::value(Value::SingleQuotedString(text.to_string()))))
}

/// The call of a subset, where its source is one.
pub(super) fn is_plain_call(function: &Function) -> bool {
    matches!(function.args, FunctionArguments::List(_)) && Call::of(function).is_some()
}
