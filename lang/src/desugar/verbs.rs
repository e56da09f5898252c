//! The verbs of the array steps, and the clauses each may have.

/// What stands between a verb and its first clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Head {
    /// Nothing.
    Nothing,
    /// `dim = …, dim[…]`
    Selectors,
    /// `expr AS name, …`, at least one.
    Items,
    /// `expr AS name, …`, or nothing.
    OptionalItems,
    /// `source AS name, …`
    Sources,
    /// `dim n, …`
    Sizes,
    /// One expression.
    Condition,
}

/// A clause of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clause {
    /// `ALONG a, b`
    Along,
    /// `KEEP a, b`
    Keep,
    /// `BY a n, b m`
    By,
    /// `TO value`
    To,
    /// `TO dim value`
    ToDimension,
    /// `USING method`
    Using,
    /// `RESOLUTION value`
    Resolution,
    /// `WITH value`
    WithValue,
    /// `WITH (k = v, …)`
    WithOptions,
    /// `CHUNKS (dim n, …)`
    Chunks,
    /// `APPEND ALONG dim`
    Append,
    /// `REGION`
    Region,
}

impl Clause {
    /// The word that begins the clause.
    pub fn keyword(self) -> &'static str {
        match self {
            Clause::Along => "ALONG",
            Clause::Keep => "KEEP",
            Clause::By => "BY",
            Clause::To | Clause::ToDimension => "TO",
            Clause::Using => "USING",
            Clause::Resolution => "RESOLUTION",
            Clause::WithValue | Clause::WithOptions => "WITH",
            Clause::Chunks => "CHUNKS",
            Clause::Append => "APPEND",
            Clause::Region => "REGION",
        }
    }
}

/// A verb of the language that SQL lacks.
#[derive(Debug)]
pub(crate) struct Verb {
    /// In upper case.
    pub name: &'static str,
    pub head: Head,
    pub clauses: &'static [Clause],
}

/// The verbs, in the order of the grammar.
pub(crate) const VERBS: &[Verb] = &[
    Verb { name: "SEL", head: Head::Selectors, clauses: &[] },
    Verb { name: "REDUCE", head: Head::Items, clauses: &[Clause::Along, Clause::Keep] },
    Verb { name: "MASK", head: Head::Condition, clauses: &[] },
    Verb { name: "FILL", head: Head::Items, clauses: &[Clause::WithValue, Clause::Using, Clause::Along] },
    Verb { name: "COARSEN", head: Head::Items, clauses: &[Clause::By, Clause::Using] },
    Verb { name: "RESAMPLE", head: Head::Items, clauses: &[Clause::ToDimension] },
    Verb { name: "INTERP", head: Head::Selectors, clauses: &[Clause::Using] },
    Verb { name: "WARP", head: Head::Nothing, clauses: &[Clause::To, Clause::Using, Clause::Resolution] },
    Verb { name: "ALIGN", head: Head::Sources, clauses: &[Clause::Using] },
    Verb { name: "CONCAT", head: Head::Sources, clauses: &[Clause::Along] },
    Verb { name: "STACK", head: Head::Items, clauses: &[] },
    Verb { name: "UNSTACK", head: Head::Items, clauses: &[] },
    Verb { name: "GRID", head: Head::Items, clauses: &[] },
    Verb { name: "RECHUNK", head: Head::Sizes, clauses: &[] },
    Verb { name: "TRANSPOSE", head: Head::Items, clauses: &[] },
    Verb { name: "MAP", head: Head::Items, clauses: &[Clause::Along, Clause::Keep] },
    Verb {
        name: "INTO",
        head: Head::Condition,
        clauses: &[Clause::Chunks, Clause::WithOptions, Clause::Append, Clause::Region],
    },
    Verb { name: "PLOT", head: Head::OptionalItems, clauses: &[Clause::To, Clause::WithOptions] },
];

/// The words that may follow `|>` in SQL itself.
pub(crate) const SQL_PIPE_VERBS: &[&str] = &[
    "SELECT",
    "EXTEND",
    "SET",
    "DROP",
    "AS",
    "WHERE",
    "LIMIT",
    "AGGREGATE",
    "ORDER",
    "TABLESAMPLE",
    "RENAME",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "CALL",
    "PIVOT",
    "UNPIVOT",
    "JOIN",
    "INNER",
    "LEFT",
    "RIGHT",
    "FULL",
    "CROSS",
];

/// The verb of this name, in any case.
pub(crate) fn verb_named(name: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.name.eq_ignore_ascii_case(name))
}
