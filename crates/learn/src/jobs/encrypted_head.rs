//! `encrypted-head`: the average of the sites' first layers, encrypted under the inference key and never decrypted.
//!
//! An earlier job's polynomial head fixes what all have to agree on: normalisation, polynomial, outer layer, and where the first
//! layer starts. Each site trains the first layer alone on its own features and deals `1/n` of it to holders, n the sites of the study;
//! they encrypt what it adds up to, the coordinator adds. Over k of n sites the sum is `k/n` of their average, so the head is evaluated with the public factor
//! n/k inside its polynomial: `p(u·n/k)`. Whichever sites are missing, the head is the plain average of those that are in.
//!
//! Nobody sees the weights, so nobody could look up how large they are. Sites keep to what the job says instead: rows of norm
//! `norm` at most; units are taken to stay within `range`.

use super::clips::Clips;
use super::counted::Counted;
use super::kind::{Given, Lacks, Learned};
use super::model::Model;
use super::settings::EncryptedHeadSettings;
use super::{EpochFigures, Error, Result, SiteData, Watch};
use blindscope_ckks::{Level, ModulusLiteral, Plaintext};
use blindscope_classify::{
    Affine, Collective, EncryptedHead, Head, HeadLiteral, KeyOwner, Map, Outer, Packing, Plan, Policy,
    Release,
};
use blindscope_federation::{Circuit, GaloisDemand, JobSpec, Study};
use blindscope_vision::head::{Activation, HeadPlan, PolynomialHead, train_polynomial};
use blindscope_vision::values::Source;

const NAME: &str = "encrypted-head";

/// Deviations that a plan's bound allows.
const TAIL: f64 = 7.0;

/// The kind, and that of its key: both files say the same, and both need the head that they start from.
pub(super) static KIND: Learned = Learned {
    lacks: |draft| match &draft.start {
        Some(start) if draft.circuit.is_none() => Lacks::Start(start),
        _ => Lacks::Nothing,
    },
    fill: |draft, study, given| match given {
        Given::Start(start) if draft.circuit.is_none() => complete(draft, study, start),
        _ if draft.circuit.is_none() => Err(Error::Lacks {
            job: draft.name,
            field: "start",
            repair: "the name of an earlier job whose result the head starts from, such as a `fedavg` with rounds = 0",
        }),
        _ => Ok(draft),
    },
    ..Learned::of::<EncryptedHeadSettings>(
        "A head that nobody sees, and the key that it is asked under; both files say the same.",
        |spec| Err(Error::Kind { kind: spec.kind.name() }),
    )
};

/// What follows from a job's settings and what it starts from: all that sites, coordinator and askers share.
pub struct CommonHead {
    pub(super) settings: EncryptedHeadSettings,
    /// The head that the first layer starts from.
    start: HeadLiteral,
    /// How it is asked.
    pub plan: Plan,
}

impl CommonHead {
    /// What a job of kind `inference-keys` or `encrypted-head` agrees on. `start` is the result that it starts from.
    ///
    /// # Errors
    /// [`Error::Settings`] for settings of another kind; [`Error::Setting`] for one out of range; [`Error::Bytes`] for a start that
    /// is no polynomial head of this shape; [`Error::Head`] where no plan serves it.
    pub fn of(spec: &JobSpec, start: &[u8]) -> Result<Self> {
        let settings: EncryptedHeadSettings = super::job::settings(spec)?;
        settings.check()?;
        let start = Model::from_json(start)?.head()?.literal().clone();
        let template = Head::new(template(&settings, &start)?)?;
        let policy = Policy {
            packing: Some(Packing::Token),
            key: KeyOwner::Collective,
            encrypted_head: true,
            release: Release::Logits { tokens: None },
            max_error: Some(settings.max_error),
            collective: Collective { sites: settings.sites, encryptions: settings.encryptions },
            ..Policy::new(settings.tokens)
        };
        let plan = Plan::new(&template, policy)?;
        Ok(Self { settings, start, plan })
    }

