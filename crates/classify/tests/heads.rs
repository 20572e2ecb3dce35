//! Heads as files: JSON and `safetensors` give the same head, and the same refusals.

#![allow(clippy::unwrap_used)]

mod common;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use blindscope_classify::{Affine, Clipped, Error, Head, HeadLiteral, Map, Normalisation};
use blindscope_testkit::rng;
use common::{linear, polynomial, quadratic};

fn heads() -> Vec<Head> {
    let mut r = rng(61);
    let four = polynomial(&mut r, [7, 4, 2], &[0.1, 0.5, 0.2, 0.02, 0.01]);
    let unstated = Head::new(HeadLiteral { range: None, ..four.literal().clone() }).unwrap();
    let short = linear(&mut r, 9, 3).within(&[[1.0; 9]], 1.5).unwrap();
    let names = ["aca", "n", "scc \u{e9}"].map(str::to_owned).to_vec();
    vec![
        short.clone(),
        linear(&mut r, 9, 3),
        quadratic(&mut r, 8, 3, 2),
        polynomial(&mut r, [7, 4, 2], &[0.1, 0.5, 0.2]),
        four,
        unstated,
        short.of_classes(names).unwrap(),
    ]
}

#[test]
fn both_forms_are_the_same_head() {
    for head in heads() {
        for bytes in [head.to_json().unwrap(), head.to_safetensors().unwrap()] {
            let read = Head::from_bytes(&bytes).unwrap();
            assert_eq!(read, head);
            assert_eq!(read.digest().unwrap(), head.digest().unwrap());
        }
    }
}

#[test]
fn names_of_classes_travel_with_the_file_and_change_no_plan() {
    let bare = linear(&mut rng(62), 4, 3);
    let names = ["aca", "n", "scc"].map(str::to_owned).to_vec();
    let named = bare.clone().of_classes(names.clone()).unwrap();
    assert_eq!(named.digest().unwrap(), bare.digest().unwrap());
    assert_eq!(named.within(&[[1.0; 4]], 2.0).unwrap().class_names(), names);
    assert_eq!(named.calibrated(&[[1.0; 4]], 2.0).unwrap().class_names(), names);
    // A file without names is the one that was written before there were any.
    assert_eq!(bare.to_json().unwrap(), serde_json::to_vec(bare.literal()).unwrap());
    for (wrong, word) in [
        (vec!["aca", "n"], "expected 3"),
        (vec!["aca", "n", "aca"], "`aca`"),
        (vec!["aca", "", "n"], "class 1"),
    ] {
        let names: Vec<String> = wrong.into_iter().map(str::to_owned).collect();
        let said = bare.clone().of_classes(names.clone()).unwrap_err().to_string();
        assert!(said.contains(word), "{said}");
        let mut file: serde_json::Value = serde_json::from_slice(&bare.to_json().unwrap()).unwrap();
        file["classes"] = names.into();
        assert_eq!(Head::from_bytes(file.to_string().as_bytes()).unwrap_err().to_string(), said);
    }
}

/// The tensors of `head` with one changed, or with another one added.
fn altered(head: &Head, name: &str, dtype: Dtype, shape: Vec<usize>, data: &[u8]) -> Vec<u8> {
    let bytes = head.to_safetensors().unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut views: Vec<(&str, TensorView<'_>)> = file.iter().filter(|(n, _)| *n != name).collect();
    views.push((name, TensorView::new(dtype, shape, data).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

#[test]
fn single_precision_is_read() {
    let normalisation = Normalisation::identity(2, 4.0);
    let layer = Affine { weights: vec![vec![0.5, -0.25], vec![0.1, 3.0]], bias: vec![0.0, 1.0] };
    let map = Map::Linear { layer };
    let head = Head::new(HeadLiteral { normalisation, map, range: None }).unwrap();
    let single: Vec<u8> = [0.5f32, -0.25, 0.125, 3.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let read = Head::from_bytes(&altered(&head, "layer.weights", Dtype::F32, vec![2, 2], &single)).unwrap();
    assert_eq!(read.circuit().first().weights, [[0.5, -0.25], [0.125, 3.0]]);
}

#[test]
fn what_is_no_head_is_refused() {
    let head = &heads()[3];
    let read = |name: &str, dtype, shape: Vec<usize>, data: &[u8]| {
        Head::from_bytes(&altered(head, name, dtype, shape, data)).unwrap_err()
    };
    let numbers = |v: &[f64]| v.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let e = read("momentum", Dtype::F64, vec![1], &numbers(&[1.0]));
    assert!(matches!(e, Error::Tensor { .. }), "{e}");
    let e = read("polynomial", Dtype::U8, vec![3], &[1, 2, 3]);
    assert!(matches!(e, Error::Tensor { name: "polynomial", .. }), "{e}");
    let e = read("polynomial", Dtype::F64, vec![3, 1], &numbers(&[1.0, 2.0, 3.0]));
    assert!(matches!(e, Error::Tensor { name: "polynomial", .. }), "{e}");
    let e = read("polynomial", Dtype::F64, vec![4], &numbers(&[1.0, 2.0, 3.0, 4.0]));
    assert!(matches!(e, Error::Length { field: "polynomial", found: 4, .. }), "{e}");
    let e = read("inner.bias", Dtype::F64, vec![4], &numbers(&[f64::NAN, 0.0, 0.0, 0.0]));
    assert!(matches!(e, Error::Value { field: "inner", .. }), "{e}");
    let e = read("outer.weights", Dtype::F64, vec![0, 4], &[]);
    assert!(matches!(e, Error::Length { field: "outer", found: 0, .. }), "{e}");
    let e = read("normalisation.bound", Dtype::F64, vec![2], &numbers(&[1.0, 2.0]));
    assert!(matches!(e, Error::Tensor { name: "normalisation.bound", .. }), "{e}");
    let bytes = head.to_safetensors().unwrap();
    for cut in [0, 7, 9, 40, bytes.len() - 1] {
        assert!(Head::from_bytes(&bytes[..cut]).is_err(), "{cut} bytes");
    }
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let without = safetensors::serialize(file.iter().filter(|(n, _)| *n != "outer.bias"), None).unwrap();
    assert!(matches!(Head::from_bytes(&without), Err(Error::SafeTensors(_))));
}

/// Box, then ball; both count what they did, and a token within them stays as it is.
#[test]
fn tokens_are_clipped_to_box_and_ball() {
    let mut r = rng(62);
    let head = linear(&mut r, 4, 2).within(&[[1.0, 1.0, 1.0, 1.0]], 1.0).unwrap();
    let normalisation = &head.literal().normalisation;
    assert_eq!((normalisation.bound, normalisation.radius), (2.0, Some(2.0)));
    let tokens = [[1.0, -1.0, 0.5, 0.0], [2.0, 2.0, -2.0, 2.0], [9.0, 0.0, 0.0, -0.5]];
    assert_eq!(head.normalise(0, &tokens[0]).unwrap(), tokens[0]);
    assert_eq!(head.normalise(0, &tokens[1]).unwrap(), [1.0, 1.0, -1.0, 1.0]);
    let norm = head.normalise(0, &tokens[2]).unwrap().iter().map(|x| x * x).sum::<f64>().sqrt();
    assert!((norm - 2.0).abs() < 1e-12, "{norm}");
    assert_eq!(normalisation.clipped(&tokens).unwrap(), Clipped { features: 1, tokens: 2 });
    let mut wrong = head.literal().clone();
    wrong.normalisation.radius = Some(0.0);
    assert!(Head::new(wrong).unwrap_err().to_string().contains("normalisation.radius"));
}
