//! stub
#[derive(Clone, Debug)]
pub struct Config {}
