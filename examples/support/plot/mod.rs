//! Figures as PNG and SVG files.

pub(crate) mod series;

use std::{fmt::Display, fs, io::Write, path::Path};

use epaint_default_fonts::UBUNTU_LIGHT;
use plotters::{coord::Shift, prelude::*, style::register_font};

use crate::support::{Result, outputs};

/// The font of all text. It is registered under the names that an SVG viewer is to try in turn.
pub(crate) const FONT: &str = "Ubuntu, Arial, Helvetica, sans-serif";
pub(crate) const TITLE_SIZE: u32 = 38;
pub(crate) const LABEL_SIZE: u32 = 28;
pub(crate) const TICK_SIZE: u32 = 25;

// Colours that people with any kind of colour vision can tell apart (Okabe & Ito 2008).
pub(crate) const BLUE: RGBColor = RGBColor(0, 114, 178);
pub(crate) const SKY: RGBColor = RGBColor(86, 180, 233);
pub(crate) const GREEN: RGBColor = RGBColor(0, 158, 115);
pub(crate) const VERMILION: RGBColor = RGBColor(213, 94, 0);
pub(crate) const PURPLE: RGBColor = RGBColor(204, 121, 167);
pub(crate) const GREY: RGBColor = RGBColor(110, 110, 110);

/// What drawing on a backend returns.
pub(crate) type Drawn<DB, T = ()> = std::result::Result<T, DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

/// Something that can be drawn on any backend.
pub(crate) trait Figure {
    /// Width and height in pixels.
    const SIZE: (u32, u32);

    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Drawn<DB>;
}

/// Fails when the name of the file says neither PNG nor SVG.
pub(crate) fn check(path: &Path) -> Result<()> {
    Kind::of(path).map(|_| ())
}

/// Draws a figure into a file of the kind that its name says, which is there whole, or as it was.
pub(crate) fn save<F: Figure>(figure: &F, path: &Path) -> Result<()> {
    register_font(FONT, FontStyle::Normal, UBUNTU_LIGHT).map_err(|_| "the font of the plots cannot be read")?;
    let failed = |error: &dyn Display| format!("cannot write {}: {error}", path.display());
    let drawn = match Kind::of(path)? {
        Kind::Png => png(figure)?,
        Kind::Svg => svg(figure).map_err(|error| failed(&error))?.into_bytes(),
    };
    outputs::replace(path, |file| file.write_all(&drawn)).map_err(|error| failed(&error))?;
    Ok(())
}

/// Plotters encodes into files only.
fn png<F: Figure>(figure: &F) -> Result<Vec<u8>> {
    let failed = |error: &dyn Display| format!("cannot draw in a temporary folder: {error}");
    let folder = tempfile::tempdir().map_err(|error| failed(&error))?;
    let path = folder.path().join("figure.png");
    render(figure, BitMapBackend::new(&path, F::SIZE)).map_err(|error| failed(&error))?;
    Ok(fs::read(path).map_err(|error| failed(&error))?)
}

fn svg<F: Figure>(figure: &F) -> Drawn<SVGBackend<'_>, String> {
    let mut drawn = String::new();
    render(figure, SVGBackend::with_string(&mut drawn, F::SIZE))?;
    Ok(drawn)
}

fn render<DB: DrawingBackend>(figure: &impl Figure, backend: DB) -> Drawn<DB> {
    let area = backend.into_drawing_area();
    area.fill(&WHITE)?;
    figure.draw(&area)?;
    area.present()
}

enum Kind {
    Png,
    Svg,
}

impl Kind {
    fn of(path: &Path) -> Result<Self> {
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        match extension.as_deref() {
            Some("png") => Ok(Self::Png),
            Some("svg") => Ok(Self::Svg),
            _ => Err(format!("cannot plot into {}: its name must end in .png or .svg", path.display()).into()),
        }
    }
}
