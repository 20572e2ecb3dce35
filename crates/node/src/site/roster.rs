//! A running site and changes of its roster: it learns what a quorum has signed, sends the word of people here, and signs what a quorum
//! approves once its own people do.
//!
//! Tasks in hand end under the version that they were begun under. What signs the next version begins nothing more under the one before,
//! so a site signs with empty hands only.

use super::turn::ASK_AGAIN;
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
        let (study, view, learned) = match roster::catch_up(&self.client, &self.kit, self.study().await).await
        {
            Ok(seen) => seen,
            // The next question finds out when it is there again.
            Err(Error::Transport(error)) if error.retry().is_some() => return Ok(()),
            Err(error) => return Err(error),
        };
        self.succeed(&learned).await?;
        let Some(proposal) = view.proposal else {
            self.memory.lock().await.change = None;
            return Ok(());
        };
        let next = proposal.change.next(&study.epoch()?)?.digest();
        match self.look_at(&proposal, next, &study).await {
            Some(approve) => self.see_to_change(&proposal, approve, (view.signing, idle)).await,
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
        Err(Error::Left)
    }

    /// What people here say of a change, if they have; what is new is said in the log. An approval holds for this very change whenever it
    /// is proposed.
    async fn look_at(&self, proposal: &Proposal, next: Digest, study: &Study) -> Option<bool> {
        let said = self.said_of_change(&next);
        if self.memory.lock().await.look_at(next, said) {
            let what = proposal.change.in_words(study).join("; ");
            match said {
                Some(approve) => {
                    tracing::info!(%what, digest = %next, approve, "people here have said their word on a change of the roster");
                }
                None => {
                    tracing::warn!(%what, digest = %next, "a change of the roster waits for a word: `blindscope site approve --roster` or `refuse --roster`");
                }
            }
        }
        said
    }

    /// Says the word of people here, or signs once a quorum approves.
    async fn see_to_change(
        &self,
        proposal: &Proposal,
        approve: bool,
        (signing, idle): (bool, bool),
    ) -> Result<()> {
        let said = if approve { Says::Approve } else { Says::Refuse };
        let mut memory = self.memory.lock().await;
        let me = memory.site.me();
        if proposal.said(me) != Some(said) {
            let word = memory.site.word(&proposal.change, approve, &*self.signer)?;
            drop(memory);
            return self.say(word).await;
        }
        if !approve || !signing || proposal.has_signed(me) {
            return Ok(());
        }
        if !idle {
            // Of a job that was called off, for one: what is in hand ends first.
            memory.rest();
            return Ok(());
        }
        drop(memory);
        self.sign_change(proposal).await
    }

    /// Ends once people here say something else of the change on its way than when it was last looked at.
    pub(super) async fn another_word(&self) {
        loop {
            tokio::time::sleep(ASK_AGAIN).await;
            let change = self.memory.lock().await.change;
            if change.is_some_and(|change| self.said_of_change(&change.next) != change.said) {
                return;
            }
        }
    }

    /// The change on its way that this site has nothing more to say on for the moment.
    pub(super) async fn seen(&self) -> Option<Digest> {
        let change = self.memory.lock().await.change;
        change.filter(|change| change.rests).map(|change| change.next)
    }

    /// Whether a word or signature waits for the tasks in hand to end.
    pub(super) async fn waits_for_hands(&self) -> bool {
        let change = self.memory.lock().await.change;
        change.is_some_and(|change| change.rests && change.said.is_some())
    }

    /// Whether people here approve of a change, once they have said so.
    fn said_of_change(&self, next: &Digest) -> Option<bool> {
        let approvals = Approvals::of(&self.kit).unwrap_or_else(|error| {
            tracing::error!(%error, "nobody's word can be read, so no change is approved");
            Approvals::unread()
        });
        approvals.said_of_change(next).map(|said| said.consent == Consent::Approved)
    }

    /// The signature that binds, its mark on the disk before it. What this site may not sign it leaves, and says once why in its own log.
    async fn sign_change(&self, proposal: &Proposal) -> Result<()> {
        let mut memory = self.memory.lock().await;
        match memory.site.judge_change(proposal) {
            Ok(Some(mark)) => memory.keep(vec![mark]).await?,
            // Its signature was not heard.
            Ok(None) => {}
            Err(error) => {
                if memory.complain() {
                    tracing::warn!(%error, "the change of the roster is not signed here");
                }
                return Ok(());
            }
        }
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
                self.memory.lock().await.rest();
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
