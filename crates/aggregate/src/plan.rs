//! A sum as it is planned: what is added, by whom, opened how often. Everything else follows from it.

use serde::{Deserialize, Serialize};

use crate::layout::{Demand, Layout};
use crate::{Error, Result, fields};
use blindscope_ckks::Parameters;
use blindscope_threshold::{
    Committee, DecryptionSession, Flooding, KeyShare, Ledger, MAX_PARTIES, MAX_WIDTH, Opening, SharedHalf,
    Transcript,
};
use blindscope_wire::{Digest, Hasher, Header};

/// A sum before any check. Check it with [`SumPlan::new`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SumPlanLiteral {
    /// Values of one upload.
    pub values: u64,
    /// Largest integer a site adds at one place, its weight multiplied in.
    pub max: u64,
    /// Sites on the roster: as many may upload, and as many hold the key.
    pub sites: u32,
    /// Sites that open a sum together.
    pub threshold: u32,
    /// Message halves beside one uniform half; at most what the key was made for.
    pub width: u32,
    /// Chunks that may be opened in the life of the key, by all jobs; an opening of this sum takes [`SumPlan::chunks`].
    pub budget: u64,
    /// Bits of statistical security of all those openings together, at least 30.
    pub statistical_bits: u32,
    /// Openings that may be tried in one round: before each, `threshold` sites may refresh the sum by encryptions of zero.
    pub attempts: u32,
}

/// Most values of an upload: 2^40.
const MAX_VALUES: u64 = 1 << 40;
/// Most attempts.
const MAX_ATTEMPTS: u32 = 1024;

/// A checked sum.
#[derive(Debug, Clone)]
pub struct SumPlan {
    params: Parameters,
    literal: SumPlanLiteral,
    terms: u64,
    layout: Layout,
    flooding: Flooding,
    digest: Digest,
}

/// One chunk's shape: coefficients of each message half in use.
pub(crate) struct Chunk {
    pub(crate) values: usize,
    pub(crate) coefficients: Vec<usize>,
}

impl SumPlan {
    /// Proves headroom and derives masks.
    ///
    /// # Errors
    /// [`Error::Plan`] for a literal outside its ranges, [`Error::Headroom`] with the numbers,
    /// [`Error::Threshold`] for weak flooding.
    pub fn new(params: &Parameters, literal: SumPlanLiteral) -> Result<Self> {
        check(&literal)?;
        let (sites, threshold) = (u64::from(literal.sites), u64::from(literal.threshold));
        let terms = sites + u64::from(literal.attempts) * threshold;
        let polynomials = literal.budget.saturating_mul(u64::from(literal.width));
        let flooding = Flooding::for_sums(
            params,
            literal.sites as usize,
            terms as usize,
            polynomials,
            literal.threshold as usize,
            literal.statistical_bits,
        )?;
        let demand = Demand { sites, max: literal.max, terms, committee: threshold };
        let layout = Layout::plan(params, demand, &flooding)?;
        let digest = digest(params, &literal, &layout);
        let plan = Self { params: params.clone(), literal, terms, layout, flooding, digest };
        if plan.chunks() > literal.budget {
            return Err(plan_error("chunks of one opening", plan.chunks(), (1, literal.budget)));
        }
        Ok(plan)
    }

    /// The plan under whichever preset makes the shortest upload; the literal's `width` becomes the preset's. A key serves the
    /// preset it was made for, so this is for choosing before the ceremony.
    ///
    /// # Errors
    /// Those of the largest preset, where none fits.
    pub fn cheapest(literal: SumPlanLiteral) -> Result<Self> {
        let mut best: Result<Self> = Err(plan_error("presets", 0, (1, 1)));
        for (preset, width) in crate::presets::all() {
            let plan = Parameters::new(preset)
                .map_err(Error::from)
                .and_then(|params| Self::new(&params, SumPlanLiteral { width: width as u32, ..literal }));
            let better = match (&best, &plan) {
                (Ok(best), Ok(plan)) => plan.upload_len() < best.upload_len(),
                (Ok(_), Err(_)) => false,
                (Err(_), _) => true,
            };
            if better {
                best = plan;
            }
        }
        best
    }

    /// The parameters.
    pub fn params(&self) -> &Parameters {
        &self.params
    }

    /// What it was made from.
    pub fn literal(&self) -> &SumPlanLiteral {
        &self.literal
    }

    /// Digits in coefficients.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The masks of its openings.
    pub fn flooding(&self) -> &Flooding {
        &self.flooding
    }

    /// What both ends of a stream have to agree on.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Ciphertexts that may go into one sum, encryptions of zero included.
    pub fn terms(&self) -> u64 {
        self.terms
    }

    /// Values of one full chunk.
    pub fn chunk_values(&self) -> usize {
        self.half_values() * self.literal.width as usize
    }

    /// Chunks of one upload.
    pub fn chunks(&self) -> u64 {
        self.literal.values.div_ceil(self.chunk_values() as u64)
    }

    /// Bytes of one upload, or of one refresh by encryptions of zero.
    pub fn upload_len(&self) -> u64 {
        self.stream_len(SharedHalf::byte_len(&self.params), self.layout.half_bits())
    }

