//! The fonts of drawings, built in: machines without a desktop have none.

use std::sync::OnceLock;

use plotters::style::{FontStyle, register_font};

/// The name that the fonts are registered under, and that an SVG asks its viewer for.
pub(crate) const FAMILY: &str = "sans-serif";

/// The library takes the height of a line where people say the size of the letters: DejaVu's line is this much higher.
pub(crate) const LINE_PER_EM: f64 = 2384.0 / 2048.0;

static REGULAR: &[u8] = include_bytes!("../../fonts/DejaVuSans-subset.ttf");
static BOLD: &[u8] = include_bytes!("../../fonts/DejaVuSans-Bold-subset.ttf");

/// Registers the fonts, once; whether they could be read.
pub(crate) fn register() -> bool {
    static IS_REGISTERED: OnceLock<bool> = OnceLock::new();
    *IS_REGISTERED.get_or_init(|| {
        let regular = register_font(FAMILY, FontStyle::Normal, REGULAR);
        regular.and(register_font(FAMILY, FontStyle::Bold, BOLD)).is_ok()
    })
}
