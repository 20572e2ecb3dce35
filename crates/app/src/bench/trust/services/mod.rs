//! Through the real services: coordinator, three sites and nine askers in this process, over TLS on loopback. What an attacker gets from
//! them, how long a question to an encrypted head takes, and what askers notice of a job that runs beside them.

mod door;
mod filler;
mod insider;
mod slots;
mod world;

use std::time::Instant;

use super::{AREA, failed, got};
use crate::bench::{Better, Error, Figure, Report};
use blindscope_ckks::{Ciphertext, Encoder, KeyGenerator, codec};
use blindscope_classify::{Plan, question_of};
use blindscope_federation::Blob;
use blindscope_node::asker::{self, Asking};
use blindscope_node::kit::Kit;
use blindscope_node::system;
use blindscope_transport::Upload;
use door::Door;
use filler::Filler;
use insider::Insider;
use world::{ASKERS, World};

const WHAT: &str = "services";
/// Questions of each asker, one after the other, while times are taken.
const EACH: usize = 12;
/// Questions to the encrypted head that times are taken of.
const COLLECTIVE: usize = 5;

pub(super) fn figures(report: &mut Report) -> Result<(), Error> {
    let runtime = system::runtime().map_err(|e| failed(WHAT, e))?;
    report.figures.extend(runtime.block_on(async {
        let mut world = World::start().await.map_err(|e| failed(WHAT, e))?;
        let figures = attacked(&mut world).await;
        world.end().await.map_err(|e| failed(WHAT, e))?;
        figures
    })?);
    Ok(())
}

/// Everything that is asked of the services, then the attack on their key, held against it once they have stopped.
async fn attacked(world: &mut World) -> Result<Vec<Figure>, Error> {
    let asked = async {
        let door = Door::of(world, 1).await?;
        let told = slots::ask(&door).await?;
        let figures = measure(world).await?;
        let records = world.records().await?;
        world.stop().await?;
        Ok::<_, blindscope_node::Error>((door, told, figures, records))
    };
    let (door, told, mut figures, records) = asked.await.map_err(|e| failed(WHAT, e))?;
    let insider = Insider::of(world.folder(), records, told.question).await?;
    figures.extend(slots::figures(&door, &told, &insider)?);
    Ok(figures)
}

async fn measure(world: &World) -> Result<Vec<Figure>, blindscope_node::Error> {
    let mut figures = vec![
        got("chosen_ciphertexts_taken_by_services", chosen(&world.asker(0)).await?),
        got("tokens_beyond_what_is_charged", overcharged(world).await?),
    ];
    let seconds = collective(world).await?;
    figures.push(
        Figure::of(AREA, "encrypted_head_question_to_answer", "s", Better::Lower, &seconds).must(2.0, 0.5),
    );
    figures.extend(beside(world).await?);
    Ok(figures)
}

