//! Every decoder of `classify`, with a small head: refused, or decoded to something that is written again as the same bytes
//! and can be computed with.

use rand_core::SeedableRng;

use blindscope_ckks::{KeyGenerator, Security};
use blindscope_classify::{
    Affine, Answer, Asker, AskerSecret, EncryptedHead, EvaluationKeys, Head, HeadLiteral, KeyOwner, Map,
    Normalisation, Plan, Policy, Result, Server,
};
use blindscope_testkit::patched;
use blindscope_wire::{Header, Kind, Writer};

/// Keys, question, answer, encrypted head: those with a header.
const KINDS: [Kind; 4] = [Kind(0x0501), Kind(0x0502), Kind(0x0503), Kind(0x0504)];
/// Decoders: those, then heads, then plans.
const DECODERS: usize = KINDS.len() + 2;
/// Tokens of the questions to start from.
const TOKENS: usize = 2;

/// One head with a plan under the asker's key and one for an encrypted head, and a valid object of each kind.
pub(crate) struct Toy {
    plan: Plan,
    collective: Plan,
    keys: EvaluationKeys,
    server: Server,
    asker: Asker,
    secret: AskerSecret,
    /// Inputs of [`Toy::decode`] that are accepted.
    pub(crate) seeds: Vec<Vec<u8>>,
}

fn heads() -> Result<[Head; 2]> {
    let affine = |rows: usize, width: usize| Affine {
        weights: (0..rows)
            .map(|i| (0..width).map(|j| ((3 * i + j) % 5) as f64 / 4.0 - 0.5).collect())
            .collect(),
        bias: vec![0.25; rows],
    };
    let with = |map| HeadLiteral { normalisation: Normalisation::identity(6, 2.0), map, range: Some(8.0) };
    let polynomial =
        Map::Polynomial { inner: affine(3, 6), polynomial: vec![0.1, 0.5, 0.25], outer: affine(2, 3) };
    Ok([Head::new(with(Map::Linear { layer: affine(2, 6) }))?, Head::new(with(polynomial))?])
}

impl Toy {
    /// A linear head of six features, in the smallest ring that plans use; a polynomial one under a collective key.
    pub(crate) fn new() -> Result<Self> {
        let mut rng = chacha20::ChaCha20Rng::seed_from_u64(1);
        let [head, polynomial] = heads()?;
        let policy = Policy { security: Security::Classical128, ..Policy::new(4) };
        let plan = Plan::new(&head, policy.precise(4))?;
        let collective = Policy { key: KeyOwner::Collective, encrypted_head: true, ..policy };
        let collective = Plan::new(&polynomial, collective)?;
        let secret = AskerSecret::generate(&plan, &mut rng)?;
        let keys = EvaluationKeys::generate(&plan, &secret, &mut rng)?;
        let (server, asker) = (Server::new(&head, &plan)?, Asker::new(&plan));
        let question = asker.encrypt(&[[0.5; 6]; TOKENS], &secret, &mut rng)?;
        let generator = KeyGenerator::new(collective.params());
        let public = generator.public_key(&generator.secret_key(&mut rng), &mut rng);
        let objects = [
            keys.to_bytes(&plan)?,
            question.clone(),
            server.answer_bytes(&keys, &question, &mut rng)?,
            EncryptedHead::encrypt(&polynomial, &collective, 1.0, &public, &mut rng)?
                .to_bytes(&collective)?,
            head.to_json()?,
            polynomial.to_safetensors()?,
            plan.to_bytes()?,
        ];
        let which = [0u8, 1, 2, 3, 4, 4, 5];
        let seeds = which.iter().zip(&objects).map(|(w, o)| [&[*w, 0], o.as_slice()].concat()).collect();
        Ok(Self { plan, collective, keys, server, asker, secret, seeds })
    }

    /// The fuzzer's entry: an input of [`Self::decode`], or changes of a valid one ([`patched`]).
    pub(crate) fn run(&self, data: &[u8]) -> bool {
        self.decode(&patched(&self.seeds, data))
    }

