//! What a thread has allocated: an allocator that counts, so that a test can hold an attempt to a bound.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    /// What this thread has allocated and freed, and the most that there has been of it; other threads' memory that it
    /// frees counts against it, which only `during` notices, by its difference.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

/// Runs `work` and tells the most that this thread held meanwhile beyond what it held before, in bytes.
pub async fn during<F: Future>(work: F) -> (F::Output, usize) {
    let before = HELD.get();
    MOST.set(before);
    let output = work.await;
    (output, usize::try_from(MOST.get() - before).unwrap())
}

fn take(bytes: usize) {
    let held = HELD.get() + isize::try_from(bytes).unwrap_or(isize::MAX);
    HELD.set(held);
    MOST.set(MOST.get().max(held));
}

fn give_back(bytes: usize) {
    HELD.set(HELD.get() - isize::try_from(bytes).unwrap_or(isize::MAX));
}

// SAFETY: every call is handed on as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        give_back(layout.size());
        unsafe { System.dealloc(memory, layout) }
    }

    /// Both pieces may be there at once.
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        take(size);
        give_back(layout.size());
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[test]
fn memory_is_counted_while_it_is_held() {
    let ((), most) = pollster::block_on(during(async {
        drop(std::hint::black_box(vec![0_u8; 100_000]));
        drop(std::hint::black_box(vec![0_u8; 50_000]));
    }));
    assert!((100_000..101_000).contains(&most), "{most}");
}
