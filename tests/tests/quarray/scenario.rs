//! Random datasets and random queries about them.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::store::{ArrayToWrite, Stored};

/// A dataset and a query, drawn as plain numbers so that they shrink.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub version: u8,
    pub sparse: bool,
    pub dimensions: Vec<DimensionDraw>,
    pub large: VariableDraw,
    /// A variable on those dimensions of which the bit in `small_dimensions` is set.
    pub small: VariableDraw,
    pub small_dimensions: u8,
    pub mask: Option<MaskDraw>,
    pub map: Map,
    pub question: Question,
}

/// A dimension: its cells, its labels, and what is asked of it.
#[derive(Debug, Clone)]
pub struct DimensionDraw {
    pub length: usize,
    pub labels: Labels,
    pub selector: Option<SelectorDraw>,
}

/// The kinds of labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labels {
    /// 10, 20, 30 … as i4.
    Ascending,
    /// 5.0, 4.5, 4.0 … as f8.
    Descending,
    /// Days from 1999-12-20 on.
    Days,
}

/// A selector; the numbers are taken modulo the dimension's length.
#[derive(Debug, Clone, Copy)]
pub enum SelectorDraw {
    Positions {
        start: usize,
        length: usize,
        step: usize,
    },
    LabelRange {
        first: usize,
        second: usize,
    },
    In {
        first: usize,
        second: usize,
    },
    Position(usize),
    /// Labels between this one and the next: there are none.
    Between(usize),
}

/// A variable: how it is stored and what is in it.
#[derive(Debug, Clone)]
pub struct VariableDraw {
    pub stored: Stored,
    pub chunk_shape: Vec<usize>,
    /// Of ten cells, how many are missing.
    pub missing: u64,
    pub seed: u64,
}

/// A condition for MASK.
#[derive(Debug, Clone, Copy)]
pub enum MaskDraw {
    Large(i32),
    Small(i32),
    /// Labels of the first dimension that is left, above that of this position.
    Label(usize),
}

/// What becomes of `v` cell by cell.
#[derive(Debug, Clone, Copy)]
pub enum Map {
    Itself,
    Linear,
    MinusSmall,
    Absolute,
    Case(i32),
    Coalesce,
}

/// Aggregates that the reference knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregate {
    Avg,
    Sum,
    Count,
    Min,
    Max,
    Stddev,
    VarPop,
    Median,
    Argmax,
    Argmin,
}

/// What is asked at the end; dimensions are bits, or positions taken modulo how many are left.
#[derive(Debug, Clone, Copy)]
pub enum Question {
    Cells,
    Reduce {
        aggregate: Aggregate,
        along: u8,
        keep: bool,
    },
    Group {
        aggregate: Aggregate,
        keys: u8,
        binned: u8,
    },
    Window {
        aggregate: Aggregate,
        dimension: usize,
        before: usize,
        after: usize,
        min_count: usize,
        reduce: bool,
        spelled: bool,
    },
    Over {
        aggregate: Aggregate,
        along: u8,
    },
    Where {
        threshold: i32,
        key: usize,
    },
    /// Some of the cells in the order of the dimensions.
    First {
        limit: usize,
        offset: usize,
    },
    /// `m` and `u`, each over its own dimensions but those that are kept.
    Sets {
        aggregate: Aggregate,
        keep: u8,
    },
    /// Along a dimension of days; the cells where there is none.
    Resample {
        aggregate: Aggregate,
        days: usize,
    },
}

impl Aggregate {
    /// Its name in the language.
    pub fn name(self) -> &'static str {
        match self {
            Self::Avg => "avg",
            Self::Sum => "sum",
            Self::Count => "count",
            Self::Min => "min",
            Self::Max => "max",
            Self::Stddev => "stddev",
            Self::VarPop => "var_pop",
            Self::Median => "median",
            Self::Argmax => "argmax",
            Self::Argmin => "argmin",
        }
    }
}

impl Labels {
    /// The label at a position, as a number: days count from 1970-01-01.
    pub fn at(self, position: usize) -> f64 {
        match self {
            Self::Ascending => 10.0 * (position + 1) as f64,
            Self::Descending => 5.0 - 0.5 * position as f64,
            Self::Days => 10_945.0 + position as f64,
        }
    }
}

