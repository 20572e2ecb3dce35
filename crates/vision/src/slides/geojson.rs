//! Outlines as GeoJSON (RFC 7946) in pixels of level 0: what TRIDENT and QuPath write, and what both open.

use std::path::Path;

use serde_json::{Value, json};

use super::Outline;
use crate::error::{Error, Result};

const FORMAT: &str = "GeoJSON";
/// Most bytes of a file of outlines.
const MOST_BYTES: u64 = 512 << 20;
/// Most points of all outlines together.
const MOST_POINTS: usize = 20_000_000;

/// The polygons of a file: a feature collection, a feature, a geometry, or a list of features as QuPath exports them.
/// Annotations whose class QuPath names `Ignore*` are left out.
///
/// # Errors
/// [`Error::Format`] for other content, [`Error::Io`] where it cannot be read.
pub fn read_outlines(path: &Path) -> Result<Vec<Outline>> {
    let length = std::fs::metadata(path).map_err(Error::io("reading", path))?.len();
    let bad = |reason: String| Error::format(FORMAT, path, reason);
    if length > MOST_BYTES {
        return Err(bad(format!("{length} bytes are more than the {MOST_BYTES} allowed")));
    }
    let text = std::fs::read_to_string(path).map_err(Error::io("reading", path))?;
    let value: Value = serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
    let mut reader = Reader { outlines: Vec::new(), points: 0 };
    reader.any(&value, 0).map_err(bad)?;
    Ok(reader.outlines)
}

struct Reader {
    outlines: Vec<Outline>,
    points: usize,
}

impl Reader {
    fn any(&mut self, value: &Value, depth: usize) -> std::result::Result<(), String> {
        if depth > 8 {
            return Err("collections within collections".into());
        }
        if let Value::Array(features) = value {
            return features.iter().try_for_each(|feature| self.any(feature, depth + 1));
        }
        match value.get("type").and_then(Value::as_str) {
            Some("FeatureCollection") => self.any(value.get("features").unwrap_or(&Value::Null), depth + 1),
            Some("Feature") => {
                let class = value.pointer("/properties/classification/name").and_then(Value::as_str);
                if class.is_some_and(|name| name.starts_with("Ignore")) {
                    return Ok(());
                }
                self.any(value.get("geometry").unwrap_or(&Value::Null), depth + 1)
            }
            Some("GeometryCollection") => {
                self.any(value.get("geometries").unwrap_or(&Value::Null), depth + 1)
            }
            Some("Polygon") => self.polygon(&value["coordinates"]),
            Some("MultiPolygon") => {
                let polygons = value["coordinates"].as_array().ok_or("a MultiPolygon without coordinates")?;
                polygons.iter().try_for_each(|polygon| self.polygon(polygon))
            }
            // Points and lines have no area.
            Some("Point" | "MultiPoint" | "LineString" | "MultiLineString") => Ok(()),
            Some(other) => Err(format!("`{other}` is no GeoJSON type")),
            None => Err("an object without a type".into()),
        }
    }

    fn polygon(&mut self, rings: &Value) -> std::result::Result<(), String> {
        let rings = rings.as_array().ok_or("a polygon without coordinates")?;
        let mut read =
            rings.iter().map(|ring| self.ring(ring)).collect::<std::result::Result<Vec<_>, _>>()?.into_iter();
        if let Some(outer) = read.next() {
            self.outlines.push(Outline { outer, holes: read.collect() });
        }
        Ok(())
    }

    fn ring(&mut self, ring: &Value) -> std::result::Result<Vec<[f64; 2]>, String> {
        let points = ring.as_array().ok_or("a ring that is no list")?;
        self.points += points.len();
        if self.points > MOST_POINTS {
            return Err(format!("more than {MOST_POINTS} points"));
        }
        let number = |point: &Value, axis: usize| {
            let value = point.get(axis).and_then(Value::as_f64).filter(|v| v.abs() < 1e9);
            value.ok_or_else(|| format!("`{point}` is no point of a slide"))
        };
        let mut out: Vec<[f64; 2]> = points
            .iter()
            .map(|p| Ok([number(p, 0)?, number(p, 1)?]))
            .collect::<std::result::Result<_, String>>()?;
        // GeoJSON repeats the first point at the end.
        if out.len() > 1 && out.first() == out.last() {
            out.pop();
        }
        if out.len() < 3 { Err(format!("a ring of {} points", out.len())) } else { Ok(out) }
    }
}

/// A feature collection of outlines.
pub fn write_outlines(outlines: &[Outline]) -> Value {
    let ring = |points: &Vec<[f64; 2]>| {
        let first = points.first();
        json!(points.iter().chain(first).collect::<Vec<_>>())
    };
    let feature = |(i, outline): (usize, &Outline)| {
        let rings: Vec<Value> = std::iter::once(&outline.outer).chain(&outline.holes).map(ring).collect();
        json!({
            "type": "Feature",
            "properties": { "tissue_id": i, "objectType": "annotation", "classification": { "name": "Tissue" } },
            "geometry": { "type": "Polygon", "coordinates": rings },
        })
    };
    json!({ "type": "FeatureCollection", "features": outlines.iter().enumerate().map(feature).collect::<Vec<_>>() })
}
