//! Nearest neighbours: does a token lead to other pictures of the same tissue?

/// Index of the row of `gallery: [n, d]` with the largest cosine to `query` after taking off `centre`; none for an empty
/// gallery.
pub fn nearest(query: &[f32], gallery: &[f32], centre: &[f32]) -> Option<usize> {
    let d = query.len().max(1);
    let cosine = |row: &[f32]| {
        let (mut dot, mut length) = (0.0f64, 0.0f64);
        for ((q, r), c) in query.iter().zip(row).zip(centre) {
            let (q, r) = (f64::from(q - c), f64::from(r - c));
            dot += q * r;
            length += r * r;
        }
        dot / length.sqrt().max(1e-30)
    };
    gallery.chunks_exact(d).map(cosine).enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(index, _)| index)
}

/// For each query 1 if its nearest gallery row belongs to its group, else 0.
pub fn same_group(
    queries: &[f32],
    query_groups: &[usize],
    gallery: &[f32],
    gallery_groups: &[usize],
    centre: &[f32],
) -> Vec<f64> {
    let d = centre.len().max(1);
    let pairs = queries.chunks_exact(d).zip(query_groups);
    pairs
        .map(|(query, group)| {
            let found = nearest(query, gallery, centre).and_then(|at| gallery_groups.get(at));
            f64::from(found == Some(group))
        })
        .collect()
}