/// Scenarios whose questions are drawn from `questions`.
pub fn scenarios(questions: impl Strategy<Value = Question> + 'static) -> impl Strategy<Value = Scenario> {
    let dimensions = vec(dimension(), 1..=3);
    let rest = (
        prop_oneof![Just(2u8), Just(3u8)],
        any::<bool>(),
        any::<u8>(),
        proptest::option::weighted(0.3, mask()),
        map(),
        questions,
    );
    (dimensions, variable(), variable(), rest).prop_map(|(dimensions, large, small, rest)| {
        let (version, sparse, small_dimensions, mask, map, question) = rest;
        Scenario { version, sparse, dimensions, large, small, small_dimensions, mask, map, question }
    })
}

fn dimension() -> impl Strategy<Value = DimensionDraw> {
    let labels = prop_oneof![Just(Labels::Ascending), Just(Labels::Descending), Just(Labels::Days)];
    let selector = proptest::option::weighted(0.4, selector());
    (1usize..=7, labels, selector).prop_map(|(length, labels, selector)| DimensionDraw { length, labels, selector })
}

fn selector() -> impl Strategy<Value = SelectorDraw> {
    prop_oneof![
        (0usize..7, 1usize..8, 1usize..4).prop_map(|(start, length, step)| SelectorDraw::Positions {
            start,
            length,
            step
        }),
        (0usize..7, 0usize..7).prop_map(|(first, second)| SelectorDraw::LabelRange { first, second }),
        (0usize..7, 0usize..7).prop_map(|(first, second)| SelectorDraw::In { first, second }),
        (0usize..7).prop_map(SelectorDraw::Position),
        (0usize..7).prop_map(SelectorDraw::Between),
    ]
}

fn variable() -> impl Strategy<Value = VariableDraw> {
    let stored = prop_oneof![
        3 => Just(Stored::F4), 2 => Just(Stored::F8), 1 => Just(Stored::I2), 1 => Just(Stored::I4), 1 => Just(Stored::I8),
        1 => Just(Stored::U1),
    ];
    let missing = prop_oneof![3 => Just(0u64), 4 => 1u64..=8, 1 => Just(10u64)];
    (stored, vec(1usize..=8, 3), missing, any::<u64>()).prop_map(|(stored, chunk_shape, missing, seed)| VariableDraw {
        stored,
        chunk_shape,
        missing,
        seed,
    })
}

fn mask() -> impl Strategy<Value = MaskDraw> {
    prop_oneof![
        (0..100).prop_map(MaskDraw::Large),
        (0..100).prop_map(MaskDraw::Small),
        (0usize..7).prop_map(MaskDraw::Label)
    ]
}

fn map() -> impl Strategy<Value = Map> {
    prop_oneof![
        3 => Just(Map::Itself), 1 => Just(Map::Linear), 1 => Just(Map::MinusSmall), 1 => Just(Map::Absolute),
        1 => (0..100).prop_map(Map::Case), 1 => Just(Map::Coalesce),
    ]
}

fn aggregate() -> impl Strategy<Value = Aggregate> {
    use Aggregate::{Avg, Count, Max, Median, Min, Stddev, Sum, VarPop};
    proptest::sample::select(vec![Avg, Sum, Count, Min, Max, Stddev, VarPop, Median])
}

/// Whole boxes and reductions of them.
pub fn reductions() -> impl Strategy<Value = Question> {
    let positional = prop_oneof![Just(Aggregate::Argmax), Just(Aggregate::Argmin)];
    let any_aggregate = prop_oneof![5 => aggregate(), 1 => positional];
    prop_oneof![
        1 => Just(Question::Cells),
        4 => (any_aggregate, any::<u8>(), any::<bool>())
            .prop_map(|(aggregate, along, keep)| Question::Reduce { aggregate, along, keep }),
        1 => (0usize..60, 0usize..20).prop_map(|(limit, offset)| Question::First { limit, offset }),
        2 => (aggregate(), any::<u8>()).prop_map(|(aggregate, keep)| Question::Sets { aggregate, keep }),
        2 => (aggregate(), 1usize..=3).prop_map(|(aggregate, days)| Question::Resample { aggregate, days }),
    ]
}

