//! Bad input is named and set aside; nothing that was stored is lost.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::format_push_string,
    reason = "a test"
)]

mod common;

use std::ops::ControlFlow;
use std::path::Path;

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use blindscope_vision::Error;
use blindscope_vision::data::{
    CsvColumns, Limits, Preprocess, SplitPlan, check_no_leak, connected_groups, dirichlet_sites, k_fold,
    read_csv, read_folder,
};
use blindscope_vision::features::{Extraction, FeatureCache, Features, ImportOptions, extract, import};
use blindscope_vision::synth::SyntheticPlan;
use blindscope_vision::vit::{self, Config, Parameters, Vit};

fn small() -> Vit {
    let config = Config::plain(32, 8, 24, 2, 2);
    let parameters = Parameters::random(&config, &mut ChaCha12Rng::seed_from_u64(2));
    Vit::new(config, parameters).unwrap()
}

fn extraction<'a>(model: &'a Vit, cache: Option<&'a Path>) -> Extraction<'a> {
    Extraction { model, preprocess: Preprocess::imagenet(32), limits: Limits::default(), batch: 4, cache }
}

fn plan() -> SyntheticPlan {
    SyntheticPlan { side: 32, patients: 2, tiles: 2, sites: 2, seed: 1 }
}

#[test]
fn damaged_tiles_are_listed_and_the_rest_extracted() {
    let folder = common::folder("damaged");
    plan().write(&folder).unwrap();
    let whole = std::fs::read(folder.join("glands/site-1-patient-1-1.png")).unwrap();
    std::fs::write(folder.join("glands/cut.png"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(folder.join("glands/empty.jpg"), b"").unwrap();
    std::fs::write(folder.join("glands/notes.txt"), b"hello").unwrap();
    let tiles = read_folder(&folder).unwrap();
    let model = small();
    let (features, rejected) =
        extract(&tiles, &extraction(&model, None), &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!((features.len(), features.width), (24, 24));
    let ids: Vec<_> = rejected.iter().map(|r| r.id.as_str()).collect();
    assert_eq!(ids, ["glands/notes.txt", "glands/cut.png", "glands/empty.jpg"]);
    assert!(rejected[1].reason.contains("not a whole JPEG, PNG or TIFF image"), "{}", rejected[1].reason);
    std::fs::remove_dir_all(folder).unwrap();
}

/// TIFF is what scanners write: stripes, sixteen bits and grey come out as the PNG of the same picture.
#[test]
fn tiff_tiles_give_the_features_of_their_png() {
    let folder = common::folder("tiff");
    plan().write(&folder).unwrap();
    // Turned, since the same image under two labels would be set aside.
    let png = image::open(folder.join("glands/site-1-patient-1-1.png")).unwrap().rotate180();
    let pair = |class: &str, picture: image::DynamicImage| {
        std::fs::create_dir(folder.join(class)).unwrap();
        picture.save(folder.join(class).join("tile.png")).unwrap();
        picture.save(folder.join(class).join("tile.tiff")).unwrap();
    };
    pair("rgb", image::DynamicImage::ImageRgb8(png.to_rgb8()));
    pair("rgb16", image::DynamicImage::ImageRgb16(png.to_rgb16()));
    pair("grey", image::DynamicImage::ImageLuma8(png.to_luma8()));
    let whole = std::fs::read(folder.join("rgb/tile.tiff")).unwrap();
    std::fs::write(folder.join("rgb/cut.tif"), &whole[..whole.len() / 2]).unwrap();
    let tiles = read_folder(&folder).unwrap();
    let model = small();
    let (features, rejected) =
        extract(&tiles, &extraction(&model, None), &mut |_| ControlFlow::Continue(())).unwrap();
    for class in ["rgb", "rgb16", "grey"] {
        let row = |name: &str| {
            let at = features.ids.iter().position(|id| *id == format!("{class}/{name}")).unwrap();
            features.row(at).unwrap().into_owned()
        };
        let worst = row("tile.png").into_iter().zip(row("tile.tiff")).map(|(a, b)| (a - b).abs());
        // The same pixels in another batch: products may add up in another order.
        assert!(worst.fold(0.0, f32::max) < 1e-5, "{class}");
    }
    assert_eq!(rejected.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(), ["rgb/cut.tif"]);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn extraction_stops_and_takes_up_again_from_its_cache() {
    let folder = common::folder("resume");
    let tiles = plan().write(&folder).unwrap();
    let (model, cache) = (small(), folder.join("cache"));
    let extraction = extraction(&model, Some(&cache));
    let stopped = extract(&tiles, &extraction, &mut |p| {
        if p.done >= 8 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(stopped, Err(Error::Cancelled { done: 8, total: 24, .. })), "{stopped:?}");

    let digest = extraction.backbone_digest();
    assert_eq!(FeatureCache::open(&cache, &digest, 24).unwrap().len(), 8);
    // A crash in the middle of a record costs that record alone.
    let files = std::fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path());
    let file = files.into_iter().find(|path| path.extension().is_some_and(|e| e == "cls")).unwrap();
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 5]).unwrap();
    assert_eq!(FeatureCache::open(&cache, &digest, 24).unwrap().len(), 7);

    let (again, _) = extract(&tiles, &extraction, &mut |_| ControlFlow::Continue(())).unwrap();
    let uncached = Extraction { cache: None, preprocess: extraction.preprocess.clone(), ..extraction };
    let (fresh, _) = extract(&tiles, &uncached, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(again.ids, fresh.ids);
    let (again, fresh) = (again.values.whole().unwrap(), fresh.values.whole().unwrap());
    let worst = again.iter().zip(&*fresh).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
    assert!(worst < 1e-5, "cached and fresh features differ by {worst}");

    // Another backbone of the same name prefix is refused and the file left alone.
    let message = FeatureCache::open(&cache, &digest, 48).unwrap_err().to_string();
    assert!(message.contains("belongs to another backbone"), "{message}");
    assert_eq!(FeatureCache::open(&cache, &digest, 24).unwrap().len(), 24);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn features_survive_a_round_trip_and_imports_are_checked() {
    let folder = common::folder("features");
    let tiles = plan().write(&folder).unwrap();
    let model = small();
    let (features, _) =
        extract(&tiles, &extraction(&model, None), &mut |_| ControlFlow::Continue(())).unwrap();
    let path = folder.join("features.safetensors");
    features.save(&path).unwrap();
    assert_eq!(Features::load(&path).unwrap(), features);
    assert_eq!(import(&path, &ImportOptions::default()).unwrap().features, features);
    let csv = folder.join("other.csv");
    std::fs::write(&csv, "id,label,f0,f1\na,x,1,2\nb,y,3,4.5\n").unwrap();
    let imported = import(&csv, &ImportOptions::default()).unwrap().features;
    assert_eq!((imported.width, imported.labels[1]), (2, Some(1)));
    assert_eq!(imported.row(1).unwrap()[..], [3.0, 4.5]);
    std::fs::write(&csv, "id,label,f0\na,x,NaN\n").unwrap();
    assert!(
        import(&csv, &ImportOptions::default())
            .unwrap_err()
            .to_string()
            .contains("row `a` column 0 is not finite")
    );
    let h5 = folder.join("f.h5");
    std::fs::write(&h5, "no HDF5").unwrap();
    let message = import(&h5, &ImportOptions::default()).unwrap_err().to_string();
    assert!(message.contains("f.h5 is not a readable HDF5 file"), "{message}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_foreign_checkpoint_is_refused_with_every_difference() {
    let folder = common::folder("checkpoint");
    let path = folder.join("model.safetensors");
    let model = small();
    vit::save(&model, &path).unwrap();
    let back = vit::load_with(&path, model.config().clone()).unwrap();
    assert_eq!(back.parameters(), model.parameters());
    assert_eq!(back.digest(), model.digest());

    let deeper = Config { depth: 3, registers: 1, width: 48, ..model.config().clone() };
    let Err(Error::Checkpoint(mismatch)) = vit::load_with(&path, deeper) else {
        panic!("a mismatch was loaded")
    };
    assert!(mismatch.missing.contains(&"reg_token".to_owned()) && mismatch.missing.len() == 13, "{mismatch}");
    assert!(mismatch.shapes.iter().any(|(n, a, b)| n == "cls_token" && a == &[1, 1, 48] && b == &[1, 1, 24]));
    let shallow = Config { depth: 1, ..model.config().clone() };
    let Err(Error::Checkpoint(mismatch)) = vit::load_with(&path, shallow) else {
        panic!("a mismatch was loaded")
    };
    assert_eq!((mismatch.missing.len(), mismatch.extra.len(), mismatch.shapes.len()), (0, 12, 0));

    let larger = vit::load_with(&path, Config { image: 48, ..model.config().clone() }).unwrap();
    assert_eq!(larger.parameters().positions.len(), 37 * 24, "positions are resampled to another image size");

    let mut bytes = std::fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let message = vit::load_with(&path, model.config().clone()).unwrap_err().to_string();
    assert!(message.contains("holds 1 values that are not finite"), "{message}");
    std::fs::write(&path, &bytes[..end / 2]).unwrap();
    assert!(matches!(vit::load_with(&path, model.config().clone()), Err(Error::Format { .. })));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn splits_keep_patients_whole_and_refuse_the_impossible() {
    let folder = common::folder("splits");
    let list = folder.join("tiles.csv");
    let mut text = String::from("path,label,group,patient,site\n");
    for i in 0..240 {
        let (class, patient) = (["a", "b", "c"][i % 3], i / 6);
        text.push_str(&format!("{i:03}.png,{class},g{},p{patient},s{}\n", i / 2, patient % 4));
    }
    text.push_str("000.png,a,,,\n,b,,,\n");
    std::fs::write(&list, text).unwrap();
    let tiles = read_csv(&list, &CsvColumns::default()).unwrap();
    assert_eq!((tiles.samples.len(), tiles.rejected.len()), (240, 2));
    let (labels, groups) = (tiles.labels(), connected_groups(&tiles));
    assert_eq!(groups.iter().max(), Some(&39), "groups within a patient are joined");

    let split = SplitPlan::train_validation_test(0.6, 0.2, 0.2, 9).apply(&labels, &groups).unwrap();
    check_no_leak(&split, &groups).unwrap();
    let sizes: Vec<usize> = (0..3).map(|p| split.members(p).len()).collect();
    assert!(
        sizes[0].abs_diff(144) <= 6 && sizes[1].abs_diff(48) <= 6 && sizes[2].abs_diff(48) <= 6,
        "{sizes:?}"
    );
    assert_eq!(split, SplitPlan::train_validation_test(0.6, 0.2, 0.2, 9).apply(&labels, &groups).unwrap());

    let each: Vec<usize> = (0..240).collect();
    let leaky = k_fold(&labels, &each, 5, 1).unwrap();
    assert!(check_no_leak(&leaky, &groups).unwrap_err().to_string().contains("lie in more than one part"));

    let sites = dirichlet_sites(&labels, &each, 3, 0.3, 5).unwrap();
    check_no_leak(&sites, &each).unwrap();
    let share = |site: usize| {
        let members = sites.members(site);
        (0..3)
            .map(|c| members.iter().filter(|i| labels[**i] == c).count() * 100 / members.len())
            .max()
            .unwrap()
    };
    assert!((0..3).any(|site| share(site) >= 60), "α = 0.3 must skew some site");

    let lone = SplitPlan::sites(3, 1).apply(&[0, 0, 0, 1], &[0, 1, 2, 3]).unwrap_err().to_string();
    assert!(lone.contains("class 1 has 1 independent group(s) for 3 parts"), "{lone}");
    std::fs::remove_dir_all(folder).unwrap();
}
