//! Microns a pixel of a TIFF slide: OME-XML, then the vendor's record, then the resolution tags where plausible.

use super::Kind;
use super::directory::{Directory, tag};
use crate::slides::problem::SlideProblem;
use crate::slides::reader::{Mpp, MppSource};
use crate::slides::source::Source;

/// Microns a pixel of the first directory, or what was found instead.
pub(super) fn mpp(
    source: &Source,
    base: &Directory,
    kind: Kind,
    description: &str,
) -> Result<Result<Mpp, String>, SlideProblem> {
    let named = match kind {
        Kind::Ome => ome(description).map(|(x, y)| (x, y, MppSource::Ome)),
        Kind::Aperio => aperio(description).map(|mpp| (mpp, mpp, MppSource::Vendor)),
        Kind::Generic => None,
    };
    let mut found = Vec::new();
    for candidate in [named, resolution(source, base)?].into_iter().flatten() {
        let (x, y, from) = candidate;
        if let Some(mpp) = Mpp::plausible(x, y, from) {
            return Ok(Ok(mpp));
        }
        let told = match from {
            MppSource::Ome => "the OME description",
            MppSource::Vendor => "the vendor's description",
            _ => "the resolution of the file",
        };
        found.push(format!("{told} says {x:.4} × {y:.4} µm, which no scanner has"));
    }
    Ok(Err(if found.is_empty() { "nothing in the file tells".into() } else { found.join("; ") }))
}

/// `|MPP = 0.4990|` of an Aperio description.
fn aperio(description: &str) -> Option<f64> {
    let field = |part: &str| {
        let (name, value) = part.split_once('=')?;
        if name.trim() == "MPP" { value.trim().parse().ok() } else { None }
    };
    description.split('|').find_map(field)
}

/// `PhysicalSizeX` and `PhysicalSizeY` of the first `Pixels` element.
fn ome(xml: &str) -> Option<(f64, f64)> {
    let element = &xml[xml.find("<Pixels")?..];
    let element = &element[..element.find('>')?];
    let attribute = |name: &str| {
        let value = &element[element.find(&format!(" {name}=\""))? + name.len() + 3..];
        Some(&value[..value.find('"')?])
    };
    let microns = |axis: &str| {
        let size: f64 = attribute(&format!("PhysicalSize{axis}"))?.parse().ok()?;
        let unit = match attribute(&format!("PhysicalSize{axis}Unit")).unwrap_or("µm") {
            "µm" | "μm" | "um" | "&#181;m" | "&#xB5;m" | "micron" => 1.0,
            "nm" => 1e-3,
            "mm" => 1e3,
            "cm" => 1e4,
            "m" => 1e6,
            _ => return None,
        };
        Some(size * unit)
    };
    Some((microns("X")?, microns("Y")?))
}

/// The resolution tags in microns a pixel; none without a unit of length.
fn resolution(source: &Source, base: &Directory) -> Result<Option<(f64, f64, MppSource)>, SlideProblem> {
    // TIFF's default unit is the inch.
    let unit = match base.number(source, tag::RESOLUTION_UNIT)?.unwrap_or(2) {
        2 => 25_400.0,
        3 => 10_000.0,
        _ => return Ok(None),
    };
    let (x, y) = (base.rational(source, tag::X_RESOLUTION)?, base.rational(source, tag::Y_RESOLUTION)?);
    Ok(x.zip(y).map(|(x, y)| (unit / x, unit / y, MppSource::TiffResolution)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendors_records_are_read_with_their_units() {
        let description = "Aperio Image Library v11.2.1 |AppMag = 20|MPP = 0.4990|Left = 25.7";
        assert_eq!(aperio(description), Some(0.499));
        assert_eq!(aperio("Aperio |OriginalMPP = 0.25|"), None);
        let xml =
            r#"<OME><Pixels ID="P" PhysicalSizeX="499" PhysicalSizeXUnit="nm" PhysicalSizeY="0.5" /></OME>"#;
        assert_eq!(ome(xml).map(|(x, y)| (x * 1000.0, y)), Some((499.0, 0.5)));
        assert_eq!(
            ome(r#"<OME><Pixels PhysicalSizeX="1" PhysicalSizeXUnit="pixel" PhysicalSizeY="1"/>"#),
            None
        );
    }
}
