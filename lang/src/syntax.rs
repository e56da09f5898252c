//! The array syntax inside a parsed statement, read back from the function calls it was rewritten to.
//!
//! | written | in the AST |
//! |---|---|
//! | `FROM s[lat = 1, lon = 2:3, level IN (4, 5)]` | `FROM sel(s, lat => 1, lon => slice(2, 3), level => labels(4, 5))` |
//! | `FROM s[lat[0], lon[2:9:3]]` | `FROM sel(s, lat => position(0), lon => position_range(2, 9, 3))` |
//! | `\|> SEL lat = 1` | `\|> CALL sel(lat => 1)` |
//! | `\|> REDUCE avg(t) AS m ALONG y, x` | `\|> CALL reduce(item(avg(t), m), along => list(y, x))` |
//! | `\|> COARSEN avg(z) BY y 10, x 10 USING trim` | `\|> CALL coarsen(item(avg(z)), by => list(size(y, 10), size(x, 10)), using => trim)` |
//! | `\|> RESAMPLE sum(p) TO time '1 month'` | `\|> CALL resample(item(sum(p)), dim => time, to => '1 month')` |
//! | `\|> MASK c` | `\|> CALL mask(c)` |
//! | `\|> INTO 'u' CHUNKS (time 365) WITH (codec = 'zstd')` | `\|> CALL into('u', chunks => list(size(time, 365)), with => list(option('codec', 'zstd')))` |
//! | `\|> PLOT tmin TO 'p.png' WITH (width = 12)` | `\|> CALL plot(item(tmin), to => 'p.png', with => list(option('width', 12)))` |
//! | `\|> INTO era5 APPEND ALONG time`, `\|> INTO era5 REGION` | `\|> CALL into(era5, append => time)`, `\|> CALL into(era5, region => true)` |
//! | `\|> WARP TO 'EPSG:3857' USING cubic RESOLUTION 30` | `\|> CALL warp(to => 'EPSG:3857', using => cubic, resolution => 30)` |
//! | `FROM 'u' WITH (sas = 's')[lat = 1]` | `FROM sel('u', with => list(option('sas', 's')), lat => 1)` |
//! | `FROM stac('u', ids => ['i']) ASSET 'a'` | `FROM stac('u', ids => ['i'], asset => 'a')` |
//! | `SHOW COLLECTIONS FROM stac('u')` | `SELECT * FROM stac_collections('u')` |
//! | `OVER (ALONG lon)` | `OVER (PARTITION BY along(lon))` |
//! | `z[y-1:y+1, x-1:x+1]` | `cells(z, cell_range(y-1, y+1), cell_range(x-1, x+1))` |
//! | `z[lat = 1]`, `z[lat = 1:2]` | `cells(z, lat = 1)`, `cells(z, lat = slice(1, 2))` |
//! | `z[time-1]`, `z[:time]` | the same: a stock subscript |
//!
//! A bound that is left out is NULL: `lat = 30:` is `lat => slice(30, NULL)`. A FROM-first subquery of an expression
//! gets the SELECT that SQL wants there: `(FROM x |> …)` is `(SELECT * FROM x |> …)`. `|> DROP a` before a
//! parenthesis gets a `|> SELECT *` after it, for stock sqlparser would read on past the parenthesis.

mod calls;
mod catalogs;
mod cells;
mod later;
mod steps;
mod subsets;
mod warps;

use sqlparser::ast::{Expr, Function, Ident, ObjectName, OrderByExpr, PipeOperator, Query, WindowFrame};

pub use catalogs::{SourceCall, nested_call, replace_call, replace_source_call, source_call};
pub use cells::{cell_reference, window_along};
pub(crate) use later::{ClauseValue, LaterStep, later_step};
pub use steps::array_step;
pub(crate) use subsets::label_range;
pub use subsets::subset;
pub use warps::{Warp, warp};

/// What one selector of a subset asks of its dimension.
#[derive(Debug, Clone, PartialEq)]
pub enum Selector {
    /// `dim = label`; the label may be a call of `nearest(v[, tolerance])` or `linear(v)`. A partial date
    /// (`time = '2020-01'`) is one label that stands for a range.
    Label(Expr),
    /// `dim = lo:hi:step`: labels, both ends included, in either direction; the step counts cells.
    LabelRange {
        /// The first bound, if there is one.
        low: Option<Expr>,
        /// The second bound, if there is one.
        high: Option<Expr>,
        /// Every how-manieth cell is kept.
        step: Option<Expr>,
    },
    /// `dim IN (a, b)`
    Labels(Vec<Expr>),
    /// `dim[i]`: counted from 0, negative from the end. The dimension is dropped.
    Position(Expr),
    /// `dim[i:j:k]`: half open.
    PositionRange {
        /// The first position.
        start: Option<Expr>,
        /// One past the last position.
        stop: Option<Expr>,
        /// Every how-manieth cell is kept.
        step: Option<Expr>,
    },
}

