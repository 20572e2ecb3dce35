//! Slides as a study has them: two hospitals train attention through encrypted sums, a clinic pools its slides in the clear and asks
//! about one encrypted row each.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rand_core::{Rng as _, SeedableRng as _};

use blindscope_learn::features::Features;
use blindscope_learn::jobs::Model;

struct World(tempfile::TempDir);

impl World {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_blindscope"));
        command.current_dir(self.0.path()).args(line.split(' ')).env_remove("RUST_BACKTRACE");
        command
    }

    /// What a command that succeeds prints.
    fn says(&self, line: &str) -> String {
        let output = self.command(line).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Tiles of slides as another tool's table: two tiles of each slide are marked, and only those tell the class.
    fn tiles(&self, name: &str, slides: usize, seed: u64) {
        let mut rng = chacha20::ChaCha20Rng::seed_from_u64(seed);
        let mut noise = || f64::from(rng.next_u32()) / f64::from(u32::MAX) - 0.5;
        let mut table = "id,label,patient,f0,f1,f2,f3\n".to_owned();
        for slide in 0..slides {
            let class = ["calm", "wild"][slide % 2];
            for tile in 0..10 {
                let marked = tile < 2;
                let sign = if slide % 2 == 0 { 1.5 } else { -1.5 };
                let row = [
                    noise(),
                    noise() + if marked { 3.0 } else { 0.0 },
                    noise(),
                    if marked { sign } else { 3.0 * noise() },
                ];
                let row: Vec<String> = row.iter().map(ToString::to_string).collect();
                writeln!(table, "{name}{slide}/{}_0,{class},p{slide},{}", 256 * tile, row.join(",")).unwrap();
            }
        }
        std::fs::write(self.path(&format!("{name}.csv")), table).unwrap();
        self.says(&format!("features import {name}.csv {name}.safetensors"));
    }
}

struct Services(Vec<Child>);

impl Drop for Services {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn founded() -> World {
    let world = World(tempfile::tempdir().unwrap());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let project = format!(
        "name = \"slides\"\naddress = \"{port}\"\nlisten = \"{port}\"\nclasses = [\"calm\", \"wild\"]\nbackbone = \"{}\"\nwidth = 4\n\
        allow_unknown_backbone = true\nsites = [\"a\", \"b\"]\nadmins = [\"office\"]\naskers = [\"clinic\"]\nthreshold = 2\n\
        minimum_cohort = 2\n\n[inference]\njobs = [\"slides\", \"plain\"]\ntokens_an_hour = 100000\n",
        "00".repeat(32)
    );
    std::fs::write(world.path("project.toml"), project).unwrap();
    world.says("provision project.toml --out study --all-local");
    for (site, slides, seed) in [("a", 20, 1), ("b", 16, 2)] {
        world.tiles(site, slides, seed);
        let held = format!("{site}-held");
        world.tiles(&held, 6, seed + 10);
        let settings = world.path(&format!("study/{site}/startup/settings.toml"));
        let text = std::fs::read_to_string(&settings).unwrap();
        let [own, held] = [site, &held].map(|name| Path::new("../..").join(format!("{name}.safetensors")));
        let (own, held) = (own.display(), held.display());
        let learning = format!("{text}\n[learning]\ntrain = \"{own}\"\nvalidation = \"{held}\"\n");
        std::fs::write(settings, learning).unwrap();
    }
    world
}

fn serve(world: &World) -> Services {
    let mut services = Services(Vec::new());
    for line in
        ["coordinator serve --kit study/coordinator", "site run --kit study/a", "site run --kit study/b"]
    {
        let mut command = world.command(line);
        command
            .env("BLINDSCOPE_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        services.0.push(command.spawn().unwrap());
    }
    let begun = Instant::now();
    while !world.command("job list --kit study/office").output().unwrap().status.success() {
        assert!(begun.elapsed() < Duration::from_mins(1), "the coordinator does not answer");
        std::thread::sleep(Duration::from_millis(50));
    }
    services
}

#[test]
fn a_clinic_asks_about_slides_one_row_each() {
    let world = founded();
    let running = serve(&world);
    let file = "name = \"slides\"\nkind = \"attention\"\n[settings]\nrounds = 12\nhidden = 4\nrate = 0.05\nexamples = 64\ntiles = 1024\n";
    std::fs::write(world.path("slides.toml"), file).unwrap();
    world.says("job submit slides.toml --kit study/office --wait");
    world.says("job download slides --out slides.json --kit study/office");
    let model = Model::from_json(&std::fs::read(world.path("slides.json")).unwrap()).unwrap();
    assert_eq!((model.examples, model.sites, model.classes.len()), (36, 2, 2));

    world.tiles("new", 6, 3);
    let answers = world.says("predict new.safetensors --kit study/clinic --job slides --json");
    let answers: serde_json::Value = serde_json::from_str(&answers).unwrap();
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), 6, "a row a slide, not a tile");

    // The same in the clear, by who holds the whole model.
    let tiles = Features::load(&world.path("new.safetensors")).unwrap();
    let pooled = model.pooling.as_ref().unwrap().pool(&tiles).unwrap().features;
    let whole = pooled.values.whole().unwrap();
    let tokens: Vec<Vec<f64>> = whole.chunks(4).map(|r| r.iter().map(|v| f64::from(*v)).collect()).collect();
    let logits = model.head().unwrap().logits(&tokens).unwrap();
    let mut right = 0;
    for ((answer, id), clear) in answers.iter().zip(&pooled.ids).zip(&logits) {
        assert_eq!(answer["id"], serde_json::json!(id));
        for (found, clear) in answer["logits"].as_array().unwrap().iter().zip(clear) {
            assert!((found.as_f64().unwrap() - clear).abs() < 1e-2, "{answer} for {clear}");
        }
        let number: usize = id.trim_start_matches("new").parse().unwrap();
        right += usize::from(answer["class"] == ["calm", "wild"][number % 2]);
    }
    assert!(right >= 5, "{right} of 6 right, three would be chance");

    // A head that takes tiles as they are has no attention to hand out.
    std::fs::write(world.path("plain.toml"), "name = \"plain\"\nkind = \"statistics\"\n").unwrap();
    world.says("job submit plain.toml --kit study/office --wait");
    let answers = world.says("predict new.safetensors --kit study/clinic --job plain --json");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&answers).unwrap().as_array().unwrap().len(), 60);
    drop(running);
}