    /// The inference key that the plan needs, with the noise of answers under a key of the settings' sites.
    pub fn circuit(&self) -> Circuit {
        let (params, literal) = (self.plan.params(), self.plan.literal());
        let bits = |m: &ModulusLiteral| match m {
            ModulusLiteral::Bits(bits) => bits.clone(),
            ModulusLiteral::Primes(primes) => primes.iter().map(|p| 64 - p.leading_zeros()).collect(),
        };
        let galois = self.plan.galois_elements().into_iter();
        let demand = |(element, level): (usize, Level)| GaloisDemand {
            element: element as u32,
            level: level.0 as u32,
        };
        let (answer, spread) = (f64::from(literal.chain.answer_log2), self.spread_log2());
        let noise = (literal.error_bound / TAIL).log2() + answer - spread;
        let room = self.settings.max_error.log2() + answer - spread;
        let millibits = |bits: f64| (bits.max(0.0) * 1000.0) as u32;
        Circuit {
            log_n: params.log_n(),
            ciphertext: bits(&params.literal().ciphertext),
            special: bits(&params.literal().special),
            quantum: literal.quantum,
            galois: galois.map(demand).collect(),
            relin: self.plan.relin_level().map_or(0, |l| l.0 as u32),
            noise_millibits: millibits(noise) + 1,
            room_millibits: millibits(room),
            answers: self.settings.answers,
        }
    }

    /// `log2` by how much the deviation of a logit's real part exceeds a coefficient's: `√(L/2)` for L coefficients.
    fn spread_log2(&self) -> f64 {
        let summed = self.plan.token_layout().map_or(1, |l| match l.outer {
            Outer::Extracted => l.tokens,
            Outer::Folded => l.tokens * l.folded(),
        });
        (summed as f64).log2() / 2.0
    }

    /// Refuses a job file that says something else than follows from its settings and its start.
    fn check(&self, spec: &JobSpec) -> Result<()> {
        let levels = self.levels()?;
        if spec.levels != levels {
            let (found, expected) = (list(&spec.levels), list(&levels));
            return Err(Error::Announced { job: spec.name.clone(), field: "levels", found, expected });
        }
        self.check_circuit(spec)
    }

    /// Names the first field of the circuit that differs, with both values.
    fn check_circuit(&self, spec: &JobSpec) -> Result<()> {
        let announced =
            |field, found, expected| Err(Error::Announced { job: spec.name.clone(), field, found, expected });
        let Some(found) = spec.circuit.as_deref() else {
            return announced("circuit", "missing".to_owned(), "a circuit".to_owned());
        };
        let both = circuit_fields(found).into_iter().zip(circuit_fields(&self.circuit()));
        let mut differing = both.filter(|(found, expected)| found != expected);
        differing.next().map_or(Ok(()), |((field, found), (_, expected))| announced(field, found, expected))
    }

    /// Levels of the head's ciphertexts.
    ///
    /// # Errors
    /// [`Error::Head`] when the plan has no room for a head under encryption.
    pub fn levels(&self) -> Result<Vec<u32>> {
        Ok(EncryptedHead::levels(&self.plan)?.iter().map(|l| l.0 as u32).collect())
    }

    /// The head that the sum over `committed` sites is evaluated as: only what stands behind the first layer is read.
    ///
    /// # Errors
    /// [`Error::Head`] where the factor makes a polynomial that no head may have: one whose leading coefficient is zero.
    pub fn served(&self, committed: usize) -> Result<Head> {
        let factor = f64::from(self.settings.sites) / committed.max(1) as f64;
        Ok(Head::new(with_factor(&self.start, factor)?)?)
    }

    /// A site's part: its trained first layer, encoded, to be dealt.
    ///
    /// # Errors
    /// [`Error::Announced`] when the job announces another circuit; as [`Self::train`]; [`Error::Head`] when a weight does
    /// not fit the plan.
    pub fn contribute(&self, spec: &JobSpec, data: &SiteData, watch: Watch<'_>) -> Result<Vec<Plaintext>> {
        self.check(spec)?;
        let head = self.train(data, watch)?;
        Ok(EncryptedHead::encode(&head, &self.plan, 1.0 / f64::from(self.settings.sites))?)
    }

