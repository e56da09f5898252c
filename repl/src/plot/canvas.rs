//! A page to draw on, measured in dots of a hundredth of an inch, whatever it is made of.

use plotters::backend::DrawingBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, FontTransform, IntoFont, RGBAColor, RGBColor, ShapeStyle, TextStyle};

use super::PlotError;
use super::colour::Colour;
use super::font::{FAMILY, LINE_PER_EM};

/// Coordinates of a backend.
type Place = (i32, i32);

/// Where text stands relative to its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// The look of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Type {
    /// Dots of an em.
    pub(crate) size: f64,
    pub(crate) is_bold: bool,
    pub(crate) colour: Colour,
}

/// A picture in rows of pixels; a missing pixel shows what is behind.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Image {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: Vec<Option<Colour>>,
}

/// A rectangle, in dots from the upper left corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rect {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

/// What the charts need of a page.
pub(crate) trait Canvas {
    /// Fills a rectangle.
    fn fill(&mut self, rect: Rect, colour: Colour) -> Result<(), PlotError>;
    /// Fills what points surround.
    fn polygon(&mut self, points: &[(f64, f64)], colour: Colour) -> Result<(), PlotError>;
    /// Draws a line through points.
    fn line(&mut self, points: &[(f64, f64)], width: f64, colour: Colour) -> Result<(), PlotError>;
    /// Writes at a point of the base line; upright text runs from below to above.
    fn text(
        &mut self,
        text: &str,
        at: (f64, f64),
        face: Type,
        anchor: Anchor,
        is_upright: bool,
    ) -> Result<(), PlotError>;
    /// Fills a rectangle with a picture.
    fn image(&mut self, rect: Rect, image: Image) -> Result<(), PlotError>;
    /// Pixels of a picture that a dot has room for.
    fn pixels_per_dot(&self) -> f64;
    /// The width of a text in dots.
    fn text_width(&self, text: &str, face: Type) -> f64;
}

/// Draws through a backend of the library, its coordinates a number of times as fine as dots.
pub(crate) struct BackendCanvas<'a, B: DrawingBackend> {
    pub(crate) backend: &'a mut B,
    /// Coordinates in a dot.
    pub(crate) fineness: f64,
    /// Text height asked of the backend, as a share of the height of a line.
    pub(crate) text_scale: f64,
    /// Where the backend puts the base line below the upper edge of a text, as a share of its size.
    pub(crate) base_line: f64,
    /// Whether thick lines have to be made of pieces: the library fills their outline, which breaks at sharp corners.
    pub(crate) has_plain_strokes: bool,
    /// Pictures for the page's maker to put in, if the backend cannot draw them.
    pub(crate) images: Option<&'a mut Vec<(Rect, Image)>>,
}

