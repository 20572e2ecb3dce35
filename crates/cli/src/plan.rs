//! `blindscope plan`

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use blindscope_app::plan::{
    KeyOwner, Packing, PlanReport, Policy, Security, Shape, head_of_shape, policy, read_head, report,
};

#[derive(Debug, Args)]
pub(crate) struct PlanOptions {
    /// A head, JSON or safetensors, or a job's model; without one, a head of the shape below.
    #[arg(long, conflicts_with_all = ["width", "hidden", "classes", "degree"])]
    head: Option<PathBuf>,
    /// Features a token has.
    #[arg(long, default_value_t = 768)]
    width: usize,
    /// Units of the first layer.
    #[arg(long, default_value_t = 32)]
    hidden: usize,
    /// Classes.
    #[arg(long, default_value_t = 3)]
    classes: usize,
    /// Degree of the activation: 1 is a linear head.
    #[arg(long, default_value_t = 2, value_parser = degree)]
    degree: u32,
    /// Most tokens of one question.
    #[arg(long, default_value_t = 1)]
    batch: usize,
    /// The packing; the planner chooses unless told.
    #[arg(long, value_enum)]
    packing: Option<PackingName>,
    /// Row of the security table.
    #[arg(long, value_enum, default_value_t = SecurityName::Quantum128)]
    security: SecurityName,
    /// Whose key the tokens are encrypted under.
    #[arg(long, value_enum, default_value_t = KeyName::Asker)]
    key: KeyName,
    /// Encrypt the first layer too.
    #[arg(long)]
    encrypted_head: bool,
    /// Bits right of the point that every logit shall have: the smallest question that promises them is planned.
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u32).range(0..=52))]
    precision: Option<u32>,
    /// The same as a number: largest error of a logit to put up with.
    #[arg(long, conflicts_with = "precision")]
    max_error: Option<f64>,
    /// Print one JSON object instead of lines.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PackingName {
    /// Few tokens, low latency.
    Token,
    /// Thousands of tokens.
    Feature,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SecurityName {
    /// 128 bits against classical computers.
    Classical128,
    /// 128 bits against quantum computers.
    Quantum128,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum KeyName {
    /// The asker's own.
    Asker,
    /// A committee's.
    Collective,
}

fn degree(text: &str) -> Result<u32, String> {
    match text {
        "1" => Ok(1),
        "2" => Ok(2),
        "4" => Ok(4),
        _ => Err(format!("{text} is not served; 1, 2 and 4 are")),
    }
}

impl PlanOptions {
    fn policy(&self) -> Policy {
        let packing = self.packing.map(|p| match p {
            PackingName::Token => Packing::Token,
            PackingName::Feature => Packing::Feature,
        });
        let security = match self.security {
            SecurityName::Classical128 => Security::Classical128,
            SecurityName::Quantum128 => Security::Quantum128,
        };
        let key = match self.key {
            KeyName::Asker => KeyOwner::Asker,
            KeyName::Collective => KeyOwner::Collective,
        };
        Policy {
            packing,
            security,
            key,
            encrypted_head: self.encrypted_head,
            max_error: self.max_error.or(self.precision.map(|bits| (-f64::from(bits)).exp2())),
            ..policy(self.batch)
        }
    }
}

pub(crate) fn run(options: &PlanOptions) -> anyhow::Result<()> {
    let head = if let Some(path) = &options.head {
        read_head(path)?
    } else {
        let PlanOptions { width, hidden, classes, degree, .. } = *options;
        head_of_shape(Shape { width, hidden, classes, degree })?
    };
    let report = report(&head, options.policy())?;
    let classes = head.class_names();
    let mut out = io::stdout().lock();
    if options.json {
        serde_json::to_writer_pretty(&mut out, &Shown { report: &report, classes })?;
        writeln!(out)?;
    } else {
        if !classes.is_empty() {
            writeln!(out, "classes          {}", classes.join(", "))?;
        }
        lines(&mut out, &report)?;
    }
    Ok(())
}

/// A plan as a program reads it.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    report: &'a PlanReport,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    classes: &'a [String],
}

fn lines(out: &mut impl Write, r: &PlanReport) -> io::Result<()> {
    let bits = |e: f64| format!("{e:.2e} (2^{:.1})", e.log2());
    let batch = r.batch.max(1);
    writeln!(out, "plan             {}", r.plan)?;
    writeln!(out, "packing          {}, {} tokens to a ciphertext or group", r.packing, r.tokens)?;
    writeln!(
        out,
        "parameters       N = 2^{}, primes {:?}, special {}: {} bits of {} that {} allows",
        r.log_n, r.moduli, r.special, r.log_qp[0], r.log_qp[1], r.security
    )?;
    writeln!(
        out,
        "circuit          depth {}, {} levels, {} rotations, rescaled {}",
        r.depth,
        r.levels,
        r.rotations,
        if r.late() { "after them" } else { "before them" }
    )?;
    writeln!(
        out,
        "keys             {} of {} bytes; rotations by {:?}",
        r.keys, r.key_bytes, r.rotation_keys
    )?;
    writeln!(out, "question         {} bytes, {} a token", r.upload_bytes, r.upload_bytes / batch)?;
    writeln!(out, "answer           {} bytes, {} a token", r.answer_bytes, r.answer_bytes / batch)?;
    let (path, transform) = (r.machine.path, r.machine.transform_us);
    let from = if r.machine.calibrated { "timed here just now" } else { "the reference machine's" };
    writeln!(out, "predicted time   {:.2} ms, one thread, arithmetic in {path}", r.predicted_ms)?;
    writeln!(out, "                 from a transform of degree 8192 in {transform:.1} us, {from}")?;
    writeln!(out, "logit error      at most {}, typically {}", bits(r.error_bound), bits(r.error_std))
}
