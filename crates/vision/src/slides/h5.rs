//! HDF5 as TRIDENT lays it out: `coords` `[n, 2]` at level 0 with the grid as attributes, `features` `[n, d]`.

use std::path::Path;

use hdf5_writer::{AttributeBuilder, DatasetBuilder, H5WriteElement, Hdf5Builder, UNLIMITED, WriteOptions};

use crate::error::{Error, Result};
use crate::replace::replace;
use crate::slides::TilePlan;

const FORMAT: &str = "HDF5";
/// Rows of a chunk. TRIDENT writes one; more read faster, and appending works the same.
const CHUNK: usize = 256;

/// What stands beside coordinates.
#[derive(Clone, Debug)]
pub(super) struct TileFacts<'a> {
    pub(super) name: &'a str,
    pub(super) plan: &'a TilePlan,
    pub(super) overlap: usize,
    pub(super) size: (u64, u64),
    pub(super) mpp: f64,
}

fn attributes(mut data: DatasetBuilder, facts: &TileFacts<'_>) -> hdf5_writer::Result<DatasetBuilder> {
    let plan = facts.plan;
    let mut numbers = vec![
        ("patch_size", plan.side as i64),
        ("patch_size_level0", plan.side_level0 as i64),
        ("overlap", facts.overlap as i64),
        ("level0_width", facts.size.0 as i64),
        ("level0_height", facts.size.1 as i64),
    ];
    if let Some((level0, target)) = plan.magnifications {
        numbers.extend([
            ("level0_magnification", i64::from(level0)),
            ("target_magnification", i64::from(target)),
        ]);
    }
    for (name, value) in numbers {
        data = data.attribute(AttributeBuilder::scalar(name, value)?);
    }
    for (name, value) in [("level0_mpp", facts.mpp), ("target_mpp", facts.mpp * plan.downsample)] {
        data = data.attribute(AttributeBuilder::scalar(name, value)?);
    }
    data = data.attribute(AttributeBuilder::fixed_string("name", facts.name));
    Ok(data.attribute(AttributeBuilder::fixed_string("savetodir", "")))
}

fn matrix<T: H5WriteElement>(name: &str, width: usize, values: &[T]) -> hdf5_writer::Result<DatasetBuilder> {
    let rows = values.len() / width.max(1);
    let data = DatasetBuilder::typed_data(name, vec![rows as u64, width as u64], values)?;
    let chunk = rows.clamp(1, CHUNK) as u64;
    Ok(data.max_shape(vec![UNLIMITED, width as u64]).chunked(vec![chunk, width as u64]))
}

/// Writes coordinates, with features where there are any; the file is whole or not there.
///
/// # Errors
/// [`Error::Format`] for features of more bytes than the format holds; [`Error::Io`] where the file cannot be written.
pub(super) fn write(
    path: &Path,
    facts: &TileFacts<'_>,
    coordinates: &[[u64; 2]],
    features: Option<(usize, Vec<f32>, &str)>,
) -> Result<()> {
    let flat: Vec<i64> = coordinates.iter().flatten().map(|v| *v as i64).collect();
    let encode = || -> hdf5_writer::Result<Vec<u8>> {
        let mut file = Hdf5Builder::new().dataset(attributes(matrix("coords", 2, &flat)?, facts)?);
        if let Some((width, values, encoder)) = features {
            let data = matrix("features", width, &values)?;
            drop(values);
            let data = data.attribute(AttributeBuilder::fixed_string("encoder", encoder));
            file = file.dataset(data.attribute(AttributeBuilder::fixed_string("name", facts.name)));
        }
        file.into_plan()?.encode(WriteOptions::default())
    };
    let bytes = encode().map_err(|e| Error::format(FORMAT, path, e))?;
    replace(path, &bytes)
}
