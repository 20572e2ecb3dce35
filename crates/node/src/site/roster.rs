//! A running site and changes of its roster: it learns what a quorum has signed, sends the word of people here, and signs what a quorum
//! approves once its own people do.
//!
//! Tasks in hand end under the version that they were begun under. What signs the next version begins nothing more under the one before,
//! so a site signs with empty hands only.

use super::{Runner, dial};
use crate::documents::RosterCall;
use crate::error::{Error, Result};
use crate::kit::{Approvals, Consent};
use crate::roster;
use blindscope_federation::{Proposal, Says, SignedChange, Study, Word};
use blindscope_wire::Digest;

impl Runner {
    /// The study under the roster that is known here.
    pub(super) async fn study(&self) -> Study {
        self.memory.lock().await.site.study().clone()
    }

    /// Learns the roster in force, and does what is to be done about a change that is on its way. `idle` says that no task is in hand; none
    /// is begun before this has ended.
    pub(super) async fn see_to_roster(&self, idle: bool) -> Result<()> {
        let (_, view, learned) = match roster::catch_up(&self.client, &self.kit, self.study().await).await {
            Ok(seen) => seen,
            // The next question finds out when it is there again.
            Err(Error::Transport(error)) if error.retry().is_some() => return Ok(()),
            Err(error) => return Err(error),
        };
        self.succeed(&learned).await?;
        match view.proposal {
            Some(proposal) => self.see_to_change(&proposal, (view.signing, idle)).await,
            None => Ok(()),
        }
    }

    /// Goes on under what is signed and on the disk.
    async fn succeed(&self, learned: &[SignedChange]) -> Result<()> {
        let mut memory = self.memory.lock().await;
        for signed in learned {
            memory.site.succeed(signed)?;
            let study = memory.site.study();
            let (version, change) = (study.version(), signed.change.in_words(study).join("; "));
            tracing::info!(version, %change, "the roster has changed");
        }
        if memory.site.is_member(&self.signer.public()) {
            return Ok(());
        }
        let reason =
            "this site has left the study, or has new keys elsewhere: nothing is asked of it here any more";
        Err(Error::Roster { reason: reason.to_owned() })
    }

    async fn see_to_change(&self, proposal: &Proposal, (signing, idle): (bool, bool)) -> Result<()> {
        let study = self.study().await;
        let next = match proposal.change.next(&study.epoch()?) {
            Ok(next) => next.digest(),
            Err(error) => {
                tracing::warn!(%error, "a change of the roster is shown that cannot be made");
                self.wait().await;
                return Ok(());
            }
        };
        let Some(approve) = self.said_of_change(&next) else {
            if self.memory.lock().await.wait_for_word_on(next) {
                let what = proposal.change.in_words(&study).join("; ");
                tracing::warn!(%what, digest = %next, "a change of the roster waits for a word: `blindscope site approve --roster` or `refuse --roster`");
            }
            self.wait().await;
            return Ok(());
        };
        let said = if approve { Says::Approve } else { Says::Refuse };
        let memory = self.memory.lock().await;
        let me = memory.site.me();
        if proposal.said(me) != Some(said) {
            let word = memory.site.word(&proposal.change, approve, &*self.signer)?;
            drop(memory);
            return self.say(word).await;
        }
        drop(memory);
        match approve && signing && !proposal.has_signed(me) {
            true if idle => self.sign_change(proposal).await?,
            // Of a job that was called off, for one: what is in hand ends first.
            true => self.wait().await,
            false => {}
        }
        Ok(())
    }

    /// Whether people here approve of a change, once they have said so.
    fn said_of_change(&self, next: &Digest) -> Option<bool> {
        let approvals = Approvals::of(&self.kit).unwrap_or_else(|error| {
            tracing::error!(%error, "nobody's word can be read, so no change is approved");
            Approvals::unread()
        });
        approvals.said_of_change(next).map(|said| said.consent == Consent::Approved)
    }

    /// The signature that binds, its mark on the disk before it. What this site may not sign it leaves, and says why in its own log.
    async fn sign_change(&self, proposal: &Proposal) -> Result<()> {
        let mut memory = self.memory.lock().await;
        let mark = match memory.site.judge_change(proposal) {
            Ok(mark) => mark,
            Err(error) => {
                drop(memory);
                tracing::warn!(%error, "the change of the roster is not signed here");
                self.wait().await;
                return Ok(());
            }
        };
        memory.keep(vec![mark]).await?;
        let word = memory.site.sign(&proposal.change, &*self.signer)?;
        drop(memory);
        self.say(word).await
    }

    /// Sends a word. One that comes too late is no fault of this site.
    async fn say(&self, word: Word) -> Result<()> {
        let said = match word.says {
            Says::Approve => "approved",
            Says::Refuse => "refused",
            Says::Sign => "signed",
        };
        match roster::see(&self.client, &RosterCall::Say { word }).await {
            Ok(_) => {
                tracing::info!(said, "a word on the change of the roster");
                Ok(())
            }
            Err(Error::Transport(error)) if error.retry().is_some() || dial::is_stale(&error) => {
                tracing::warn!(%error, "the word on the change of the roster was not taken");
                self.wait().await;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
