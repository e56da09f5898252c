//! Where results are kept.
