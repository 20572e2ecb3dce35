//! The pages, each a function from what is known to markup.

mod assets;
mod audit;
mod course;
mod entrance;
mod frame;
mod job;
mod jobs;
mod log;
mod opened;
mod outcome;
mod quotas;
mod rules;
mod study;
mod submit;
mod words;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};

use crate::door::{Gate, guarded};
use crate::live::Live;
use blindscope_federation::{SiteId, Study};
use blindscope_node::admin::jobs::Admin;
use blindscope_node::kit::Kit;

/// Longest form: a job file, as long as one may be, in the coding of forms.
const MOST_FORM: usize = 3 << 20;

/// What pages are made from.
pub(crate) struct Console {
    /// Who may come in.
    pub(crate) gate: Arc<Gate>,
    pub(crate) live: Arc<Live>,
    pub(crate) admin: Arc<Admin>,
    /// The kit's owner where that is a site; an administrator otherwise.
    pub(crate) me: Option<SiteId>,
    /// The owner's name.
    pub(crate) party: String,
    pub(crate) kit: Kit,
    /// Where an audit's report lies, where one is to be shown.
    pub(crate) audit: Option<PathBuf>,
}

impl Console {
    fn study(&self) -> &Study {
        self.admin.study()
    }
}

/// All pages behind their guard.
pub(crate) fn router(console: Arc<Console>) -> Router {
    Router::new()
        .route("/enter", get(entrance::enter))
        .route("/leave", post(entrance::leave))
        .route("/assets/{file}", get(assets::asset))
        .route("/", get(study::page))
        .route("/live/study", get(study::live))
        .route("/jobs", get(jobs::page).post(submit::submit))
        .route("/live/jobs", get(jobs::live))
        .route("/submit", get(submit::page))
        .route("/jobs/{job}", get(job::page))
        .route("/live/jobs/{job}", get(job::live))
        .route("/jobs/{job}/abort", get(job::ask_abort).post(job::abort))
        .route("/jobs/{job}/result", get(outcome::download))
        .route("/questions", get(quotas::page))
        .route("/opened", get(opened::page))
        .route("/rules", get(rules::page))
        .route("/rules/ask", post(rules::ask))
        .route("/rules/{job}", post(rules::say))
        .route("/audit", get(audit::page))
        .route("/audit/report", get(audit::report))
        .route("/log", get(log::page))
        .route("/log/{seq}", get(log::record))
        .fallback(frame::missing)
        .layer(DefaultBodyLimit::max(MOST_FORM))
        .layer(middleware::from_fn_with_state(console.gate.clone(), guarded))
        .with_state(console)
}
