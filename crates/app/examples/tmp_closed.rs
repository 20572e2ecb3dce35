//! x
use blindscope_app::audit::*;
use blindscope_vision::vit::Config;
fn main() {
    let data = std::path::PathBuf::from(std::env::var("BLINDSCOPE_DATA").unwrap()).join("lung-histology");
    let tiles = Tiles::list(&Source::Folder(data), 1).unwrap();
    println!("{} tiles {} groups", tiles.len(), tiles.groups());
    let n: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    let tiles = tiles.of_different_groups(0, n).unwrap();
    for (name, config) in [("paper", Config::paper()), ("base", Config::vit_base())] {
        let target = ClosedTarget::at_random_start(config, 3, 7).unwrap();
        for positions in [true, false] {
            for tile in &tiles {
                let c = closed_form(&target, tile, positions).unwrap();
                println!("{name} {positions} {:?} {:.2}s rank {:?} label {}", c.similarity, c.seconds, c.rank, c.label_found);
            }
        }
    }
    let deit = blindscope_vision::vit::load(&std::path::PathBuf::from(std::env::var("BLINDSCOPE_DATA").unwrap()).join("vit/deit-tiny-patch16-224/deit_tiny_patch16_224.safetensors")).unwrap();
    let target = ClosedTarget::with_new_head(deit, 3, 7);
    for tile in &tiles {
        let c = closed_form(&target, tile, true).unwrap();
        println!("deit {:?} {:.2}s rank {:?} label {}", c.similarity, c.seconds, c.rank, c.label_found);
        blindscope_vision::synth::save_png(&c.found.to_rgb(), std::path::Path::new("/tmp/deit.png")).unwrap();
        blindscope_vision::synth::save_png(&c.original.to_rgb(), std::path::Path::new("/tmp/deit0.png")).unwrap();
    }
}
