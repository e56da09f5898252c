//! SVG: coordinates ten times as fine as dots, pictures embedded as PNG.

use std::path::Path;

use plotters::backend::{DrawingBackend, SVGBackend};

use super::PlotError;
use super::canvas::{BackendCanvas, Canvas, Image, Rect};
use super::colour::WHITE;
use super::font::LINE_PER_EM;
use super::raster::write_png;

const FINENESS: u32 = 10;

/// The library divides the size of a font by this on its way to an SVG, and sets text 0.76 em below its top.
const LIBRARY_LINE_PER_EM: f64 = 1.24;
const LIBRARY_BASE_LINE: f64 = 0.76;

/// Draws a page of that many dots to an SVG file. Pictures go through a PNG file beside it.
pub(crate) fn draw_svg(
    path: &Path,
    size: (u32, u32),
    draw: impl FnOnce(&mut dyn Canvas) -> Result<(), PlotError>,
) -> Result<(), PlotError> {
    let mut text = String::new();
    let mut images = Vec::new();
    {
        let mut backend = SVGBackend::with_string(&mut text, (size.0 * FINENESS, size.1 * FINENESS));
        let mut canvas = BackendCanvas {
            backend: &mut backend,
            fineness: f64::from(FINENESS),
            text_scale: LIBRARY_LINE_PER_EM / LINE_PER_EM,
            base_line: LIBRARY_BASE_LINE / LIBRARY_LINE_PER_EM,
            has_plain_strokes: false,
            images: Some(&mut images),
        };
        draw(&mut canvas)?;
        backend.present().map_err(PlotError::of_library)?;
    }
    let mut elements = String::new();
    for (rect, image) in &images {
        elements.push_str(&image_element(*rect, image, path)?);
    }
    let page = finish_page(&text, size, &elements);
    std::fs::write(path, page).map_err(PlotError::Io)
}

/// Gives the page its size in dots, round joins to its lines, and its pictures, which lie under everything but the
/// background.
fn finish_page(text: &str, size: (u32, u32), images: &str) -> String {
    let fine = format!("width=\"{}\" height=\"{}\"", size.0 * FINENESS, size.1 * FINENESS);
    let plain =
        format!("width=\"{}\" height=\"{}\" stroke-linejoin=\"round\" stroke-linecap=\"round\"", size.0, size.1);
    let page = text.replacen(&fine, &plain, 1);
    let background_end = page.match_indices("/>\n").next().map_or(page.len(), |(at, end)| at + end.len());
    let (head, rest) = page.split_at(background_end);
    format!("{head}{images}{rest}")
}

fn image_element(rect: Rect, image: &Image, path: &Path) -> Result<String, PlotError> {
    let beside = path.with_extension("image.png");
    let pixels: Vec<u8> = image
        .pixels
        .iter()
        .map(|pixel| pixel.unwrap_or(WHITE))
        .flat_map(|colour| [colour.0, colour.1, colour.2])
        .collect();
    let size = (u32::try_from(image.width).unwrap_or(1), u32::try_from(image.height).unwrap_or(1));
    let encoded = write_png(&beside, size, &pixels).and_then(|()| std::fs::read(&beside).map_err(PlotError::Io));
    let _ = std::fs::remove_file(&beside);
    let fine = f64::from(FINENESS);
    Ok(format!(
        "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" \
         href=\"data:image/png;base64,{}\"/>\n",
        (rect.left * fine).round(),
        (rect.top * fine).round(),
        (rect.width() * fine).round(),
        (rect.height() * fine).round(),
        base64(&encoded?)
    ))
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().enumerate().fold(0u32, |sum, (index, &byte)| sum | u32::from(byte) << (16 - 8 * index));
        for index in 0..4 {
            let sextet = (group >> (18 - 6 * index)) & 63;
            text.push(if index <= chunk.len() { char::from(ALPHABET[sextet as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_pads() {
        assert_eq!([base64(b""), base64(b"f"), base64(b"fo"), base64(b"foo")], ["", "Zg==", "Zm8=", "Zm9v"]);
    }
}
