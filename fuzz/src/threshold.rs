//! Every decoder of `threshold`, in a toy ring: refused, or decoded to something that is written again as the same bytes and can be
//! computed with.

use rand_core::SeedableRng;

use blindscope_ckks::{Encoder, ModulusLiteral, Parameters, ParametersLiteral, Security};
use blindscope_testkit::patched;
use blindscope_threshold::{
    Dealt, KeyShare, Message, PartyId, PublicKeyProtocol, Remainder, Result, Roster, ShamirPart, Shape,
    SiteSecret, Transcript,
};
use blindscope_wire::Digest;

/// Share of a public key, part, key share, remainder of a question.
const DECODERS: usize = 4;

/// A ceremony of three parties, threshold two, and a valid object of each kind.
pub(crate) struct Toy {
    ceremony: Transcript,
    /// Inputs of [`Toy::decode`] that are accepted.
    pub(crate) seeds: Vec<Vec<u8>>,
}

fn toy() -> Result<Parameters> {
    Ok(Parameters::insecure_for_tests(ParametersLiteral {
        log_n: 5,
        ciphertext: ModulusLiteral::bits(&[40, 30]),
        special: ModulusLiteral::bits(&[40]),
        log2_scale: 30,
        security: Security::Classical128,
    })?)
}

fn shape(ceremony: &Transcript) -> Shape {
    PublicKeyProtocol::collector(ceremony).shape().clone()
}

impl Toy {
    /// N = 32, two primes and a special one.
    pub(crate) fn new() -> Result<Self> {
        let params = toy()?;
        let mut rng = chacha20::ChaCha20Rng::seed_from_u64(1);
        let roster = Roster::new((0..3).map(|i| Digest([i; 32])).collect(), 2)?;
        let ceremony = Transcript::new(&params, &roster, b"fuzz", 0);
        let mut parts = Vec::new();
        let mut share = None;
        for party in roster.iter() {
            let secret = SiteSecret::generate(&ceremony, party, &mut rng)?;
            share = Some(PublicKeyProtocol::begin(&ceremony).share(&secret, &mut rng));
            parts.extend(secret.split(&ceremony, &mut rng).into_iter().filter(|p| p.to() == PartyId(0)));
        }
        let share = share.map(|s| s.to_bytes(&ceremony, &shape(&ceremony))).unwrap_or_default();
        let part = parts[0].to_bytes(&ceremony).to_vec();
        let key_share = KeyShare::combine(&ceremony, PartyId(0), parts)?.to_bytes(&ceremony).to_vec();
        let message =
            Encoder::new(&params).encode_real(&[0.5, -0.25], params.top_level(), params.default_scale())?;
        let dealt = [Dealt::generate(&mut rng), Dealt::generate(&mut rng)];
        let remainder = Remainder::of(&params, &[message], &dealt)?.to_bytes(&params);
        let objects = [share, part, key_share, remainder];
        let seeds =
            (0..).zip(&objects).map(|(which, object): (u8, _)| [&[which], object.as_slice()].concat());
        let seeds = seeds.collect();
        Ok(Self { ceremony, seeds })
    }

    /// The fuzzer's entry: an input of [`Self::decode`], or changes of a valid one ([`patched`]).
    pub(crate) fn run(&self, data: &[u8]) -> bool {
        self.decode(&patched(&self.seeds, data))
    }

    /// The first byte picks the decoder. Returns whether it accepted.
    pub(crate) fn decode(&self, data: &[u8]) -> bool {
        let [which, bytes @ ..] = data else { return false };
        let decoded = match usize::from(*which) % DECODERS {
            0 => self.share(bytes),
            1 => self.part(bytes),
            2 => self.key_share(bytes),
            _ => self.remainder(bytes),
        };
        decoded.is_ok()
    }

    /// A share that is accepted is collected once.
    fn share(&self, bytes: &[u8]) -> Result<()> {
        let shape = shape(&self.ceremony);
        let share = Message::from_bytes(bytes, &self.ceremony, &shape)?;
        assert!(share.to_bytes(&self.ceremony, &shape) == bytes, "share: decoded, but written differently");
        let mut collector = PublicKeyProtocol::collector(&self.ceremony);
        collector.absorb(&share)?;
        assert!(collector.absorb(&share).is_err(), "a party was counted twice");
        assert!(PublicKeyProtocol::finish(&self.ceremony, collector).is_err(), "a key of one party");
        Ok(())
    }

    fn part(&self, bytes: &[u8]) -> Result<()> {
        let part = ShamirPart::from_bytes(&self.ceremony, bytes)?;
        assert!(part.to_bytes(&self.ceremony).as_slice() == bytes, "part: decoded, but written differently");
        let to = part.to();
        assert!(KeyShare::combine(&self.ceremony, to, vec![part]).is_err(), "a key share of one part");
        Ok(())
    }

    fn key_share(&self, bytes: &[u8]) -> Result<()> {
        let again = KeyShare::from_bytes(&self.ceremony, bytes)?.to_bytes(&self.ceremony);
        assert!(again.as_slice() == bytes, "key share: decoded, but written differently");
        Ok(())
    }

    fn remainder(&self, bytes: &[u8]) -> Result<()> {
        let params = self.ceremony.params();
        let remainder = Remainder::from_bytes(params, 1, bytes)?;
        assert!(remainder.to_bytes(params) == bytes, "remainder: decoded, but written differently");
        assert!(remainder.add_to(params, &mut []).is_err(), "added to nothing");
        Ok(())
    }
}
