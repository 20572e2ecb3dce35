//! Work queues over NATS with JetStream: messages that one of several workers takes, and what they answer.
//!
//! It knows names and bytes, nothing of their meaning. A message is there until a worker has said that it is done with it; one that says nothing
//! for a while is not asked any more, and another gets it. So a message may be taken twice, and whatever is done for it has to bear that.
//! Answers are kept for some minutes, so that whoever lost its connection meanwhile finds them.

mod address;
mod names;
mod taken;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{Context, stream};
use async_nats::{Client, ConnectOptions, Subscriber};
use bytes::Bytes;
use tokio::time::timeout;
use tokio_stream::StreamExt as _;

use crate::{Error, Result};
use address::Address;
pub use address::Secrets;
use names::Names;
pub use taken::Taken;

/// How long the server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// After how long without a word of its worker a message goes to another.
const SILENCE: Duration = Duration::from_secs(15);
/// How often a message is handed out before it is left alone: what ends its worker every time must not end all of them for ever.
const DELIVERIES: i64 = 4;
/// How long a message waits for a worker, and an answer for whoever asked.
const WORK_AGE: Duration = Duration::from_hours(1);
const ANSWER_AGE: Duration = Duration::from_mins(10);
/// Within which a message of the same name is not taken a second time.
const DUPLICATES: Duration = Duration::from_mins(5);
/// Longest message of ours, bytes.
pub const LONGEST: usize = 4096;
/// Name of the consumer that all workers share.
const WORKERS: &str = "workers";

/// The queues of one study at a NATS server. A server that is away is called again and again; until then calls fail.
#[derive(Debug)]
pub struct Queue {
    client: Client,
    context: Context,
    names: Names,
    /// Whether streams and consumer were seen to be there.
    ready: AtomicBool,
}

/// Messages of a subject, as they come.
#[derive(Debug)]
pub struct Heard(Subscriber);

impl Heard {
    /// The bytes of the next message; nothing once the queue is closed. Longer ones than [`LONGEST`] are left out.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            let message = self.0.next().await?;
            if message.payload.len() <= LONGEST {
                return Some(message.payload);
            }
        }
    }
}

impl Queue {
    /// The queues named `name` at `url` (`nats://HOST:PORT`, or `tls://`). The server may be away.
    ///
    /// # Errors
    /// [`Error::Address`] for a URL that is none; [`Error::Queue`] for one that no client can be made of.
    pub async fn open(url: &str, secrets: &Secrets, name: &str) -> Result<Self> {
        let address = Address::parse(url)?;
        let options = secrets.options(ConnectOptions::new());
        let options = options
            .retry_on_initial_connect()
            .connection_timeout(PATIENCE)
            .request_timeout(Some(PATIENCE))
            .ping_interval(Duration::from_secs(10))
            .require_tls(address.tls);
        let client = options.connect(address.text).await.map_err(failed("connect"))?;
        let context = ContextBuilder::new().timeout(PATIENCE).ack_timeout(PATIENCE).build(client.clone());
        Ok(Self { client, context, names: Names::of(name), ready: AtomicBool::new(false) })
    }

