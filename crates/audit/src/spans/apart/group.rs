//! Which tokens belong to one image: attention says.
//!
//! Each token found brings what attention gave it, o = Σ_l p_l·v_l: a mean over the values of its own image. Those of one image lie
//! close together, and about that of its CLS token, from which patches differ by much the same in all images. So tokens are dealt to
//! the nearest CLS token's output plus one shift, no image getting two at a position.

/// Rounds of dealing and shifting.
const ROUNDS: usize = 20;

/// For each image and position the number of its token, or nothing where there is none.
pub(super) type Dealt = Vec<Vec<Option<usize>>>;

/// Deals tokens, given by their attention's outputs `tokens[k][·]: [d]`, to images, given by those of their CLS tokens. The second value
/// is where each image's tokens lie.
pub(super) fn group(class: &[Vec<f64>], tokens: &[Vec<Vec<f64>>]) -> (Dealt, Vec<Vec<f64>>) {
    let mut centres = class.to_vec();
    let mut dealt = deal(&centres, tokens);
    for _ in 0..ROUNDS {
        let mut shift = vec![0.0; class.first().map_or(0, Vec::len)];
        let mut count = 0.0;
        for (image, class) in dealt.iter().zip(class) {
            for own in of(image, tokens) {
                count += 1.0;
                shift.iter_mut().zip(own).zip(class).for_each(|((s, o), c)| *s += o - c);
            }
        }
        if count == 0.0 {
            break;
        }
        centres = class.iter().map(|c| c.iter().zip(&shift).map(|(c, s)| c + s / count).collect()).collect();
        let next = deal(&centres, tokens);
        if next == dealt {
            break;
        }
        dealt = next;
    }
    (dealt, centres)
}

/// The outputs of an image's tokens.
fn of<'a>(image: &'a [Option<usize>], tokens: &'a [Vec<Vec<f64>>]) -> impl Iterator<Item = &'a Vec<f64>> {
    image.iter().zip(tokens).filter_map(|(token, some)| token.map(|token| &some[token]))
}

fn deal(centres: &[Vec<f64>], tokens: &[Vec<Vec<f64>>]) -> Dealt {
    let mut dealt = vec![vec![None; tokens.len()]; centres.len()];
    for (k, some) in tokens.iter().enumerate() {
        let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
        for (token, output) in some.iter().enumerate() {
            pairs.extend(centres.iter().enumerate().map(|(image, c)| (distance(output, c), token, image)));
        }
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut used, mut full) = (vec![false; some.len()], vec![false; centres.len()]);
        for (_, token, image) in pairs {
            if !used[token] && !full[image] {
                (used[token], full[image]) = (true, true);
                dealt[image][k] = Some(token);
            }
        }
    }
    dealt
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two images whose CLS outputs lie two apart, patches shifted by more than that, and one token missing.
    #[test]
    fn tokens_are_dealt_about_shifted_outputs() {
        let class = [vec![0.0, 0.0], vec![2.0, 0.0]];
        let tokens = vec![
            vec![vec![3.1, 5.0], vec![1.0, 5.1]],
            vec![vec![0.9, 4.9], vec![3.0, 5.0]],
            vec![vec![2.9, 5.0]],
        ];
        let (dealt, centres) = group(&class, &tokens);
        assert_eq!(dealt, vec![vec![Some(1), Some(0), None], vec![Some(0), Some(1), Some(0)]]);
        assert!((centres[0][0] - 1.0).abs() < 0.2 && (centres[1][0] - 3.0).abs() < 0.2, "{centres:?}");
    }
}
