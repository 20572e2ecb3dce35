//! The key ceremony: what one site computes.

use chacha20::ChaCha20Rng;

use super::{AREA, Better, Error, Figure, Report, parameters, presets};
use crate::clock::milliseconds;
use blindscope_ckks::Parameters;
use blindscope_classify::{Affine, Head, HeadLiteral, Map, Normalisation, Plan, Policy};
use blindscope_ring::galois::rotation_element;
use blindscope_ring::{Ntt, Poly};
use blindscope_threshold::{
    GaloisKeyProtocol, KeyShare, PartCollector, PartyId, PublicKeyProtocol, RelinKeyProtocol, Result, Roster,
    SiteSecret, Transcript, WideKey,
};
use blindscope_wire::Digest;

pub(super) fn ceremony(params: &Parameters, n: usize, t: usize, width: usize) -> Result<Transcript> {
    let identities = (0..n).map(|i| Digest([i as u8; 32])).collect();
    Transcript::ceremony(params, &Roster::new(identities, t)?, b"bench", width)
}

/// The public key of `n` sites, and every site's key share.
pub(super) fn keys(ceremony: &Transcript, rng: &mut ChaCha20Rng) -> Result<(WideKey, Vec<KeyShare>)> {
    let roster = ceremony.roster();
    let mut collector = PublicKeyProtocol::collector(ceremony);
    let mut parts: Vec<_> = roster.iter().map(|p| PartCollector::new(ceremony, p)).collect();
    for party in roster.iter() {
        let secret = SiteSecret::generate(ceremony, party, rng)?;
        collector.absorb(&PublicKeyProtocol::begin(ceremony).share(&secret, rng))?;
        for part in secret.split(ceremony, rng) {
            parts[usize::from(part.to().0)].absorb(part)?;
        }
    }
    let shares = parts.into_iter().map(PartCollector::finish).collect::<Result<_>>()?;
    Ok((PublicKeyProtocol::finish_wide(ceremony, collector)?, shares))
}

pub(super) fn wide_key(
    params: &Parameters,
    n: usize,
    width: usize,
    rng: &mut ChaCha20Rng,
) -> Result<WideKey> {
    Ok(keys(&ceremony(params, n, n, width)?, rng)?.0)
}

/// Parameters and Galois elements of an encrypted head 768 → 32 → 3 with a square.
fn inference() -> std::result::Result<(Parameters, Vec<usize>), Error> {
    let layer = |rows: usize, width: usize| Affine {
        weights: (0..rows)
            .map(|r| (0..width).map(|c| ((r + c) % 7) as f64 * 0.01 - 0.03).collect())
            .collect(),
        bias: vec![0.0; rows],
    };
    let map = Map::Polynomial { inner: layer(32, 768), polynomial: vec![0.1, 0.5, 0.2], outer: layer(3, 32) };
    let head = Head::new(HeadLiteral { normalisation: Normalisation::identity(768, 2.0), map, range: None })?;
    let plan = Plan::new(&head, Policy::new(8))?;
    let log_n = plan.params().log_n();
    let elements = plan.rotation_keys().iter().map(|k| rotation_element(k.0, log_n)).collect();
    Ok((plan.params().clone(), elements))
}

pub(super) fn figures(rng: &mut ChaCha20Rng, report: &mut Report) -> std::result::Result<(), Error> {
    let (params, elements) = inference()?;
    let mut others = Vec::new();
    for (n, bar, aim) in [(3, 2.0, 0.5), (16, 10.0, 3.0)] {
        let site = Site::new(ceremony(&params, n, n / 2 + 1, 1)?, elements.clone(), rng)?;
        // Once before it is timed, so that an error surfaces.
        site.compute(rng)?;
        let times = seconds(&milliseconds(RUNS, 1, || site.compute(rng)));
        let name = format!("ceremony_inference_{n}_sites_a_site");
        report.figures.push(Figure::of(AREA, name, "s cpu", Better::Lower, &times).must(bar, aim));
        let session = ceremony(&parameters(presets::sum())?, n, n / 2 + 1, presets::SUM_WIDTH)?;
        sum_site(&session, rng)?;
        let times = seconds(&milliseconds(RUNS, 1, || sum_site(&session, rng)));
        let name = format!("ceremony_sum_key_{n}_sites_a_site");
        others.push(Figure::of(AREA, name, "s cpu", Better::Lower, &times));
    }
    report.figures.extend(others);
    let keys = [(elements.len() + 2) as f64];
    report.figures.push(Figure::of(AREA, "ceremony_inference_keys", "keys", Better::Lower, &keys));
    Ok(())
}

/// Runs of one site's ceremony.
const RUNS: usize = 11;

fn seconds(milliseconds: &[f64]) -> Vec<f64> {
    milliseconds.iter().map(|ms| ms * 1e-3).collect()
}

/// One site before the ceremony, with what the server sends it between the rounds.
struct Site {
    session: Transcript,
    elements: Vec<usize>,
    round_one: Vec<Poly<Ntt>>,
}

impl Site {
    fn new(session: Transcript, elements: Vec<usize>, rng: &mut ChaCha20Rng) -> Result<Self> {
        let mut collector = RelinKeyProtocol::collector(&session);
        for party in session.roster().iter() {
            let secret = SiteSecret::generate(&session, party, rng)?;
            collector.absorb(&RelinKeyProtocol::begin(&session).share(&secret, rng)?.0)?;
        }
        let round_one = RelinKeyProtocol::finish(collector)?;
        Ok(Self { session, elements, round_one })
    }

    /// All that one site computes for public, relinearisation and Galois keys and for its key share.
    fn compute(&self, rng: &mut ChaCha20Rng) -> Result<()> {
        let session = &self.session;
        let secret = SiteSecret::generate(session, PartyId(0), rng)?;
        PublicKeyProtocol::begin(session).share(&secret, rng);
        let (_, state) = RelinKeyProtocol::begin(session).share(&secret, rng)?;
        state.share(&secret, &self.round_one, rng)?;
        for &element in &self.elements {
            GaloisKeyProtocol::begin(session, element).share(&secret, rng)?;
        }
        key_share(session, &secret, rng)
    }
}

fn sum_site(session: &Transcript, rng: &mut ChaCha20Rng) -> Result<()> {
    let secret = SiteSecret::generate(session, PartyId(0), rng)?;
    PublicKeyProtocol::begin(session).share(&secret, rng);
    key_share(session, &secret, rng)
}

/// Splits the secret for every site, and adds up as many parts as a site receives.
fn key_share(session: &Transcript, secret: &SiteSecret, rng: &mut ChaCha20Rng) -> Result<()> {
    let mut collectors: Vec<_> = session.roster().iter().map(|p| PartCollector::new(session, p)).collect();
    for part in secret.split(session, rng) {
        collectors[usize::from(part.to().0)].absorb(part)?;
    }
    Ok(())
}
