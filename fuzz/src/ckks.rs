//! Every decoder of `ckks`, at a toy ring: refused, or decoded to something that is written again as the same bytes and
//! can be computed with.

use rand_core::SeedableRng;

use blindscope_ckks::{
    Ciphertext, Decryptor, Encoder, Encryptor, Evaluator, KeyGenerator, Level, ModulusLiteral, Parameters,
    ParametersLiteral, SecretKey, Security, codec,
};
use blindscope_testkit::patched;
use blindscope_wire::{Header, Kind, Writer};

const KINDS: [Kind; 7] = [
    codec::SEEDED_CIPHERTEXT,
    codec::CIPHERTEXT,
    codec::FINAL_CIPHERTEXT,
    codec::PUBLIC_KEY,
    codec::RELIN_KEY,
    codec::GALOIS_KEY,
    codec::SPARSE_CIPHERTEXT,
];

/// Parameters, a key, and one valid object of each kind to start from.
pub(crate) struct Toy {
    params: Parameters,
    secret: SecretKey,
    encoder: Encoder,
    evaluator: Evaluator,
    /// Inputs of [`Toy::decode`] that are accepted.
    pub(crate) seeds: Vec<Vec<u8>>,
}

impl Toy {
    /// N = 32, three primes and a special one.
    pub(crate) fn new() -> blindscope_ckks::Result<Self> {
        let params = Parameters::insecure_for_tests(ParametersLiteral {
            log_n: 5,
            ciphertext: ModulusLiteral::bits(&[40, 30, 30]),
            special: ModulusLiteral::bits(&[40]),
            log2_scale: 30,
            security: Security::Classical128,
        })?;
        let mut rng = chacha20::ChaCha20Rng::seed_from_u64(1);
        let generator = KeyGenerator::new(&params);
        let secret = generator.secret_key(&mut rng);
        let (encoder, evaluator) = (Encoder::new(&params), Evaluator::new(&params));
        let message = encoder.encode_real(&[0.5, -0.25], params.top_level(), params.default_scale())?;
        let seeded = Encryptor::new(&secret).encrypt(&message, &mut rng)?;
        let full = seeded.expand();
        let objects = [
            codec::encode_seeded(&seeded),
            codec::encode_ciphertext(&full),
            codec::encode_ciphertext(&evaluator.square(&full)?),
            codec::encode_final(
                &evaluator.drop_to_level(&full, Level(0))?,
                codec::DropBits { c0: 6, c1: 3 },
            )?,
            codec::encode_public_key(&generator.public_key(&secret, &mut rng)),
            codec::encode_relin_key(&generator.relin_key(&secret, &mut rng)?),
            codec::encode_galois_key(&generator.rotation_key(&secret, 1, &mut rng)?),
            codec::encode_sparse(&seeded, &sparse(&params)?),
        ];
        let seeds = objects.iter().map(|object| Self::input(object)).collect();
        Ok(Self { params, secret, encoder, evaluator, seeds })
    }

    /// An object as an input: a byte for its kind, a byte that leaves its own header in place, the object.
    fn input(object: &[u8]) -> Vec<u8> {
        let kind = u16::from_le_bytes([object[6], object[7]]);
        let which = KINDS.iter().position(|k| k.0 == kind).unwrap_or(0);
        [&[which as u8, 0], object].concat()
    }

    /// The fuzzer's entry: an input of [`Self::decode`], or changes of a valid one ([`patched`]).
    pub(crate) fn run(&self, data: &[u8]) -> bool {
        self.decode(&patched(&self.seeds, data))
    }

    /// The first byte picks the decoder. An odd second byte has a right header put in front of the rest, so that a
    /// fuzzer need not guess a fingerprint. Returns whether the decoder accepted.
    pub(crate) fn decode(&self, data: &[u8]) -> bool {
        let [which, framed, rest @ ..] = data else { return false };
        let kind = KINDS[usize::from(*which) % KINDS.len()];
        let bytes = if framed & 1 == 1 { self.framed(kind, rest) } else { rest.to_vec() };
        let again = self.again(kind, &bytes);
        if let Ok(Some(again)) = &again {
            assert!(*again == bytes, "{kind}: decoded, but written differently");
        }
        again.is_ok()
    }

    /// Most bytes that decoding any object of these parameters may allocate: its words twice over, and small change.
    pub(crate) fn allocation_bound(&self) -> usize {
        let words = 2 * self.params.digits() * self.params.qp().len() * self.params.n();
        2 * 8 * words + (16 << 10)
    }

    /// Decodes and encodes again; `None` where the form is not unique.
    fn again(&self, kind: Kind, bytes: &[u8]) -> blindscope_ckks::Result<Option<Vec<u8>>> {
        let p = &self.params;
        Ok(Some(match kind {
            codec::SEEDED_CIPHERTEXT => {
                let c = codec::decode_seeded(p, bytes)?;
                self.compute(&c.expand());
                codec::encode_seeded(&c)
            }
            codec::CIPHERTEXT => {
                let c = codec::decode_ciphertext(p, bytes)?;
                self.compute(&c);
                codec::encode_ciphertext(&c)
            }
            codec::FINAL_CIPHERTEXT => {
                let c = codec::decode_final(p, bytes)?;
                self.compute(&c);
                return Ok(None);
            }
            codec::PUBLIC_KEY => codec::encode_public_key(&codec::decode_public_key(p, bytes)?),
            codec::SPARSE_CIPHERTEXT => {
                let sparse = sparse(p)?;
                let c = codec::decode_sparse(p, &sparse, bytes)?;
                self.compute(&c.expand());
                codec::encode_sparse(&c, &sparse)
            }
            codec::RELIN_KEY => codec::encode_relin_key(&codec::decode_relin_key(p, bytes)?),
            _ => codec::encode_galois_key(&codec::decode_galois_key(p, bytes)?),
        }))
    }

    /// An accepted ciphertext has a scale that numbers can be divided by, and no operation panics on it.
    fn compute(&self, c: &Ciphertext) {
        let scale = self.params.scale_value(&c.scale());
        assert!(scale.is_finite() && scale >= 1.0, "scale {scale:e} was accepted");
        if let Ok(message) = Decryptor::new(&self.secret).decrypt(c) {
            let slots = self.encoder.decode_slots(&message);
            assert!(slots.is_ok_and(|s| s.iter().all(|z| z.re.is_finite() && z.im.is_finite())));
        }
        // Errors are fine (levels, scales, components); panics are not.
        drop(self.evaluator.add(c, c));
        drop(self.evaluator.rescale(c));
        drop(self.evaluator.square(c).and_then(|c| self.evaluator.rescale(&c)));
    }

    fn framed(&self, kind: Kind, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut w = Writer::new(&mut bytes, Header::LEN + payload.len());
        let header = Header { kind, params: self.params.fingerprint(), payload_len: payload.len() as u64 };
        header.write(&mut w);
        w.bytes(payload);
        w.finish();
        bytes
    }
}

/// Every fourth coefficient without its three lowest bits.
fn sparse(params: &Parameters) -> blindscope_ckks::Result<codec::Sparse> {
    codec::Sparse::new(params, (1..params.n()).step_by(4).collect(), 3)
}
