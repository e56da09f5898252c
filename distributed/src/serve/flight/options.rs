//! What a client sets for its session: `SetSessionOptions` and `GetSessionOptions`.
//!
//! | option | values | |
//! |---|---|---|
//! | `catalog`, `schema` | `datafusion`, `public` | where names are looked up; there is one of each |
//! | `cluster` | a name, or nothing | where queries run: `USE CLUSTER` |
//! | `result_form` | `rows`, `blocks` | rows, or arrays: a tensor a column |
//! | `wire_types` | `plain`, `exact` | types that every client reads, or the engine's own |
//! | `keep_alive_seconds` | 1 to 3600 | how often a stream without news says that it is there |

use std::collections::HashMap;
use std::time::Duration;

use prost::Message;
use quarray_engine::session::{CATALOG, SCHEMA};

use super::wire::WireTypes;
use crate::serve::sessions::SessionInUse;

/// How often a stream that has nothing to say says so, when nothing else is set.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// The form of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::serve) enum ResultForm {
    /// A row a cell.
    #[default]
    Rows,
    /// Arrays: a tensor a variable.
    Blocks,
}

/// What a client has set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::serve) struct SessionOptions {
    /// The types of rows.
    pub(in crate::serve) wire: WireTypes,
    /// The form of results.
    pub(in crate::serve) form: ResultForm,
    /// How often a stream without news says that it is there.
    pub(in crate::serve) keep_alive: Duration,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self { wire: WireTypes::default(), form: ResultForm::default(), keep_alive: KEEP_ALIVE }
    }
}

/// `SetSessionOptionsRequest`
#[derive(Clone, PartialEq, Message)]
pub(in crate::serve) struct SetSessionOptions {
    #[prost(map = "string, message", tag = "1")]
    pub(in crate::serve) options: HashMap<String, OptionValue>,
}

/// `SessionOptionValue`
#[derive(Clone, PartialEq, Message)]
pub(in crate::serve) struct OptionValue {
    #[prost(oneof = "OptionKind", tags = "1, 2, 3, 4, 5")]
    pub(in crate::serve) kind: Option<OptionKind>,
}

/// The value of an option; none takes what was set away.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(in crate::serve) enum OptionKind {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Truth(bool),
    #[prost(sfixed64, tag = "3")]
    Integer(i64),
    #[prost(double, tag = "4")]
    Float(f64),
    #[prost(message, tag = "5")]
    Texts(TextList),
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::serve) struct TextList {
    #[prost(string, repeated, tag = "1")]
    values: Vec<String>,
}

/// `SetSessionOptionsResult`: the options that were refused.
#[derive(Clone, PartialEq, Message)]
pub(in crate::serve) struct SetSessionOptionsResult {
    #[prost(map = "string, message", tag = "1")]
    pub(in crate::serve) errors: HashMap<String, OptionError>,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::serve) struct OptionError {
    #[prost(enumeration = "OptionErrorKind", tag = "1")]
    pub(in crate::serve) kind: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(in crate::serve) enum OptionErrorKind {
    Unspecified = 0,
    InvalidName = 1,
    InvalidValue = 2,
    Other = 3,
}

/// `GetSessionOptionsResult`
#[derive(Clone, PartialEq, Message)]
pub(in crate::serve) struct SessionOptionsResult {
    #[prost(map = "string, message", tag = "1")]
    pub(in crate::serve) options: HashMap<String, OptionValue>,
}

/// Sets options of a session; what is refused is told by its name.
pub(in crate::serve) async fn set(session: &SessionInUse, request: SetSessionOptions) -> SetSessionOptionsResult {
    let mut errors = HashMap::new();
    for (name, value) in request.options {
        if let Err(kind) = set_one(session, &name, value.kind).await {
            errors.insert(name, OptionError { kind: kind.into() });
        }
    }
    SetSessionOptionsResult { errors }
}

async fn set_one(session: &SessionInUse, name: &str, value: Option<OptionKind>) -> Result<(), OptionErrorKind> {
    let text = match value {
        None => None,
        Some(OptionKind::Text(text)) => Some(text),
        Some(OptionKind::Integer(number)) => Some(number.to_string()),
        Some(_) => return Err(OptionErrorKind::InvalidValue),
    };
    let text = text.as_deref().filter(|text| !text.is_empty());
    let wrong = OptionErrorKind::InvalidValue;
    match name {
        "catalog" => text.is_none_or(|name| name == CATALOG).then_some(()).ok_or(wrong),
        "schema" => text.is_none_or(|name| name == SCHEMA).then_some(()).ok_or(wrong),
        "cluster" => use_cluster(session, text).await,
        "result_form" => {
            let form = match text {
                None | Some("rows") => ResultForm::Rows,
                Some("blocks") => ResultForm::Blocks,
                Some(_) => return Err(wrong),
            };
            session.options.lock().form = form;
            Ok(())
        }
        "wire_types" => {
            let wire = text.map_or(Some(WireTypes::Plain), WireTypes::named).ok_or(wrong)?;
            session.options.lock().wire = wire;
            Ok(())
        }
        "keep_alive_seconds" => {
            let seconds = text.map_or(Some(KEEP_ALIVE.as_secs()), |text| text.parse().ok());
            let seconds = seconds.filter(|seconds| (1..=3600).contains(seconds)).ok_or(wrong)?;
            session.options.lock().keep_alive = Duration::from_secs(seconds);
            Ok(())
        }
        _ => Err(OptionErrorKind::InvalidName),
    }
}

async fn use_cluster(session: &SessionInUse, name: Option<&str>) -> Result<(), OptionErrorKind> {
    let statement = match name {
        Some(name) => format!("USE CLUSTER \"{}\"", name.replace('"', "\"\"")),
        None => "USE LOCAL".to_string(),
    };
    match session.session.query(&statement).await {
        Ok(_) => Ok(()),
        Err(quarray_engine::Error::Bind(_) | quarray_engine::Error::Syntax(_)) => Err(OptionErrorKind::InvalidValue),
        Err(_) => Err(OptionErrorKind::Other),
    }
}

/// The options of a session.
pub(in crate::serve) fn get(session: &SessionInUse) -> SessionOptionsResult {
    let options = *session.options.lock();
    let form = match options.form {
        ResultForm::Rows => "rows",
        ResultForm::Blocks => "blocks",
    };
    let cluster = session.session.backend().cluster().unwrap_or_default().to_string();
    let texts = [
        ("catalog", CATALOG.to_string()),
        ("schema", SCHEMA.to_string()),
        ("cluster", cluster),
        ("result_form", form.to_string()),
        ("wire_types", options.wire.name().to_string()),
        ("keep_alive_seconds", options.keep_alive.as_secs().to_string()),
    ];
    let value = |text| OptionValue { kind: Some(OptionKind::Text(text)) };
    SessionOptionsResult { options: texts.into_iter().map(|(name, text)| (name.to_string(), value(text))).collect() }
}
