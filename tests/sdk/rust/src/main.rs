//! Every method of the SDK for Rust that the server has an answer to, in its current version and in the last of the one
//! before. Quiet where all is well; else a panic says what is not.
//!
//! `HOOKYARD_URL` is the server, `HOOKYARD_KEY` an `admin` key.

mod current;
mod names;
mod pages;
mod patience;
mod receiver;
mod version_1;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let (url, key) = (variable("HOOKYARD_URL"), variable("HOOKYARD_KEY"));
    current::walk(&url, &key).await;
    version_1::walk(&url, &key).await;
}
