//! Folds of cross-validation that every site deals out by itself: a group's fold follows from the job's seed and the group's name, so
//! that no group is split, no site says which groups it has, and rows that move to another site keep their fold.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::features::Features;

/// What tells a group from all others, wherever its rows lie: a digest.
pub type GroupName = [u8; 32];

/// The names of the groups of rows. Files number their groups each for itself, so a group is named by the smallest digest among its
/// images, or among its rows' names where the images' are not known.
pub fn group_names(features: &Features) -> Vec<GroupName> {
    let name = |at: usize| match features.image_digests.get(at) {
        Some(digest) => digest_of("blindscope/learn/group/image/v1", digest),
        None => digest_of("blindscope/learn/group/row/v1", features.ids[at].as_bytes()),
    };
    let mut smallest: HashMap<usize, GroupName> = HashMap::new();
    for (at, group) in features.groups.iter().enumerate() {
        let name = name(at);
        smallest.entry(*group).and_modify(|known| *known = name.min(*known)).or_insert(name);
    }
    features.groups.iter().map(|group| smallest[group]).collect()
}

/// The name of a row that belongs to no known group: that of its values.
pub(super) fn name_of_row(row: &[f32]) -> GroupName {
    let mut bytes = vec![0; 4 * row.len()];
    bytes.as_chunks_mut::<4>().0.iter_mut().zip(row).for_each(|(to, v)| *to = v.to_le_bytes());
    digest_of("blindscope/learn/group/values/v1", &bytes)
}

fn digest_of(domain: &str, bytes: &[u8]) -> GroupName {
    Sha256::new().chain_update(domain).chain_update([0]).chain_update(bytes).finalize().into()
}

/// The fold of a group, below `folds`.
pub(super) fn fold_of(seed: u64, folds: usize, group: &GroupName) -> usize {
    let keyed = [&seed.to_le_bytes()[..], group].concat();
    let mut word = [0; 8];
    word.copy_from_slice(&digest_of("blindscope/learn/fold/v1", &keyed)[..8]);
    // Range: at most twenty folds of 2^64 words, so no fold is likelier than another by more than 2^-59.
    (u64::from_le_bytes(word) % folds.max(1) as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_keep_their_name_in_other_files_and_folds_are_even() {
        let file = |ids: &[&str], groups: &[usize]| Features {
            ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            groups: groups.to_vec(),
            ..Features::default()
        };
        let all = group_names(&file(&["a", "b", "c", "d"], &[7, 3, 7, 3]));
        assert_eq!((all[0], all[1]), (all[2], all[3]), "one name a group");
        assert_ne!(all[0], all[1]);
        assert_eq!(group_names(&file(&["c", "a"], &[0, 0])), [all[0]; 2], "other order, other numbers");
        let mut counts = [0usize; 5];
        let names: Vec<GroupName> = (0..5000u32).map(|i| name_of_row(&[i as f32])).collect();
        for name in &names {
            counts[fold_of(3, 5, name)] += 1;
        }
        // Chi-square with four degrees of freedom: 18.5 is passed once in a thousand seeds.
        let chi: f64 = counts.iter().map(|n| (*n as f64 - 1000.0).powi(2) / 1000.0).sum();
        assert!(chi < 18.5, "{counts:?}");
        let moved = names.iter().filter(|name| fold_of(3, 5, name) != fold_of(4, 5, name)).count();
        assert!((3800..4200).contains(&moved), "another seed deals anew: {moved}");
    }
}
