//! A site's answer on its way in: judged by its header, its payload kept, then recorded.

use std::sync::Arc;

use bytes::Bytes;

use super::desk::Desk;
use super::refusal;
use blindscope_federation::{Blob, Input, Record, SignedHeader, SiteId};
use blindscope_store::Unfinished;
use blindscope_transport::{Answer, Class, Finishing, Intake, Refusal, Upload, Uptake};

/// Judges an announced answer of `site`.
pub(super) fn admit(desk: &Arc<Desk>, site: SiteId, upload: &Upload) -> Answer<Uptake<Bytes>> {
    let header = SignedHeader::from_bytes(&upload.header)
        .map_err(|e| Refusal::new(Class::Invalid, "bad-header", e.to_string()))?;
    if header.header.site != site {
        return Err(refusal::protocol(&blindscope_federation::Refusal::Sender {
            expected: site,
            found: header.header.site,
        }));
    }
    let announced = Blob { digest: upload.digest, len: upload.len };
    match desk.now().admit(&header).map_err(|e| refusal::protocol(&e))? {
        blindscope_federation::Admission::Known(receipt) => Ok(Uptake::Already(receipt_bytes(&receipt))),
        blindscope_federation::Admission::Expected { payload } => {
            let expected = payload.unwrap_or_else(|| Blob::of(&[]));
            if announced != expected {
                let message = format!("answer: the header names {expected}, the upload {announced}");
                return Err(Refusal::new(Class::Invalid, "other-bytes", message)
                    .fact("expected", expected.len)
                    .fact("announced", announced.len));
            }
            let unfinished = payload.map(|blob| desk.blobs.begin(blob.len)).transpose();
            let unfinished = unfinished.map_err(|e| refusal::store(&e))?;
            Ok(Uptake::Take(Box::new(Payload { desk: desk.clone(), header, unfinished })))
        }
    }
}

fn receipt_bytes(receipt: &Record) -> Bytes {
    receipt.to_line().into_bytes().into()
}

struct Payload {
    desk: Arc<Desk>,
    header: SignedHeader,
    /// None where the site declines.
    unfinished: Option<Unfinished>,
}

impl Intake<Bytes> for Payload {
    fn write(&mut self, bytes: &[u8]) -> Answer<()> {
        let Some(unfinished) = &mut self.unfinished else { return Ok(()) };
        unfinished.push(bytes).map_err(|e| refusal::store(&e))
    }

    fn finish(self: Box<Self>) -> Finishing<Bytes> {
        Box::pin(async move {
            let Self { desk, header, unfinished } = *self;
            // A task of its own: a call that is cut here must not let a blob be deleted between arrival and record.
            let keeping = tokio::spawn(async move {
                let _hold = desk.blobs.hold(&[]);
                if let Some((unfinished, blob)) = unfinished.zip(header.payload()) {
                    let kept = tokio::task::spawn_blocking(move || unfinished.finish_as(&blob)).await;
                    kept.map_err(|e| refusal::internal(&e))?.map_err(|e| refusal::store(&e))?;
                }
                let done = desk.handle(Input::Answer(header)).await?;
                done.receipt
                    .as_ref()
                    .map(receipt_bytes)
                    .ok_or_else(|| refusal::internal(&"an answer without a receipt"))
            });
            keeping.await.map_err(|e| refusal::internal(&e))?
        })
    }
}
