//! Where the blocks of a picture are in the file.
//!
//! The tables of offsets and lengths have an entry a block; of a large picture they are megabytes. They are read a page at a
//! time, when a block of the page is asked for, and the pages that were asked for are kept up to a number.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;

use super::directory::Table;
use crate::source::SourceError;
use crate::source::file::SourceFile;

/// Entries of a page.
const PAGE_ENTRIES: u64 = 4096;

/// Pages of one table that are kept, at most.
const PAGES_MAX: usize = 64;

/// A table of numbers, one a block.
#[derive(Debug)]
pub(super) struct BlockTable {
    table: Table,
    pages: Mutex<BTreeMap<u64, Arc<[u64]>>>,
}

impl BlockTable {
    /// The table that lies in the file.
    pub fn new(table: Table) -> Self {
        Self { table, pages: Mutex::new(BTreeMap::new()) }
    }

    /// The numbers of some blocks; those beyond the table's end have none.
    pub async fn numbers(&self, file: &SourceFile, blocks: &[u64]) -> Result<Vec<Option<u64>>, SourceError> {
        let mut numbers = Vec::with_capacity(blocks.len());
        let mut last: Option<(u64, Arc<[u64]>)> = None;
        for &block in blocks {
            if block >= self.table.count {
                numbers.push(None);
                continue;
            }
            let number = block / PAGE_ENTRIES;
            let page = match last.take() {
                Some((found, page)) if found == number => page,
                _ => self.page(file, number).await?,
            };
            numbers.push(page.get((block % PAGE_ENTRIES) as usize).copied());
            last = Some((number, page));
        }
        Ok(numbers)
    }

    async fn page(&self, file: &SourceFile, number: u64) -> Result<Arc<[u64]>, SourceError> {
        if let Some(page) = self.pages.lock().get(&number) {
            return Ok(page.clone());
        }
        let bytes = file.read(self.range_of(number)).await?;
        let numbers = bytes.chunks_exact(self.table.width.max(1) as usize).map(|bytes| self.table.order.number(bytes));
        let page: Arc<[u64]> = numbers.collect();
        let mut pages = self.pages.lock();
        if pages.len() >= PAGES_MAX {
            pages.pop_first();
        }
        pages.insert(number, page.clone());
        Ok(page)
    }

    /// The bytes of a page. A table that the file is too short for is an error of whoever reads it.
    fn range_of(&self, page: u64) -> Range<u64> {
        let Table { offset, count, width, .. } = self.table;
        let first = page * PAGE_ENTRIES;
        let end = count.min(first + PAGE_ENTRIES);
        offset.saturating_add(first.saturating_mul(width))..offset.saturating_add(end.saturating_mul(width))
    }
}
