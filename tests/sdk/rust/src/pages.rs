//! The pages of a list, whatever it lists.

/// How many there are on a page.
pub const LIMIT: u8 = 2;

/// More than any list has: a walk that gets so far goes round in circles.
const MANY: usize = 5000;

pub struct Page {
    pub names: Vec<String>,
    pub iterator: Option<String>,
    pub previous: Option<String>,
    pub done: bool,
}

/// The page that a list answered with, whose items go by this field.
macro_rules! page {
    ($listed:expr, $name:ident) => {{
        let listed = $listed.expect("a page");
        $crate::pages::Page {
            names: listed.data.into_iter().map(|item| item.$name).collect(),
            iterator: listed.iterator,
            previous: listed.prev_iterator,
            done: listed.done,
        }
    }};
}
pub(crate) use page;

/// Pages from the first to the last, each asked for by the iterator of the one before.
pub async fn walk(page: impl AsyncFn(Option<String>) -> Page) -> Vec<Page> {
    let first = page(None).await;
    follow(first, page, |page| page.iterator.clone()).await
}

/// There and back, the pages hold these in this order and nothing else.
pub async fn hold(page: impl AsyncFn(Option<String>) -> Page, expected: &[String]) {
    let there = walk(&page).await;
    let chunks: Vec<&[String]> = expected.chunks(LIMIT.into()).collect();
    assert_eq!(there.iter().map(|page| page.names.as_slice()).collect::<Vec<_>>(), chunks);

    let last = there.last().expect("a page").previous.clone();
    let before_last = page(last).await;
    let back = follow(before_last, page, |page| page.previous.clone()).await;
    let names: Vec<&[String]> = back.iter().rev().map(|page| page.names.as_slice()).collect();
    assert_eq!(names, chunks[..chunks.len() - 1]);
}

/// Of all that the pages hold, these come in this order.
pub async fn have_among_others(page: impl AsyncFn(Option<String>) -> Page, expected: &[String]) {
    let pages = walk(page).await;
    assert!(pages.iter().all(|page| page.names.len() <= LIMIT.into()), "a page has more than was asked for");
    let mut names: Vec<String> = pages.into_iter().flat_map(|page| page.names).collect();
    names.retain(|name| expected.contains(name));
    assert_eq!(names, expected);
}

pub fn reversed(names: &[String]) -> Vec<String> {
    names.iter().rev().cloned().collect()
}

async fn follow(
    first: Page,
    page: impl AsyncFn(Option<String>) -> Page,
    next: impl Fn(&Page) -> Option<String>,
) -> Vec<Page> {
    let mut pages = vec![first];
    while let Some(last) = pages.last()
        && !last.done
    {
        assert!(pages.len() < MANY, "the pages have no end");
        pages.push(page(next(last)).await);
    }
    pages
}
