//! A key that nobody holds: three sites make it, any two open a result.
//!
//! Every site draws a summand of the secret and tells nobody. Summands of the public key add up to the public key. Summands
//! of the secret are dealt in Shamir's form, so that two sites can take part in an opening while the third is away; what they
//! send is *flooded* with noise, since the exact error of an opening would betray the secret.
//!
//! ```text
//! three sites, any two open
//! opened: 12.50, -3.00
//! one site alone is refused: true
//! a second opening in the same round is refused: true
//! ```
#![allow(clippy::print_stdout, reason = "a program that tells what it does")]

use std::error::Error;

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;

use blindscope::ckks::{Encoder, Parameters, PublicEncryptor, Scale, presets};
use blindscope::threshold::{
    Committee, Decryption, DecryptionSession, Flooding, MemoryLedger, Opening, PartCollector, PartyId,
    PublicKeyProtocol, Roster, SiteSecret, Transcript,
};
use blindscope::wire::Digest;

fn main() -> Result<(), Box<dyn Error>> {
    let mut rng = ChaCha20Rng::seed_from_u64(6);
    let params = Parameters::new(presets::depth_two())?;
    // Parties are named by the digests of their identities; a transcript binds every message to them and to its purpose.
    let roster = Roster::new((0..3).map(|i| Digest([i; 32])).collect(), 2)?;
    let ceremony = Transcript::new(&params, &roster, b"ceremony", 0);
    println!("three sites, any two open");

    let sites: Result<Vec<_>, _> =
        roster.iter().map(|p| SiteSecret::generate(&ceremony, p, &mut rng)).collect();
    let sites = sites?;
    let mut public = PublicKeyProtocol::collector(&ceremony);
    let mut parts: Vec<_> = roster.iter().map(|p| PartCollector::new(&ceremony, p)).collect();
    for site in &sites {
        public.absorb(&PublicKeyProtocol::begin(&ceremony).share(site, &mut rng))?;
        for part in site.split(&ceremony, &mut rng) {
            parts[usize::from(part.to().0)].absorb(part)?;
        }
    }
    let public = PublicKeyProtocol::finish(&ceremony, public)?;
    let shares = parts.into_iter().map(PartCollector::finish).collect::<Result<Vec<_>, _>>()?;

    // The scale leaves the message far above the flooding noise.
    let encoder = Encoder::new(&params);
    let message = encoder.encode_real(&[12.5, -3.0], params.top_level(), Scale::pow2(80))?;
    let c = PublicEncryptor::new(&public).encrypt(&message, &mut rng)?;

    let round = Transcript::new(&params, &roster, b"result", 1);
    let committee = Committee::new(&roster, &[PartyId(0), PartyId(2)])?;
    let flooding = Flooding::for_fresh(&params, 3, 1, 1, 2, 40)?;
    let opening = Opening { flooding, room_log2: 70.0, ciphertexts: 1 };
    let decryption = Decryption::new(&round, &c, 0)?;
    let mut collector = decryption.collector(&committee);
    // What a site has opened is written down before it answers; a real one keeps the ledger on disk.
    let mut ledger = MemoryLedger::default();
    for party in committee.iter() {
        let key = &shares[usize::from(party.0)];
        let mut own = MemoryLedger::default();
        let ledger = if party.0 == 0 { &mut ledger } else { &mut own };
        let session = DecryptionSession::begin(&ceremony, &round, key, &committee, opening, ledger)?;
        collector.absorb(&session.share(&c)?.0)?;
    }
    let opened = encoder.decode_real(&decryption.finish(collector)?)?;
    println!("opened: {:.2}, {:.2}", opened[0], opened[1]);

    println!("one site alone is refused: {}", Committee::new(&roster, &[PartyId(1)]).is_err());
    let again = DecryptionSession::begin(&ceremony, &round, &shares[0], &committee, opening, &mut ledger);
    println!("a second opening in the same round is refused: {}", again.is_err());
    Ok(())
}