    /// The head that a site trains, in the clear: it stays at the site.
    ///
    /// # Errors
    /// [`Error::Data`] when the site has no examples, or some of another width or class; [`Error::Head`] when training fails.
    pub fn train(&self, data: &SiteData, watch: Watch<'_>) -> Result<Head> {
        let s = &self.settings;
        data.train.check(NAME, s.width, s.classes)?;
        if data.train.is_empty() {
            let expected = "at least one".to_owned();
            return Err(Error::Data { operation: NAME, what: "examples", found: "0".into(), expected });
        }
        let normalisation = &self.start.normalisation;
        let start = polynomial_head(s.width, &self.start)?;
        let standardised = |rows: &[f32]| -> Vec<f32> {
            let pairs = |row: &[f32]| -> Vec<f32> {
                let pairs = row.iter().zip(&normalisation.mean).zip(&normalisation.gain);
                pairs.map(|((x, m), g)| ((f64::from(*x) - m) * g) as f32).collect()
            };
            rows.chunks_exact(s.width).flat_map(pairs).collect()
        };
        let mut clipped = 0;
        for block in data.train.rows.blocks() {
            let beyond = |v: &&f32| f64::from(v.abs()) > normalisation.bound;
            clipped += standardised(&block?).iter().filter(beyond).count();
        }
        // Nothing is opened here that could carry the count: it stays at the site.
        Clips::tell(NAME, "standardised features", (clipped, data.train.rows.len()), normalisation.bound);
        let radius = normalisation.radius.map_or(f32::INFINITY, |r| r as f32);
        let shortened = |rows: Vec<f32>| {
            super::fedavg::shortened(standardised(&rows), s.width, normalisation.bound as f32, radius)
        };
        let rows = Source::changed(&data.train.rows, &shortened);
        let plan = HeadPlan {
            hidden: s.hidden,
            activation: Activation::Trained { degree: 2 },
            first_layer: true,
            clip: normalisation.bound as f32,
            epochs: s.epochs,
            batch: s.batch,
            rate: s.rate,
            decay: s.decay,
            seed: s.seed,
            ..HeadPlan::default()
        };
        let trained = train_polynomial(rows, s.width, &data.train.labels, s.classes, &plan, Some(&start))?;
        for (i, (loss, accuracy)) in trained.epochs.iter().enumerate() {
            let epoch = i as u64 + 1;
            watch(&EpochFigures { job: NAME, round: 0, epoch, loss: *loss, accuracy: *accuracy });
        }
        let mut literal = self.start.clone();
        if let Map::Polynomial { inner, .. } = &mut literal.map {
            let row = |r: &[f32]| bounded(r.iter().map(|w| f64::from(*w)).collect(), s.norm);
            inner.weights = trained.head.weight1.chunks_exact(s.width).map(row).collect();
            inner.bias = trained.head.bias1.iter().map(|b| f64::from(*b)).collect();
        }
        Ok(Head::new(literal)?)
    }
}

