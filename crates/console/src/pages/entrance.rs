//! Coming in and leaving.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Extension, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::Console;
use crate::door::{Entered, Word, same};
use crate::plain::plain_page;

#[derive(Deserialize)]
pub(super) struct Key {
    #[serde(default)]
    token: String,
}

/// Uses the token up and sets the session's cookie.
pub(super) async fn enter(State(console): State<Arc<Console>>, Query(key): Query<Key>) -> Response {
    match console.gate.doors.enter(&key.token) {
        Ok(Entered::In(cookie)) => {
            let cookie = format!("{}={}; HttpOnly; SameSite=Strict; Path=/", console.gate.cookie, *cookie);
            (StatusCode::SEE_OTHER, [(header::SET_COOKIE, cookie.as_str()), (header::LOCATION, "/")])
                .into_response()
        }
        Ok(Entered::Out) => plain_page(
            StatusCode::FORBIDDEN,
            "This address has been used, is too old, or never was one. Start `blindscope console` again and open what it prints.",
        ),
        Err(error) => plain_page(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// A form that says nothing but who sends it.
#[derive(Deserialize)]
pub(super) struct Signed {
    #[serde(default)]
    word: String,
}

impl Signed {
    /// Whether it is a form of this session.
    pub(super) fn is_of(&self, word: &Word) -> bool {
        same(&word.0, &self.word)
    }
}

/// What is said to a form of elsewhere.
pub(super) fn foreign() -> Response {
    plain_page(
        StatusCode::FORBIDDEN,
        "This form is of another session; nothing was done. Open the page again.",
    )
}

/// Ends the session.
pub(super) async fn leave(
    State(console): State<Arc<Console>>,
    Extension(word): Extension<Word>,
    Form(form): Form<Signed>,
) -> Response {
    if !form.is_of(&word) {
        return foreign();
    }
    console.gate.doors.leave();
    plain_page(
        StatusCode::OK,
        "You have left. `blindscope console` prints a new address when it is started again.",
    )
}
