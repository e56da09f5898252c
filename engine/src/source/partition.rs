//! How many chunks make a unit of work: the option `partition`.

use std::fmt;

use super::SourceError;
use super::store::{StoreOptions, without_secrets};
use crate::dataset::Dataset;

/// The name of the option.
pub const PARTITION: &str = "partition";

/// What of the chunks of an array one partition of a plan reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Partition {
    /// So many chunks that follow each other.
    Chunks(u64),
    /// A box of chunks: how many along some dimensions, one along the others.
    Along(Vec<(String, u64)>),
}

impl Partition {
    /// What the options of an address say of a dataset: `4`, or `time: 4, y: 2`.
    ///
    /// # Errors
    /// [`SourceError::Address`] for what is no number of chunks, and for a dimension that there is not.
    pub fn of(uri: &str, options: &StoreOptions, dataset: &Dataset) -> Result<Option<Self>, SourceError> {
        let Some(text) = options.get(PARTITION) else { return Ok(None) };
        let wrong = |message: String| SourceError::Address {
            uri: without_secrets(uri),
            message: format!("option `{PARTITION}`: {message}"),
        };
        let partition = Self::parse(text).map_err(wrong)?;
        if let Self::Along(chunks) = &partition
            && let Some((name, _)) = chunks.iter().find(|(name, _)| dataset.dimension(name).is_none())
        {
            let known: Vec<&str> = dataset.dimensions.iter().map(|dimension| dimension.name.as_str()).collect();
            return Err(wrong(format!("expected dimensions of [{}], found `{name}`", known.join(", "))));
        }
        Ok(Some(partition))
    }

    /// Reads a number of chunks, or one for each of some dimensions.
    fn parse(text: &str) -> Result<Self, String> {
        let expected = |found: &str| {
            format!("expected a number of chunks from 1 on, or one a dimension as `time: 4, y: 2`, found `{found}`")
        };
        let count = |digits: &str| digits.trim().parse().ok().filter(|&chunks: &u64| chunks > 0);
        if !text.contains(':') {
            return count(text).map(Self::Chunks).ok_or_else(|| expected(text));
        }
        let mut along: Vec<(String, u64)> = Vec::new();
        for part in text.split(',') {
            let (name, chunks) = part.rsplit_once(':').ok_or_else(|| expected(text))?;
            let (name, chunks) = (name.trim().to_string(), count(chunks).ok_or_else(|| expected(text))?);
            if along.iter().any(|(known, _)| *known == name) {
                return Err(format!("expected every dimension once, found `{name}` twice"));
            }
            along.push((name, chunks));
        }
        Ok(Self::Along(along))
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chunks(chunks) => write!(formatter, "{chunks}"),
            Self::Along(along) => {
                let parts: Vec<String> = along.iter().map(|(name, chunks)| format!("{name}: {chunks}")).collect();
                write!(formatter, "[{}]", parts.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_dimensions() -> Result<(), String> {
        assert_eq!(Partition::parse(" 12 ")?, Partition::Chunks(12));
        let along = Partition::parse("time: 4,y:2")?;
        assert_eq!(along, Partition::Along(vec![("time".to_string(), 4), ("y".to_string(), 2)]));
        assert_eq!((along.to_string().as_str(), Partition::Chunks(3).to_string().as_str()), ("[time: 4, y: 2]", "3"));
        Ok(())
    }

    #[test]
    fn what_is_no_number_is_named() {
        for found in ["0", "-1", "auto", "", "1.5", "time: 0", "time: 4, 2", "time:", "99999999999999999999"] {
            let message = Partition::parse(found).err().unwrap_or_default();
            assert!(message.ends_with(&format!("as `time: 4, y: 2`, found `{found}`")), "{found}: {message}");
        }
        let message = Partition::parse("y: 1, y: 2").err();
        assert_eq!(message.as_deref(), Some("expected every dimension once, found `y` twice"));
    }
}