/// A source with brackets: `source[dim = …, …]`, and its alias.
#[derive(Debug, Clone, PartialEq)]
pub struct Subset {
    /// What the brackets are on.
    pub source: SubsetSource,
    /// `WITH (k = v, …)`: names in lower case.
    pub options: Vec<(String, Expr)>,
    /// Dimensions, as written, and what is asked of them.
    pub selectors: Vec<(Ident, Selector)>,
    /// `AS alias`
    pub alias: Option<Ident>,
}

/// What stands before the brackets.
#[derive(Debug, Clone, PartialEq)]
pub enum SubsetSource {
    /// A name, or a quoted path (an identifier whose `quote_style` is `'`).
    Name(ObjectName),
    /// `(query)[…]`
    Query(Box<Query>),
    /// `stac(…)[…]`
    Call(Box<Function>),
}

/// An expression and the name it is given, if any.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The expression.
    pub expression: Expr,
    /// `AS alias`
    pub alias: Option<Ident>,
}

/// Dimensions a step runs along.
#[derive(Debug, Clone, PartialEq)]
pub enum Along {
    /// `ALONG a, b`
    Along(Vec<Ident>),
    /// `KEEP a, b`: along every other dimension.
    Keep(Vec<Ident>),
    /// Neither: along every dimension.
    All,
}

/// Where `INTO` puts what it is given.
#[derive(Debug, Clone, PartialEq)]
pub enum IntoMode {
    /// A new store; an existing one is an error.
    New,
    /// `APPEND ALONG dim`
    Append(Ident),
    /// `REGION`
    Region,
}

/// A step of a pipe that SQL lacks.
#[derive(Debug, Clone, PartialEq)]
pub enum ArrayStep {
    /// `|> SEL dim = …, …`
    Sel(Vec<(Ident, Selector)>),
    /// `|> REDUCE items [ALONG dims | KEEP dims]`
    Reduce {
        /// Aggregates.
        items: Vec<Item>,
        /// The dimensions that disappear.
        along: Along,
    },
    /// `|> COARSEN items BY dim n, … [USING trim | pad]`
    Coarsen {
        /// Aggregates.
        items: Vec<Item>,
        /// Dimensions and the cells that become one.
        by: Vec<(Ident, Expr)>,
        /// What to do with a remainder; an error without it.
        using: Option<Ident>,
    },
    /// `|> RESAMPLE items TO dim 'step'`
    Resample {
        /// Aggregates.
        items: Vec<Item>,
        /// The dimension resampled.
        dimension: Ident,
        /// The step, as of `bin`.
        to: Expr,
    },
    /// `|> MASK condition`
    Mask(Expr),
    /// `|> INTO 'uri' [CHUNKS (dim n, …)] [WITH (k = v, …)] [APPEND ALONG dim | REGION]`
    Into {
        /// A quoted URL or path, or the name of an attached store.
        target: ObjectName,
        /// Cells of a chunk along each dimension.
        chunks: Vec<(Ident, Expr)>,
        /// `codec`, `level`, `overwrite` …: names in lower case.
        options: Vec<(String, Expr)>,
        /// New, append or region.
        mode: IntoMode,
    },
    /// `|> PLOT [items] [TO 'path'] [WITH (k = v, …)]`
    Plot {
        /// What to draw; every variable without it.
        items: Vec<Item>,
        /// A file; the terminal without it.
        to: Option<String>,
        /// `width`, `height`, `title`, `kind` …: names in lower case.
        options: Vec<(String, Expr)>,
    },
    /// A verb of the language that is parsed but not executed yet.
    Later {
        /// The verb, in upper case.
        verb: String,
        /// The rest of the step's call, as the AST holds it, so that it prints.
        call: Box<PipeOperator>,
    },
}

/// One subscript of a cell reference.
#[derive(Debug, Clone, PartialEq)]
pub enum CellIndex {
    /// `[time-1]`, `[lat = 3]` (as a comparison expression)
    Point(Expr),
    /// `[time-6:time]`, `[:time]`, `[time:]`, `[time - INTERVAL '6 days' : time]`
    Range(Option<Expr>, Option<Expr>),
}

/// A reference to other cells of an array variable: `t2m[time-6:time]`, `z[y-1:y+1, x-1:x+1]`.
///
/// Whether `a[1:3]` is one depends on the type of `a` (a list, or an array variable): the binder knows.
#[derive(Debug, Clone, PartialEq)]
pub struct CellReference {
    /// The variable: an identifier or a compound identifier.
    pub base: Expr,
    /// Its subscripts.
    pub indexes: Vec<CellIndex>,
}

/// What the `PARTITION BY along(…)` of a window asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowAlong {
    /// `OVER (ALONG dims …)`
    pub dimensions: Vec<Ident>,
    /// `OVER (… ORDER BY …)`
    pub order_by: Vec<OrderByExpr>,
    /// `OVER (… ROWS …)`
    pub frame: Option<WindowFrame>,
}
