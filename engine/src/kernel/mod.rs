//! Sync loops over cells: no plans, no I/O, nothing awaits.
