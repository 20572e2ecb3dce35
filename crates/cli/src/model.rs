//! `blindscope model`

use std::io::{self, Write};

use anyhow::Context;
use clap::{Args, Subcommand};

use crate::interrupt;
use crate::progress::Bar;
use crate::shown::print_json;
use crate::tiles::{ModelOptions, StoreOptions};
use blindscope_learn::features::{Backbone, Centre, Mlp, Pooling, Preprocess, Resize, hex, unhex};
use blindscope_learn::models::{self, FetchRequest, ModelName};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Bring a model's weights and configuration from a hub.
    #[command(
        after_help = "Ctrl-C exits with code 130; the next call takes up where this one stopped.\n\nExample: blindscope model \
        fetch owkin/phikon"
    )]
    Fetch(FetchArgs),
    /// Tell what a model is: shape, preprocessing, digest.
    #[command(after_help = "Example: blindscope model show --model owkin/phikon")]
    Show(ShowArgs),
}

#[derive(Debug, Args)]
pub(crate) struct FetchArgs {
    /// OWNER/NAME or OWNER/NAME@REVISION.
    name: String,
    /// Base URL of the hub.
    #[arg(long, env = "BLINDSCOPE_HUB", default_value = "https://huggingface.co")]
    hub: String,
    /// SHA-256 that the weights must have, in hexadecimal. Without it the first fetch is recorded and later ones must equal it.
    #[arg(long)]
    sha256: Option<String>,
    /// Largest weights in bytes.
    #[arg(long, default_value_t = 16 << 30)]
    max_bytes: u64,
    /// A token for models behind terms of use.
    #[arg(long, env = "HF_TOKEN", hide_env_values = true)]
    token: Option<String>,
    #[command(flatten)]
    store: StoreOptions,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    model: ModelOptions,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Fetch(args) => fetch(args),
        Command::Show(args) => show(args),
    }
}

fn fetch(args: &FetchArgs) -> anyhow::Result<()> {
    let cancel = interrupt::flag()?;
    let digest = |text: &String| {
        unhex(&text.to_ascii_lowercase())
            .with_context(|| format!("--sha256 {text} is not 64 hexadecimal digits"))
    };
    let request = FetchRequest {
        hub: args.hub.clone(),
        name: ModelName::new(&args.name)?,
        sha256: args.sha256.as_ref().map(digest).transpose()?,
        most_bytes: args.max_bytes,
        token: args.token.clone(),
    };
    let mut bar = Bar::new("fetching");
    let fetched = models::fetch(
        &request,
        &args.store.open(),
        &mut |now| {
            let note = format!("{}, {:.1} MB", now.file, now.done as f64 / 1e6);
            bar.show(now.done, now.total.unwrap_or(now.done), &note);
        },
        &cancel,
    );
    drop(bar);
    let fetched = match fetched {
        Err(e @ models::Error::Stopped { .. }) => {
            let _ = writeln!(io::stderr(), "{e}");
            std::process::exit(interrupt::EXIT);
        }
        fetched => fetched?,
    };
    if args.json {
        return print_json(&fetched);
    }
    let mut out = io::stdout().lock();
    for file in &fetched.files {
        let seen = match (file.fetched, file.first) {
            (false, _) => "was there",
            (true, true) => "fetched for the first time: compare the digest with a trusted source",
            (true, false) => "fetched, digest as expected",
        };
        writeln!(out, "{}  {} ({} bytes; {seen})", file.sha256, file.file, file.bytes)?;
    }
    writeln!(out, "use it with --model {}", args.name)?;
    Ok(())
}

fn show(args: &ShowArgs) -> anyhow::Result<()> {
    let backbone = args.model.load(1)?;
    let (config, digest) = (backbone.model.config(), hex(&backbone.digest()));
    if args.json {
        return print_json(&serde_json::json!({
            "config": config, "parameters": backbone.parameters(), "feature_width": config.feature_width(),
            "preprocess": backbone.preprocess, "preprocess_from": backbone.preprocess_from, "backbone": digest
        }));
    }
    let mut out = io::stdout().lock();
    let side = config.image;
    writeln!(out, "{side}×{side} pixels in patches of {}, width {}", config.patch, config.width)?;
    writeln!(
        out,
        "{} blocks, {} heads, hidden width {} ({}), {} registers, {} positions before the patches, {}{}ε {:e}",
        config.depth,
        config.heads,
        config.hidden,
        if config.mlp == Mlp::SwiGlu { "SwiGLU" } else { "GELU" },
        config.registers,
        config.prefix_positions,
        if config.layer_scale { "layer scale, " } else { "" },
        if config.qkv_bias { "" } else { "no biases of query, key and value, " },
        config.norm_epsilon
    )?;
    writeln!(out, "{} parameters", backbone.parameters())?;
    writeln!(out, "a feature is {}: {} values", pooled(config.pooling), config.feature_width())?;
    writeln!(out, "{}", input(&backbone))?;
    writeln!(out, "backbone {digest}")?;
    Ok(())
}

fn pooled(pooling: Pooling) -> &'static str {
    match pooling {
        Pooling::Cls => "the CLS token",
        Pooling::Mean => "the mean of the patch tokens",
        Pooling::ClsMean => "the CLS token and the mean of the patch tokens",
    }
}

/// How a tile becomes the model's input, in a sentence.
fn input(backbone: &Backbone) -> String {
    let Preprocess { side, resize, filter, centre, scale, mean, std } = &backbone.preprocess;
    let size = match resize {
        Resize::Keep => "tiles are not resized".into(),
        Resize::Shorter(short) => format!("the shorter side is resized to {short} ({})", filter.name()),
        Resize::Exact { width, height } => format!("resized to {width}×{height} ({})", filter.name()),
    };
    let centre = match centre {
        Centre::HalfToEven => "margins halved to even",
        Centre::Down => "margins halved down",
    };
    let from = match &backbone.preprocess_from {
        Some(path) => format!("as {} tells", path.display()),
        None => "assumed, since no file tells".into(),
    };
    format!(
        "input: {size}, the centre {side}×{side} is cut out ({centre}), values are multiplied by {scale} and normalised by \
         mean {mean:?} and deviation {std:?}; {from}"
    )
}
