//! The slide of a row, from the row's name.

use std::collections::HashMap;

/// The slide in the name of a tile's row: `SLIDE/X_Y`, or `SLIDE/NUMBER` where coordinates are unknown. None for other names, such as
/// those of image files.
pub fn slide_of_row(id: &str) -> Option<&str> {
    let (slide, tile) = id.rsplit_once('/')?;
    let number = |text: &str| !text.is_empty() && text.parse::<i64>().is_ok();
    let named = match tile.split_once('_') {
        Some((x, y)) => number(x) && number(y),
        None => number(tile),
    };
    (named && !slide.is_empty()).then_some(slide)
}

/// The number of each row's slide, counted from 0 in the order in which slides come first; none where a row names no slide.
pub fn slides_of_rows<'a>(ids: impl IntoIterator<Item = &'a str>) -> Option<Vec<usize>> {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    ids.into_iter()
        .map(|id| {
            let next = numbers.len();
            slide_of_row(id).map(|slide| *numbers.entry(slide).or_insert(next))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tiles_are_told_from_names_of_files() {
        assert_eq!(slide_of_row("a/b/512_0"), Some("a/b"));
        assert_eq!(slide_of_row("a.svs/7"), Some("a.svs"));
        for other in ["slide", "tumour/a_1.png", "a/", "/3", "a/x_1", "a/1_", "a/1_2_3"] {
            assert_eq!(slide_of_row(other), None, "{other}");
        }
        assert_eq!(slides_of_rows(["b/0", "a/0", "b/1"]), Some(vec![0, 1, 0]));
        assert_eq!(slides_of_rows(["b/0", "c.png"]), None);
    }
}