/// A circuit's fields by name, as a job file would show them.
fn circuit_fields(c: &Circuit) -> [(&'static str, String); 9] {
    let galois = c.galois.iter().map(|g| format!("{} at level {}", g.element, g.level));
    [
        ("circuit.log_n", c.log_n.to_string()),
        ("circuit.ciphertext", list(&c.ciphertext)),
        ("circuit.special", list(&c.special)),
        ("circuit.quantum", c.quantum.to_string()),
        ("circuit.galois", galois.collect::<Vec<_>>().join(", ")),
        ("circuit.relin", c.relin.to_string()),
        ("circuit.noise_millibits", c.noise_millibits.to_string()),
        ("circuit.room_millibits", c.room_millibits.to_string()),
        ("circuit.answers", c.answers.to_string()),
    ]
}

fn list(numbers: &[u32]) -> String {
    let texts: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    format!("[{}]", texts.join(", "))
}

/// A job file of kind `inference-keys` or `encrypted-head` with all that follows from its settings, the study and what it starts
/// from.
///
/// # Errors
/// [`Error::Settings`] for settings of another kind, or a key whose masks have no room; [`Error::Setting`] for one out of range;
/// [`Error::Bytes`] for a start that is no polynomial head of this shape; [`Error::Head`] where no plan serves it.
pub fn complete(spec: JobSpec, study: &Study, start: &[u8]) -> Result<JobSpec> {
    let mut settings: EncryptedHeadSettings = super::job::settings(&spec)?;
    let counted = Counted::by(&spec, study)?;
    (settings.sites, settings.cohort) = (counted.sites, counted.cohort);
    settings.encryptions = counted.encryptions;
    let value = serde_json::to_value(&settings).map_err(|e| Error::Settings {
        job: spec.name.clone(),
        kind: spec.kind.name(),
        reason: e.to_string(),
    })?;
    let mut spec = JobSpec { settings: value, ..spec };
    let common = CommonHead::of(&spec, start)?;
    let circuit = common.circuit();
    circuit.flooding(study).map_err(|e| Error::Settings {
        job: spec.name.clone(),
        kind: spec.kind.name(),
        reason: format!("{e}; allow a larger max_error or fewer answers"),
    })?;
    spec.circuit = Some(Box::new(circuit));
    if spec.kind == blindscope_federation::JobKind::EncryptedHead {
        spec.levels = common.levels()?;
        if spec.holders.is_empty() {
            spec.holders = study.sites().take(counted.holders).collect();
        }
    }
    Ok(spec)
}

/// The average that an encrypted head of these sites stands for, in the clear: nobody in a study can compute it.
///
/// # Errors
/// As [`complete`], and those of training.
pub fn encrypted_head_twin(spec: &JobSpec, start: &[u8], sites: &[&SiteData]) -> Result<Head> {
    let common = CommonHead::of(spec, start)?;
    let heads: Vec<Head> = sites.iter().map(|data| common.train(data, &|_| {})).collect::<Result<_>>()?;
    let mut literal = common.start.clone();
    if let Map::Polynomial { inner, .. } = &mut literal.map {
        let firsts: Vec<&Affine> = heads.iter().filter_map(|h| first(h.literal())).collect();
        let mean =
            |f: &dyn Fn(&Affine) -> f64| firsts.iter().map(|a| f(a)).sum::<f64>() / firsts.len() as f64;
        for (h, row) in inner.weights.iter_mut().enumerate() {
            row.iter_mut().enumerate().for_each(|(j, w)| *w = mean(&|a| a.weights[h][j]));
        }
        inner.bias.iter_mut().enumerate().for_each(|(h, b)| *b = mean(&|a| a.bias[h]));
    }
    Ok(Head::new(literal)?)
}

fn first(literal: &HeadLiteral) -> Option<&Affine> {
    match &literal.map {
        Map::Polynomial { inner, .. } => Some(inner),
        _ => None,
    }
}

/// The row, no longer than `norm`.
fn bounded(mut row: Vec<f64>, norm: f64) -> Vec<f64> {
    let found = row.iter().map(|w| w * w).sum::<f64>().sqrt();
    if found > norm {
        for w in &mut row {
            *w *= norm / found;
        }
    }
    row
}

/// A head that no head of the job exceeds: what plans are made from.
fn template(s: &EncryptedHeadSettings, start: &HeadLiteral) -> Result<HeadLiteral> {
    let shape = match &start.map {
        Map::Polynomial { inner, polynomial, outer } => {
            Some((inner.bias.len(), outer.bias.len(), polynomial.len()))
        }
        _ => None,
    };
    if (shape, start.normalisation.mean.len()) != (Some((s.hidden, s.classes, 3)), s.width) {
        let expected = format!("{} features, {} hidden units, {} classes", s.width, s.hidden, s.classes);
        let reason = format!("its head is no polynomial of degree 2 with {expected}");
        return Err(Error::Bytes { what: "start of an encrypted head", reason });
    }
    // Fewer sites make a larger factor: the smallest cohort bounds it.
    let mut literal = with_factor(start, f64::from(s.sites) / f64::from(s.cohort))?;
    if let Map::Polynomial { inner, .. } = &mut literal.map {
        let weight = s.norm / (s.width as f64).sqrt();
        inner.weights.iter_mut().flatten().for_each(|w| *w = weight);
        inner.bias.iter_mut().for_each(|b| *b = 0.0);
    }
    Ok(HeadLiteral { range: Some(s.range), ..literal })
}

/// The head with `p(u·factor)` for `p(u)`.
fn with_factor(start: &HeadLiteral, factor: f64) -> Result<HeadLiteral> {
    let mut literal = start.clone();
    match &mut literal.map {
        Map::Polynomial { polynomial, .. } => {
            let mut power = 1.0;
            for c in polynomial {
                *c *= power;
                power *= factor;
            }
            Ok(literal)
        }
        _ => Err(Error::Bytes {
            what: "start of an encrypted head",
            reason: "it is no polynomial head".into(),
        }),
    }
}

/// The head as training takes it: on features that are normalised already.
fn polynomial_head(width: usize, literal: &HeadLiteral) -> Result<PolynomialHead> {
    let Map::Polynomial { inner, polynomial, outer } = &literal.map else {
        return Err(Error::Bytes { what: "start of an encrypted head", reason: "no polynomial head".into() });
    };
    let vector = |v: &[f64]| v.iter().map(|x| *x as f32).collect::<Vec<f32>>();
    let flat = |m: &[Vec<f64>]| m.iter().flatten().map(|x| *x as f32).collect::<Vec<f32>>();
    let bound = literal.normalisation.bound as f32;
    Ok(PolynomialHead {
        width,
        weight1: flat(&inner.weights),
        bias1: vector(&inner.bias),
        polynomial: vector(polynomial),
        weight2: flat(&outer.weights),
        bias2: vector(&outer.bias),
        lowest: vec![-bound; width],
        highest: vec![bound; width],
    })
}