    /// Bytes of a sum.
    pub fn sum_len(&self) -> u64 {
        self.stream_len(SharedHalf::byte_len(&self.params), self.sum_bits())
    }

    /// Bytes of one site's shares of an opening.
    pub fn share_len(&self) -> u64 {
        // The round's digest and the site stand where the number of terms does; each chunk begins with its digest.
        self.stream_len(32, self.layout.half_bits()) + 30
    }

    /// Bytes on the wire for one value of an upload.
    pub fn bytes_per_value(&self) -> f64 {
        self.upload_len() as f64 / self.literal.values as f64
    }

    /// Begins this site's part in opening one sum of this plan: masks, room and number of chunks are the plan's own. The round is
    /// spent once this returns.
    ///
    /// # Timing
    /// As [`DecryptionSession::begin`]: what is compared here is public.
    ///
    /// # Errors
    /// As [`DecryptionSession::begin`]; [`Error::Mismatch`] for a roster or key of another size than planned.
    pub fn begin(
        &self,
        ceremony: &Transcript,
        round: &Transcript,
        key: &KeyShare,
        committee: &Committee,
        ledger: &mut impl Ledger,
    ) -> Result<DecryptionSession> {
        let roster = ceremony.roster();
        let sizes = [
            ("sites of the roster", u64::from(self.literal.sites), roster.parties() as u64),
            ("threshold", u64::from(self.literal.threshold), roster.threshold() as u64),
        ];
        for (what, expected, found) in sizes {
            if expected != found {
                return Err(Error::Mismatch { what, expected, found });
            }
        }
        if key.width() < self.literal.width as usize {
            let (expected, found) = (u64::from(self.literal.width), key.width() as u64);
            return Err(Error::Mismatch { what: "width of the key", expected, found });
        }
        let opening = Opening {
            flooding: self.flooding,
            room_log2: self.layout.room_log2(),
            ciphertexts: self.chunks(),
        };
        Ok(DecryptionSession::begin(ceremony, round, key, committee, opening, ledger)?)
    }

    /// Bits of one coefficient of a sum.
    pub(crate) fn sum_bits(&self) -> u32 {
        self.layout.sum_top(self.terms).1
    }

    pub(crate) fn half_values(&self) -> usize {
        self.layout.digits() * self.params.n()
    }

    /// The shape of chunk `index`. Range: `index < chunks()`.
    pub(crate) fn chunk(&self, index: u64) -> Chunk {
        let full = self.chunk_values() as u64;
        let values = (self.literal.values - index * full).min(full) as usize;
        let halves = values.div_ceil(self.half_values());
        let coefficients = (0..halves)
            .map(|j| (values - j * self.half_values()).min(self.half_values()).div_ceil(self.layout.digits()))
            .collect();
        Chunk { values, coefficients }
    }

    /// Header, plan, four bytes, then the chunks: `head` bytes each and their coefficients.
    fn stream_len(&self, head: usize, bits: u32) -> u64 {
        let (chunks, last) = (self.chunks(), self.chunk(self.chunks() - 1));
        let full = Chunk {
            values: self.chunk_values(),
            coefficients: vec![self.params.n(); self.literal.width as usize],
        };
        let all = (chunks - 1) * full.len(head, bits) as u64 + last.len(head, bits) as u64;
        Header::LEN as u64 + 32 + 4 + all
    }
}

impl Chunk {
    /// Bytes of the chunk: `head`, then its coefficients of `bits` bits, half after half.
    pub(crate) fn len(&self, head: usize, bits: u32) -> usize {
        head + self.coefficients.iter().map(|&c| fields::packed_len(c, bits)).sum::<usize>()
    }
}

fn plan_error(what: &'static str, found: u64, (min, max): (u64, u64)) -> Error {
    Error::Plan { what, found, min, max }
}

fn check(l: &SumPlanLiteral) -> Result<()> {
    let sites = u64::from(l.sites);
    let ranges = [
        ("values", l.values, (1, MAX_VALUES)),
        ("largest integer", l.max, (1, 1 << 62)),
        ("sites", sites, (1, MAX_PARTIES as u64)),
        ("threshold", u64::from(l.threshold), (1, sites)),
        ("width", u64::from(l.width), (1, MAX_WIDTH as u64)),
        ("budget", l.budget, (1, 1 << 48)),
        ("attempts", u64::from(l.attempts), (1, u64::from(MAX_ATTEMPTS))),
    ];
    for (what, found, (min, max)) in ranges {
        if !(min..=max).contains(&found) {
            return Err(plan_error(what, found, (min, max)));
        }
    }
    Ok(())
}

fn digest(params: &Parameters, l: &SumPlanLiteral, layout: &Layout) -> Digest {
    let mut h = Hasher::new("blindscope/aggregate/plan/v1");
    h.absorb(&params.digest().0);
    for v in [
        l.values,
        l.max,
        u64::from(l.sites),
        u64::from(l.threshold),
        u64::from(l.width),
        l.budget,
        u64::from(l.statistical_bits),
        u64::from(l.attempts),
        layout.digits() as u64,
        u64::from(layout.digit_bits()),
        u64::from(layout.base_bits()),
        u64::from(layout.dropped()),
    ] {
        h.absorb_u64(v);
    }
    h.finish()
}