    /// Calls the server once, some seconds long: whether it answers, has JetStream and lets us make our streams.
    ///
    /// # Errors
    /// As [`Self::open`] and [`Self::prepare`].
    pub async fn look(url: &str, secrets: &Secrets, name: &str) -> Result<()> {
        let queue = Self::open(url, secrets, name).await?;
        let connected = async {
            while !queue.is_connected() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        // Whatever it is then, `prepare` says it.
        let _ = timeout(PATIENCE, connected).await;
        let found = queue.prepare().await;
        queue.close().await;
        found
    }

    /// Whether the server answers at the moment.
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Makes streams and consumer, where they are not there.
    ///
    /// # Errors
    /// [`Error::Queue`] where the server is away, has no JetStream, or does not let us.
    pub async fn prepare(&self) -> Result<()> {
        if self.ready.load(Ordering::Relaxed) {
            return Ok(());
        }
        if !self.is_connected() {
            return Err(Error::Queue { op: "prepare", reason: "the server is not reached".to_owned() });
        }
        let [work, answers] = self.names.streams();
        let made = within("prepare", self.context.get_or_create_stream(work)).await?;
        let consumer = pull::Config {
            durable_name: Some(WORKERS.to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: SILENCE,
            max_deliver: DELIVERIES,
            ..pull::Config::default()
        };
        within("prepare", made.get_or_create_consumer(WORKERS, consumer)).await?;
        within("prepare", self.context.get_or_create_stream(answers)).await?;
        self.ready.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Puts a message into the queue of work. One of the same `id` that came some minutes before is the same.
    ///
    /// # Errors
    /// [`Error::Queue`] where the server has not said that it keeps it: it may have it all the same.
    pub async fn offer(&self, id: &str, message: Vec<u8>) -> Result<()> {
        self.prepare().await?;
        let message = PublishMessage::build().payload(message.into()).message_id(id);
        self.publish("offer work", self.names.work(), message).await
    }

    /// Keeps an answer for whoever asked, under the name of what it answers.
    ///
    /// # Errors
    /// [`Error::Queue`] where the server has not said that it keeps it.
    pub async fn answer(&self, id: &str, message: Vec<u8>) -> Result<()> {
        self.prepare().await?;
        let message = PublishMessage::build().payload(message.into());
        self.publish("answer", self.names.answer(id), message).await
    }

    async fn publish(&self, op: &'static str, subject: String, message: PublishMessage) -> Result<()> {
        let sent = async {
            let kept = self.context.send_publish(subject, message).await?;
            kept.await
        };
        let sent = within(op, sent).await;
        sent.map(drop).inspect_err(|_| self.ready.store(false, Ordering::Relaxed))
    }

    /// The answer that is kept under a name, if there is one by now.
    ///
    /// # Errors
    /// [`Error::Queue`] where the server is away.
    pub async fn answered(&self, id: &str) -> Result<Option<Bytes>> {
        use async_nats::jetstream::stream::LastRawMessageErrorKind;
        let [_, answers] = self.names.streams();
        let stream = within("look for an answer", self.context.get_stream_no_info(answers.name)).await?;
        let found = timeout(PATIENCE, stream.get_last_raw_message_by_subject(&self.names.answer(id))).await;
        match found {
            Ok(Ok(message)) => Ok(Some(message.payload).filter(|bytes| bytes.len() <= LONGEST)),
            Ok(Err(error)) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Ok(Err(error)) => Err(failed("look for an answer")(error)),
            Err(late) => Err(failed("look for an answer")(late)),
        }
    }

    /// Answers, from now on.
    ///
    /// # Errors
    /// [`Error::Queue`] where the client has ended.
    pub async fn answers(&self) -> Result<Heard> {
        self.subscribe(self.names.answer("*")).await
    }

    /// Says that somebody is there, to whoever listens at the moment.
    ///
    /// # Errors
    /// [`Error::Queue`] where the client has ended.
    pub async fn beat(&self, message: Vec<u8>) -> Result<()> {
        within("beat", self.client.publish(self.names.beat(), message.into())).await
    }

    /// What others say with [`Self::beat`], from now on.
    ///
    /// # Errors
    /// [`Error::Queue`] where the client has ended.
    pub async fn beats(&self) -> Result<Heard> {
        self.subscribe(self.names.beat()).await
    }

    async fn subscribe(&self, subject: String) -> Result<Heard> {
        within("listen", self.client.subscribe(subject)).await.map(Heard)
    }

    /// The next message of the queue of work, if one comes within `wait`. It goes to another unless it is held.
    ///
    /// # Errors
    /// [`Error::Queue`] where the server is away, or has lost the queue, which is made again with the next call.
    pub async fn take(&self, wait: Duration) -> Result<Option<Taken>> {
        self.prepare().await?;
        let taken = self.pull(wait).await;
        taken.inspect_err(|_| self.ready.store(false, Ordering::Relaxed))
    }

    async fn pull(&self, wait: Duration) -> Result<Option<Taken>> {
        const OP: &str = "take work";
        let [work, _] = self.names.streams();
        let asked = self.context.get_consumer_from_stream(WORKERS, work.name);
        let consumer: PullConsumer = within(OP, asked).await?;
        let batch = consumer.batch().max_messages(1).expires(wait).messages();
        let mut batch = within(OP, batch).await?;
        match timeout(wait + PATIENCE, batch.next()).await {
            Ok(Some(Ok(message))) => Ok(Some(Taken::of(message))),
            Ok(Some(Err(error))) => Err(failed(OP)(error)),
            Ok(None) => Ok(None),
            Err(late) => Err(failed(OP)(late)),
        }
    }

    /// Sends what is on its way and ends.
    pub async fn close(&self) {
        // What is lost then is asked for again.
        let _ = timeout(PATIENCE, self.client.flush()).await;
        let _ = timeout(PATIENCE, self.client.drain()).await;
    }
}

/// Waits for the server, not for ever.
async fn within<T, E: std::fmt::Display>(
    op: &'static str,
    asked: impl IntoFuture<Output = std::result::Result<T, E>>,
) -> Result<T> {
    match timeout(2 * PATIENCE, asked.into_future()).await {
        Ok(done) => done.map_err(failed(op)),
        Err(late) => Err(failed(op)(late)),
    }
}

fn failed<E: std::fmt::Display>(op: &'static str) -> impl FnOnce(E) -> Error {
    move |error| Error::Queue { op, reason: error.to_string() }
}

impl Names {
    /// The streams of work and of answers.
    fn streams(&self) -> [stream::Config; 2] {
        let bounded = |name: String, subject: String| stream::Config {
            name,
            subjects: vec![subject],
            max_message_size: LONGEST as i32,
            num_replicas: 1,
            ..stream::Config::default()
        };
        let work = stream::Config {
            retention: stream::RetentionPolicy::WorkQueue,
            max_age: WORK_AGE,
            duplicate_window: DUPLICATES,
            ..bounded(self.work_stream(), self.work())
        };
        let answers = stream::Config {
            max_age: ANSWER_AGE,
            max_messages_per_subject: 1,
            duplicate_window: Duration::from_mins(2),
            ..bounded(self.answer_stream(), self.answer("*"))
        };
        [work, answers]
    }
}
