//! The files of the pages, which are a part of the program.

/// A file.
#[derive(Debug, Clone, Copy)]
pub(in crate::serve) struct Asset {
    pub content_type: &'static str,
    pub bytes: &'static [u8],
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const MODULE: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! files {
    ($($path:literal: $kind:expr),* $(,)?) => {
        &[$(($path, Asset { content_type: $kind, bytes: include_bytes!(concat!("pages/", $path)) })),*]
    };
}

pub(super) const FILES: &[(&str, Asset)] = files! {
    "app.js": MODULE,
    "chart/axes.js": MODULE,
    "chart/bars.js": MODULE,
    "chart/chunks.js": MODULE,
    "chart/lanes.js": MODULE,
    "chart/lines.js": MODULE,
    "chart/plan.js": MODULE,
    "dom.js": MODULE,
    "format.js": MODULE,
    "icon.svg": SVG,
    "live.js": MODULE,
    "page/compare.js": MODULE,
    "page/executors.js": MODULE,
    "page/history.js": MODULE,
    "page/overview.js": MODULE,
    "page/parts.js": MODULE,
    "page/query.js": MODULE,
    "style/base.css": CSS,
    "style/parts.css": CSS,
    "theme.js": MODULE,
};

/// The page that all pages are made in.
pub(in crate::serve) fn shell() -> Asset {
    Asset { content_type: HTML, bytes: include_bytes!("pages/index.html") }
}

/// The file of that name.
pub(in crate::serve) fn asset(path: &str) -> Option<Asset> {
    FILES.iter().find(|(name, _)| *name == path).map(|(_, asset)| *asset)
}