    /// The first byte picks the decoder. An odd second byte has a right header put in front of the rest, so that a
    /// fuzzer need not guess a plan's digest. Returns whether the decoder accepted.
    pub(crate) fn decode(&self, data: &[u8]) -> bool {
        let [which, framed, rest @ ..] = data else { return false };
        let which = usize::from(*which) % DECODERS;
        let bytes = match KINDS.get(which) {
            Some(kind) if framed & 1 == 1 => self.framed(*kind, rest),
            _ => rest.to_vec(),
        };
        let decoded = match which {
            0 => self.keys(&bytes),
            1 => self.question(&bytes),
            2 => self.answer(&bytes),
            3 => self.encrypted_head(&bytes),
            4 => head(&bytes),
            _ => plan(&bytes),
        };
        decoded.is_ok()
    }

    fn keys(&self, bytes: &[u8]) -> Result<()> {
        let again = EvaluationKeys::from_bytes(&self.plan, bytes)?.to_bytes(&self.plan)?;
        assert!(again == bytes, "keys: decoded, but written differently");
        Ok(())
    }

    fn question(&self, bytes: &[u8]) -> Result<()> {
        let answer = self.server.answer(&self.keys, bytes, &mut chacha20::ChaCha20Rng::from_seed([3; 32]))?;
        let logits = self.asker.open(answer.tokens(), &answer.to_bytes(&self.plan), &self.secret)?;
        assert!(logits.iter().flatten().all(|l| l.is_finite()));
        Ok(())
    }

    fn answer(&self, bytes: &[u8]) -> Result<()> {
        let answer = Answer::from_bytes(&self.plan, TOKENS, bytes)?;
        assert!(answer.to_bytes(&self.plan) == bytes, "answer: decoded, but written differently");
        let logits = self.asker.open(TOKENS, bytes, &self.secret)?;
        assert!(logits.iter().flatten().all(|l| l.is_finite()));
        Ok(())
    }

    fn encrypted_head(&self, bytes: &[u8]) -> Result<()> {
        let again = EncryptedHead::from_bytes(&self.collective, bytes)?.to_bytes(&self.collective)?;
        assert!(again == bytes, "encrypted head: decoded, but written differently");
        Ok(())
    }

    fn framed(&self, kind: Kind, payload: &[u8]) -> Vec<u8> {
        let plan = if kind == KINDS[3] { &self.collective } else { &self.plan };
        let mut bytes = Vec::new();
        let mut w = Writer::new(&mut bytes, Header::LEN + payload.len());
        let payload_len = payload.len() as u64;
        Header { kind, params: plan.id().fingerprint(), payload_len }.write(&mut w);
        w.bytes(payload);
        w.finish();
        bytes
    }
}

/// JSON and `safetensors` say the same, and any head has a plan or a reason why not.
fn head(bytes: &[u8]) -> Result<()> {
    let head = Head::from_bytes(bytes)?;
    for form in [head.to_json()?, head.to_safetensors()?] {
        assert!(Head::from_bytes(&form)? == head, "head: read, but written differently");
    }
    match Plan::new(&head, Policy::new(1)) {
        Ok(plan) => assert!(plan.literal().error_bound.is_finite()),
        Err(blindscope_classify::Error::Json(e)) => panic!("a plan that cannot be written: {e}"),
        Err(_) => {}
    }
    Ok(())
}

/// A plan that is read has lengths, figures and the same digest when it is read again.
fn plan(bytes: &[u8]) -> Result<()> {
    let plan = Plan::from_bytes(bytes)?;
    assert!(Plan::from_bytes(&plan.to_bytes()?)?.id() == plan.id(), "plan: read, but written differently");
    let report = plan.report();
    assert!(report.key_bytes > 0 && report.upload_bytes > 0 && report.answer_bytes > 0);
    Ok(())
}