/// What an asker could do before questions were dealt in shares: hand in its public key and a ciphertext `(0, d)`.
async fn chosen(kit: &Kit) -> Result<usize, blindscope_node::Error> {
    let client = world::client(kit)?;
    let head = format!(r#"{{"wish":"encrypted-head","job":"{}"}}"#, world::ENCRYPTED);
    let wish = format!(
        r#"{{"wish":"encrypted-answers","job":"{}","tokens":1,"holders":[0,1,2]}}"#,
        world::ENCRYPTED
    );
    let offer: serde_json::Value = world::parsed(&client.offer(head.into()).await?)?;
    let plan = Plan::from_bytes(offer["plan"].as_str().unwrap_or_default().as_bytes())?;
    let (params, mut rng) = (plan.params(), system::rng()?);
    let generator = KeyGenerator::new(params);
    let own = codec::encode_public_key(&generator.public_key(&generator.secret_key(&mut rng), &mut rng));
    let mut taken = 0;
    for place in 0..4 {
        let mut d = vec![0.0; params.slots()];
        d[place] = 1.0;
        let refused =
            |e: blindscope_ckks::Error| blindscope_node::Error::from(blindscope_federation::Error::from(e));
        let d = Encoder::new(params).encode_real(&d, params.top_level(), plan.fresh()).map_err(refused)?;
        let chosen = vec![params.q().zero(), d.poly().clone()];
        let chosen = Ciphertext::from_components(params, chosen, plan.fresh());
        let body = [&own[..], &question_of(&plan, 1, vec![chosen])?].concat();
        let blob = Blob::of(&body);
        let upload = Upload { header: wish.clone().into(), len: blob.len, digest: blob.digest };
        match client.infer(upload, Box::new(std::io::Cursor::new(body)), 1 << 12).await {
            // What is refused has to be what was handed in, not the words around it.
            Err(blindscope_transport::Error::Refused(refusal)) if refusal.code == "length" => {}
            Err(other) => return Err(other.into()),
            Ok(_) => taken += 1,
        }
    }
    Ok(taken)
}

/// One asker fills every place of its ciphertexts and announces one token, until its hour is used up: how many tokens' logits came
/// right beyond what an hour has.
async fn overcharged(world: &World) -> Result<usize, blindscope_node::Error> {
    let mut filler = Filler::begin(&world.asker(0)).await?;
    let head = world.clear_head().await?;
    let mut right = 0;
    // A coordinator that counts nothing would go on for ever.
    while right <= 2 * world::TOKENS_AN_HOUR as usize {
        let Some(got) = filler.ask().await? else { break };
        let want = head.logits(&filler.tokens)?;
        let bound = filler.plan.literal().error_bound;
        let fine =
            |(got, want): &(&Vec<f64>, &Vec<f64>)| got.iter().zip(*want).all(|(g, w)| (g - w).abs() <= bound);
        right += got.iter().zip(&want).filter(fine).count();
    }
    if right == 0 {
        return Err(blindscope_node::Error::Defect { what: "an asker's hour: nothing came right in it" });
    }
    Ok(right.saturating_sub(world::TOKENS_AN_HOUR as usize))
}

/// Seconds from a question to its opened answer, keys of the asker included; the first one warms up.
async fn collective(world: &World) -> Result<Vec<f64>, blindscope_node::Error> {
    let (kit, mut rng) = (world.asker(1), system::rng()?);
    let mut seconds = Vec::new();
    for _ in 0..=COLLECTIVE {
        let begun = Instant::now();
        asker::predict_encrypted(&kit, &[], world::ENCRYPTED, &world::features(1), &mut rng, |_| {}).await?;
        seconds.push(begun.elapsed().as_secs_f64());
    }
    seconds.remove(0);
    Ok(seconds)
}

/// Eight askers at once: how long their questions to a clear head take with an idle coordinator, and beside a job.
async fn beside(world: &World) -> Result<Vec<Figure>, blindscope_node::Error> {
    let idle = crowd(world).await?;
    world.submit_long().await?;
    let busy = crowd(world).await?;
    // The job still ran when the last answer came, or its times are those of an idle coordinator.
    let still = world.long_runs().await?;
    world.abort_long().await?;
    if !still {
        return Err(blindscope_node::Error::Defect {
            what: "the job that times were to be taken beside: it was over too early",
        });
    }
    let figure = |name: &str, ms: f64| Figure::of(AREA, name, "ms", Better::Lower, &[ms]);
    let over = p95(&busy) / p95(&idle);
    Ok(vec![
        figure("p95_of_8_askers_idle", p95(&idle)),
        figure("p95_of_8_askers_beside_a_job", p95(&busy)),
        Figure::of(AREA, "p95_of_8_askers_beside_a_job_over_idle", "x", Better::Lower, &[over])
            .must(3.0, 1.5),
    ])
}

/// Milliseconds of every question of eight askers.
async fn crowd(world: &World) -> Result<Vec<f64>, blindscope_node::Error> {
    let mut asking = tokio::task::JoinSet::new();
    for asker in 1..ASKERS {
        let (kit, tokens) = (world.asker(asker), world::tokens(1));
        asking.spawn(async move {
            let mut rng = system::rng()?;
            let asking = Asking::begin(&kit, &[], world::CLEAR, &mut rng).await?;
            let mut times = Vec::with_capacity(EACH);
            for _ in 0..EACH {
                let begun = Instant::now();
                asking.ask(&tokens, &mut rng).await?;
                times.push(begun.elapsed().as_secs_f64() * 1e3);
            }
            Ok::<_, blindscope_node::Error>(times)
        });
    }
    let mut all = Vec::new();
    while let Some(done) = asking.join_next().await {
        all.extend(done.map_err(|_| blindscope_node::Error::Defect { what: "an asker of the bench" })??);
    }
    Ok(all)
}

fn p95(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (0.95 * sorted.len().saturating_sub(1) as f64).round() as usize;
    sorted.get(place).copied().unwrap_or(f64::NAN)
}
