//! PNG: drawn several times too large and averaged down, which makes edges smooth.

use std::path::Path;

use plotters::backend::{BitMapBackend, DrawingBackend};

use super::PlotError;
use super::canvas::{BackendCanvas, Canvas};

/// Pixels that may be drawn before they are averaged: bounds the memory of large drawings.
const MOST_PIXELS: usize = 40_000_000;

/// Draws a page of that many dots to a PNG file.
pub(crate) fn draw_png(
    path: &Path,
    size: (u32, u32),
    draw: impl FnOnce(&mut dyn Canvas) -> Result<(), PlotError>,
) -> Result<(), PlotError> {
    let dots = size.0 as usize * size.1 as usize;
    let fineness = (1..=4).rev().find(|n| dots * n * n <= MOST_PIXELS).unwrap_or(1);
    let fine_size = (size.0 * fineness as u32, size.1 * fineness as u32);
    let mut fine = vec![255; dots * fineness * fineness * 3];
    {
        let mut backend = BitMapBackend::with_buffer(&mut fine, fine_size);
        let mut canvas = BackendCanvas {
            backend: &mut backend,
            fineness: fineness as f64,
            text_scale: 1.0,
            base_line: 0.5,
            has_plain_strokes: true,
            images: None,
        };
        draw(&mut canvas)?;
        backend.present().map_err(PlotError::of_library)?;
    }
    write_png(path, size, &average(&fine, size, fineness))
}

/// Writes pixels as a PNG file.
pub(crate) fn write_png(path: &Path, size: (u32, u32), pixels: &[u8]) -> Result<(), PlotError> {
    let mut backend = BitMapBackend::new(path, size);
    backend.blit_bitmap((0, 0), size, pixels).map_err(PlotError::of_library)?;
    backend.present().map_err(PlotError::of_library)
}

/// Each pixel the mean of a square of finer ones.
fn average(fine: &[u8], size: (u32, u32), fineness: usize) -> Vec<u8> {
    let (width, height) = (size.0 as usize, size.1 as usize);
    let fine_row = width * fineness * 3;
    let count = (fineness * fineness) as u32;
    let mut pixels = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            let mut sums = [0u32; 3];
            for row in 0..fineness {
                let start = (y * fineness + row) * fine_row + x * fineness * 3;
                for pixel in fine[start..start + fineness * 3].chunks_exact(3) {
                    for (sum, &channel) in sums.iter_mut().zip(pixel) {
                        *sum += u32::from(channel);
                    }
                }
            }
            pixels.extend(sums.map(|sum| ((sum + count / 2) / count) as u8));
        }
    }
    pixels
}
