//! Big-endian words and names, one after the other.

/// Why a header cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The bytes end before it does.
    CutOff,
    /// It is not what a header is.
    Wrong(String),
}

/// The bytes of a header, read from the first to the last.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Whether counts and lengths have 64 bits.
    pub has_wide_counts: bool,
    /// Whether places have 64 bits.
    pub has_wide_places: bool,
}

impl<'a> Reader<'a> {
    /// From the first byte on.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, has_wide_counts: false, has_wide_places: false }
    }

    /// The next `length` bytes.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], Failure> {
        let end = self.at.checked_add(length).ok_or(Failure::CutOff)?;
        let taken = self.bytes.get(self.at..end).ok_or(Failure::CutOff)?;
        self.at = end;
        Ok(taken)
    }

    /// The next `length` bytes and what fills them up to a multiple of 4.
    pub fn take_padded(&mut self, length: usize) -> Result<&'a [u8], Failure> {
        let taken = self.take(length)?;
        self.take(length.wrapping_neg() & 3)?;
        Ok(taken)
    }

    /// A word of 32 bits.
    pub fn word(&mut self) -> Result<u32, Failure> {
        let bytes = self.take(4)?;
        Ok(bytes.iter().fold(0, |word, &byte| word << 8 | u32::from(byte)))
    }

    fn wide(&mut self) -> Result<u64, Failure> {
        let bytes = self.take(8)?;
        Ok(bytes.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)))
    }

    /// A count or a length.
    pub fn count(&mut self) -> Result<u64, Failure> {
        if self.has_wide_counts { self.wide() } else { self.word().map(u64::from) }
    }

    /// A count of bytes or things that are in the header, each of which has one byte at least.
    pub fn count_here(&mut self) -> Result<usize, Failure> {
        usize::try_from(self.count()?).map_err(|_| Failure::CutOff)
    }

    /// A place in the file.
    pub fn place(&mut self) -> Result<u64, Failure> {
        if self.has_wide_places { self.wide() } else { self.word().map(u64::from) }
    }

    /// A name.
    pub fn name(&mut self) -> Result<String, Failure> {
        let length = self.count_here()?;
        let bytes = self.take_padded(length)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| Failure::Wrong(format!("the name {bytes:?} is not UTF-8")))
    }

    /// How many things of a kind follow: its tag and their number, or two zeros.
    pub fn list(&mut self, tag: u32, what: &str) -> Result<usize, Failure> {
        let (found, count) = (self.word()?, self.count_here()?);
        match found {
            _ if found == tag => Ok(count),
            0 if count == 0 => Ok(0),
            _ => Err(Failure::Wrong(format!("expected the tag {tag} of {what}, found {found}"))),
        }
    }
}
