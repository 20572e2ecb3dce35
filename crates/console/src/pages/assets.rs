//! Style and script, which are part of the program.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

/// htmx 2.0.11 (0BSD), as its authors minified it.
const HTMX: &str = include_str!("../../assets/htmx.min.js");
/// An eye that is closed.
const ICON: &str = include_str!("../../assets/icon.svg");
const STYLE: &str = include_str!("../../assets/console.css");

/// A file of the program.
pub(super) async fn asset(Path(file): Path<String>) -> Response {
    let cached = (header::CACHE_CONTROL, "private, max-age=600");
    match file.as_str() {
        "htmx.min.js" => {
            ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8"), cached], HTMX).into_response()
        }
        "style.css" => {
            let style = format!("{}{STYLE}", blindscope_report::STYLE);
            ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), cached], style).into_response()
        }
        "icon.svg" => ([(header::CONTENT_TYPE, "image/svg+xml"), cached], ICON).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