/// Groups and rows dropped by value.
pub fn groups() -> impl Strategy<Value = Question> {
    prop_oneof![
        4 => (aggregate(), any::<u8>(), any::<u8>()).prop_map(|(aggregate, keys, binned)| Question::Group { aggregate, keys, binned }),
        1 => (0..100, 0usize..3).prop_map(|(threshold, key)| Question::Where { threshold, key }),
    ]
}

/// Windows over cells, and along dimensions.
pub fn windows() -> impl Strategy<Value = Question> {
    use Aggregate::{Avg, Count, Max, Min, Sum};
    let windowed = proptest::sample::select(vec![Avg, Sum, Count, Min, Max]);
    let window = (windowed, 0usize..3, 0usize..4, 0usize..3, 0usize..3, any::<bool>(), any::<bool>());
    prop_oneof![
        2 => window.prop_map(|(aggregate, dimension, before, after, min_count, reduce, spelled)| {
            Question::Window { aggregate, dimension, before, after, min_count, reduce, spelled }
        }),
        1 => (aggregate(), any::<u8>()).prop_map(|(aggregate, along)| Question::Over { aggregate, along }),
    ]
}

impl Scenario {
    /// The names of the dimensions.
    pub fn names(&self) -> Vec<String> {
        ["a", "b", "c"].iter().take(self.dimensions.len()).map(ToString::to_string).collect()
    }

    /// Whether the small variable has a dimension.
    pub fn small_has(&self, dimension: usize) -> bool {
        self.small_dimensions & (1 << dimension) != 0
    }

    /// The values of `v` (over every dimension) or `u`.
    pub fn values(&self, is_large: bool) -> Vec<Option<f64>> {
        let draw = if is_large { &self.large } else { &self.small };
        let cells: usize = self.shape(is_large).iter().product();
        let mut state = draw.seed;
        (0..cells).map(|_| draw.value(&mut state)).collect()
    }

    /// Everything to write.
    pub fn arrays(&self) -> Vec<ArrayToWrite> {
        let names = self.names();
        let mut arrays: Vec<ArrayToWrite> =
            self.dimensions.iter().zip(&names).map(|(draw, name)| draw.coordinate(name)).collect();
        for (name, is_large) in [("v", true), ("u", false)] {
            let draw = if is_large { &self.large } else { &self.small };
            let kept: Vec<usize> = (0..names.len()).filter(|&d| is_large || self.small_has(d)).collect();
            arrays.push(ArrayToWrite {
                name: name.to_string(),
                dimensions: kept.iter().map(|&d| names[d].clone()).collect(),
                shape: self.shape(is_large),
                chunk_shape: kept.iter().map(|&d| draw.chunk_shape[d]).collect(),
                stored: draw.stored,
                values: self.values(is_large),
                attributes: String::new(),
            });
        }
        arrays
    }

    fn shape(&self, is_large: bool) -> Vec<usize> {
        let kept = (0..self.dimensions.len()).filter(|&d| is_large || self.small_has(d));
        kept.map(|d| self.dimensions[d].length).collect()
    }
}

impl DimensionDraw {
    fn coordinate(&self, name: &str) -> ArrayToWrite {
        let since_1990 = 7_305.0;
        let (stored, shift, attributes) = match self.labels {
            Labels::Ascending => (Stored::I4, 0.0, ""),
            Labels::Descending => (Stored::F8, 0.0, ""),
            Labels::Days => (Stored::I8, since_1990, r#""units":"days since 1990-01-01","calendar":"standard""#),
        };
        ArrayToWrite {
            name: name.to_string(),
            dimensions: vec![name.to_string()],
            shape: vec![self.length],
            chunk_shape: vec![self.length],
            stored,
            values: (0..self.length).map(|position| Some(self.labels.at(position) - shift)).collect(),
            attributes: attributes.to_string(),
        }
    }
}

impl VariableDraw {
    /// The next value: quarters below 100 in floats, whole numbers below 100 in integers, so that sums are exact.
    fn value(&self, state: &mut u64) -> Option<f64> {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = *state >> 33;
        if (random >> 9) % 10 < self.missing {
            return None;
        }
        let quarter = (random % 400) as f64 / 4.0;
        Some(if matches!(self.stored, Stored::F4 | Stored::F8) { quarter } else { quarter.floor() })
    }
}
