//! What every request passes before a page sees it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use zeroize::Zeroizing;

use super::Doors;
use crate::plain::plain_page;

/// The cookie's name, before the port: browsers share cookies among the ports of a host.
pub(crate) const COOKIE: &str = "blindscope-console";
/// Pages may use what this server sends, run its one script, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'none'";

/// By which names this machine may be called, and who is in.
pub(crate) struct Gate {
    /// The session cookie's name.
    pub(crate) cookie: String,
    /// Hosts under which a browser may call.
    pub(crate) names: Vec<String>,
    pub(crate) doors: Doors,
}

/// The word that forms of a request's session carry.
#[derive(Clone)]
pub(crate) struct Word(pub(crate) Zeroizing<String>);

/// Lets in what comes from the one browser, by one of our names; everything else is turned away with a sentence.
pub(crate) async fn guarded(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    let answer = match admitted(&gate, &request) {
        Ok(word) => {
            if let Some(word) = word {
                request.extensions_mut().insert(Word(word));
            }
            next.run(request).await
        }
        Err((status, sentence)) => plain_page(status, sentence),
    };
    dressed(answer)
}

/// The session's word; nothing for what needs no session.
fn admitted(
    gate: &Gate,
    request: &Request<Body>,
) -> Result<Option<Zeroizing<String>>, (StatusCode, &'static str)> {
    let headers = request.headers();
    let host = text(headers, &header::HOST).ok_or((StatusCode::BAD_REQUEST, "The request names no host."))?;
    if !gate.names.iter().any(|name| name == host) {
        return Err((
            StatusCode::MISDIRECTED_REQUEST,
            "This console answers to 127.0.0.1 and localhost alone: another name led here, which pages of elsewhere try.",
        ));
    }
    let path = request.uri().path();
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let ours = text(headers, &header::ORIGIN).and_then(|origin| origin.strip_prefix("http://"));
        if ours != Some(host) {
            return Err((StatusCode::FORBIDDEN, "A form of another page was sent here; nothing was done."));
        }
    }
    if path == "/enter" || path.starts_with("/assets/") {
        return Ok(None);
    }
    let session = cookie(headers, &gate.cookie).and_then(|cookie| gate.doors.session(cookie));
    session.map(Some).ok_or((
        StatusCode::UNAUTHORIZED,
        "You are not let in yet. Open the address that `blindscope console` printed in its terminal; it works once. Was it used \
         already, or is the session over? Start the command again.",
    ))
}

fn text<'h>(headers: &'h HeaderMap, name: &header::HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// A cookie's value.
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// An answer with what keeps browsers from doing more with it than show it.
fn dressed(answer: Response) -> Response {
    let mut answer = answer.into_response();
    let headers = answer.headers_mut();
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // With none at all browsers say of our own forms that they come from nowhere.
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; console=two; consoles=3"));
        assert_eq!(cookie(&headers, "console"), Some("two"));
        assert_eq!(cookie(&headers, "conso"), None);
    }
}
