//! `report`: one run for people, as text, as Markdown and as a page.
//!
//! ```text
//! Report ─► words (sentences, facts) and sections (tables) ─► text | markdown | html (with charts)
//! ```
//! All three tell the same: a figure is put into words once.

mod charts;
mod html;
mod markdown;
mod sections;
mod text;
mod words;

pub use self::html::html;
pub use self::markdown::markdown;
pub use self::text::text;

#[cfg(test)]
mod samples;