impl<B: DrawingBackend> Canvas for BackendCanvas<'_, B> {
    fn fill(&mut self, rect: Rect, colour: Colour) -> Result<(), PlotError> {
        let upper_left = self.place((rect.left, rect.top));
        let (right, bottom) = self.place((rect.right, rect.bottom));
        // The far edge of a filled rectangle belongs to it on a raster.
        let lower_right = if self.images.is_some() { (right, bottom) } else { (right - 1, bottom - 1) };
        self.backend.draw_rect(upper_left, lower_right, &filled(colour), true).map_err(PlotError::of_library)
    }

    fn polygon(&mut self, points: &[(f64, f64)], colour: Colour) -> Result<(), PlotError> {
        let places: Vec<Place> = points.iter().map(|&point| self.place(point)).collect();
        self.backend.fill_polygon(places, &filled(colour)).map_err(PlotError::of_library)
    }

    fn line(&mut self, points: &[(f64, f64)], width: f64, colour: Colour) -> Result<(), PlotError> {
        let mut places: Vec<Place> = points.iter().map(|&point| self.place(point)).collect();
        places.dedup();
        let width = (width * self.fineness).max(1.0);
        if self.has_plain_strokes {
            return self.stroke_in_pieces(&places, width, colour);
        }
        if let [only] = places[..] {
            places.push((only.0 + 1, only.1));
        }
        let style = ShapeStyle { color: rgba(colour), filled: false, stroke_width: width.round() as u32 };
        self.backend.draw_path(places, &style).map_err(PlotError::of_library)
    }

    fn text(
        &mut self,
        text: &str,
        at: (f64, f64),
        face: Type,
        anchor: Anchor,
        is_upright: bool,
    ) -> Result<(), PlotError> {
        let size = face.size * self.fineness * LINE_PER_EM * self.text_scale;
        let width = self.text_width(text, face);
        let back = match anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => width / 2.0,
            Anchor::End => width,
        };
        let rise = size * self.base_line / self.fineness;
        let mut style = text_style(face, size);
        let start = match is_upright {
            true => {
                style.font = style.font.transform(FontTransform::Rotate270);
                (at.0 - rise, at.1 + back)
            }
            false => (at.0 - back, at.1 - rise),
        };
        let place = self.place(start);
        self.backend.draw_text(text, &style, place).map_err(PlotError::of_library)
    }

    fn image(&mut self, rect: Rect, image: Image) -> Result<(), PlotError> {
        if let Some(images) = &mut self.images {
            images.push((rect, image));
            return Ok(());
        }
        let (left, top) = self.place((rect.left, rect.top));
        let (right, bottom) = self.place((rect.right, rect.bottom));
        let (width, height) = ((right - left).max(1), (bottom - top).max(1));
        for y in 0..height {
            let row = (y as usize * image.height / height as usize) * image.width;
            for x in 0..width {
                let column = x as usize * image.width / width as usize;
                if let Some(colour) = image.pixels[row + column] {
                    let place = (left + x, top + y);
                    self.backend.draw_pixel(place, rgba(colour).to_backend_color()).map_err(PlotError::of_library)?;
                }
            }
        }
        Ok(())
    }

    fn pixels_per_dot(&self) -> f64 {
        if self.images.is_some() { 2.0 } else { self.fineness }
    }

    fn text_width(&self, text: &str, face: Type) -> f64 {
        // Measured large: the library rounds to whole pixels.
        const MAGNIFICATION: f64 = 16.0;
        let style = text_style(face, face.size * MAGNIFICATION * LINE_PER_EM);
        match self.backend.estimate_text_size(text, &style) {
            Ok((width, _)) => f64::from(width) / MAGNIFICATION,
            Err(_) => text.chars().count() as f64 * face.size * 0.6,
        }
    }
}

impl<B: DrawingBackend> BackendCanvas<'_, B> {
    fn place(&self, point: (f64, f64)) -> Place {
        // Far outside the page is outside enough: coordinates are small integers.
        let coordinate = |value: f64| (value * self.fineness).round().clamp(-1e6, 1e6) as i32;
        (coordinate(point.0), coordinate(point.1))
    }

    fn stroke_in_pieces(&mut self, places: &[Place], width: f64, colour: Colour) -> Result<(), PlotError> {
        let half = width / 2.0;
        let paint = filled(colour);
        for pair in places.windows(2) {
            let [from, to] = [pair[0], pair[1]].map(|(x, y)| (f64::from(x), f64::from(y)));
            let (across, down) = (to.0 - from.0, to.1 - from.1);
            let length = across.hypot(down).max(1e-9);
            let (dx, dy) = (-down / length * half, across / length * half);
            let corner = |x: f64, y: f64| (x.round() as i32, y.round() as i32);
            let outline = [
                corner(from.0 + dx, from.1 + dy),
                corner(to.0 + dx, to.1 + dy),
                corner(to.0 - dx, to.1 - dy),
                corner(from.0 - dx, from.1 - dy),
            ];
            self.backend.fill_polygon(outline, &paint).map_err(PlotError::of_library)?;
        }
        if width >= 3.0 && (places.len() > 2 || places.len() == 1) {
            for &place in places {
                self.backend.draw_circle(place, half.round() as u32, &paint, true).map_err(PlotError::of_library)?;
            }
        }
        Ok(())
    }
}

impl Rect {
    pub(crate) fn width(&self) -> f64 {
        self.right - self.left
    }

    pub(crate) fn height(&self) -> f64 {
        self.bottom - self.top
    }
}

fn text_style(face: Type, size: f64) -> TextStyle<'static> {
    let weight = if face.is_bold { FontStyle::Bold } else { FontStyle::Normal };
    let font = (FAMILY, size, weight).into_font();
    TextStyle { font, color: rgba(face.colour).to_backend_color(), pos: Pos::new(HPos::Left, VPos::Top) }
}

fn rgba(colour: Colour) -> RGBAColor {
    RGBAColor::from(RGBColor(colour.0, colour.1, colour.2))
}

fn filled(colour: Colour) -> ShapeStyle {
    ShapeStyle { color: rgba(colour), filled: true, stroke_width: 1 }
}
