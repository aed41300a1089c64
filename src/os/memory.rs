//! Memory: large pieces in large pages, and what a process that waits for long gives back.

pub use imp::give_back;

/// What allocates. A large index takes many pages, and each that is touched first costs more than what is then done with it; so large
/// pieces are asked for in huge pages, where the system gives them to those who ask (`MADV_HUGEPAGE` of `madvise(2)`), and those of
/// middle size with all their pages at once (`MAP_POPULATE` of `mmap(2)`).
#[global_allocator]
static ALLOCATOR: imp::Allocator = imp::Allocator;

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "an allocator and advice on memory are in no safe library")]
mod imp {
    use dlmalloc::Dlmalloc;
    use rustix::mm::{Advice, MapFlags, MremapFlags, ProtFlags, madvise, mmap_anonymous, mremap, munmap};
    use std::alloc::{GlobalAlloc, Layout};
    use std::ffi::c_void;
    use std::ptr;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    /// Where small pieces come from, for all threads.
    static HEAP: Mutex<Dlmalloc> = Mutex::new(Dlmalloc::new());

    fn heap() -> MutexGuard<'static, Dlmalloc> {
        HEAP.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The size of a huge page, on most machines. Elsewhere the advice comes to less.
    const HUGE_BYTES: usize = 2 * 1024 * 1024;
    /// From here on a piece is large: in less, the part of a huge page that nobody needs would weigh too much.
    const LARGE_BYTES: usize = HUGE_BYTES / 2;
    /// From here on it is of middle size: whoever wants that much is about to use it.
    const MIDDLE_BYTES: usize = 128 * 1024;
    /// No system has smaller pages, and so no mapping begins elsewhere.
    const PAGE_BYTES: usize = 4096;

    /// So much of the stack below the function that gives back stays: for the call that it makes, and what the processor may use
    /// without moving the stack's end (128 bytes, by the ABI of x86-64).
    const STACK_KEPT_BYTES: usize = 1024;
    /// So much below that is given back. No other memory lies as near to the end of the main thread's stack: the kernel keeps
    /// a gap of a megabyte (`stack_guard_gap` in its list of parameters).
    const STACK_BYTES: usize = 512 * 1024;

    /// Large pieces are mappings of their own, of whole huge pages, and nothing is written there before the advice is given: where a
    /// page is there already, no huge one comes. Those of middle size are mappings, too. All others are the heap's.
    pub struct Allocator;

    fn is_mapped(layout: Layout) -> bool {
        layout.size() >= MIDDLE_BYTES && layout.align() <= PAGE_BYTES
    }

    fn is_large(size: usize) -> bool {
        size >= LARGE_BYTES
    }

    fn mapped_bytes(size: usize) -> usize {
        size.next_multiple_of(if is_large(size) { HUGE_BYTES } else { PAGE_BYTES })
    }

    fn map(size: usize) -> *mut u8 {
        let bytes = mapped_bytes(size);
        if !is_large(size) {
            return new_mapping(bytes, MapFlags::POPULATE).cast();
        }
        // SAFETY: a new mapping is nobody's, what is unmapped is a part of it that nobody has seen, and the advice changes nothing that can
        // be read.
        unsafe {
            let mut mapping = new_mapping(bytes, MapFlags::empty());
            if !mapping.is_null() && !mapping.addr().is_multiple_of(HUGE_BYTES) {
                // Before Linux 6.7, no mapping begins with a huge page unless somebody sees to it.
                let _ = munmap(mapping, bytes);
                mapping = new_mapping(bytes + HUGE_BYTES, MapFlags::empty());
                if !mapping.is_null() {
                    let before = mapping.addr().next_multiple_of(HUGE_BYTES) - mapping.addr();
                    let _ = if before > 0 { munmap(mapping, before) } else { Ok(()) };
                    mapping = mapping.byte_add(before);
                    let _ = munmap(mapping.byte_add(bytes), HUGE_BYTES - before);
                }
            }
            if !mapping.is_null() {
                let _ = madvise(mapping, bytes, Advice::LinuxHugepage);
            }
            mapping.cast()
        }
    }

    /// Null where there is none.
    fn new_mapping(bytes: usize, how: MapFlags) -> *mut c_void {
        let rights = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping is nobody's.
        unsafe { mmap_anonymous(ptr::null_mut(), bytes, rights, MapFlags::PRIVATE | how) }
            .unwrap_or(ptr::null_mut())
    }

    // SAFETY: a piece is the heap's or a mapping by its size and alignment alone, which the caller tells again when it goes; a
    // mapping is at least as large as was asked, begins at a page, and is zero at first.
    unsafe impl GlobalAlloc for Allocator {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            if is_mapped(layout) {
                return map(layout.size());
            }
            // SAFETY: by the caller's promise.
            unsafe { heap().malloc(layout.size(), layout.align()) }
        }

        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            if is_mapped(layout) {
                return map(layout.size());
            }
            // SAFETY: by the caller's promise.
            unsafe { heap().calloc(layout.size(), layout.align()) }
        }

        unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
            // SAFETY: by the caller's promise.
            unsafe {
                if is_mapped(layout) {
                    let _ = munmap(piece.cast(), mapped_bytes(layout.size()));
                } else {
                    heap().free(piece, layout.size(), layout.align());
                }
            }
        }

        unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            // SAFETY: by the caller's promise; the alignment is that of a layout, and the new piece has room for what is copied.
            unsafe {
                let new = Layout::from_size_align_unchecked(size, layout.align());
                if !is_mapped(layout) && !is_mapped(new) {
                    return heap().realloc(piece, layout.size(), layout.align(), size);
                }
                let is_alike = is_large(layout.size()) == is_large(size);
                if is_alike && is_mapped(layout) && is_mapped(new) {
                    let (from, to) = (mapped_bytes(layout.size()), mapped_bytes(size));
                    if from == to {
                        return piece;
                    }
                    if let Ok(moved) = mremap(piece.cast(), from, to, MremapFlags::MAYMOVE) {
                        return moved.cast();
                    }
                }
                let other = self.alloc(new);
                if !other.is_null() {
                    ptr::copy_nonoverlapping(piece, other, layout.size().min(size));
                    self.dealloc(piece, layout);
                }
                other
            }
        }
    }

    /// Gives back to the system what is free of the heap, and what nobody is in any more of the stack: for those who wait long.
    ///
    /// Never a part of another function: what is in use ends with this one's own frame, which is small.
    #[inline(never)]
    pub fn give_back() {
        let mut heap = heap();
        // SAFETY: it only gives back what is free.
        unsafe { heap.trim(0) };
        drop(heap);
        // Other threads have other memory below their stacks.
        if rustix::thread::gettid() == rustix::process::getpid() {
            let here = 0_u8;
            let end = (&raw const here).addr().saturating_sub(STACK_KEPT_BYTES);
            let end = end - end % rustix::param::page_size();
            let from = end.saturating_sub(STACK_BYTES);
            // SAFETY: nobody is in what lies below the frames in use; who comes there later writes before he reads. Where the stack
            // does not reach so far, there is nothing, and that is said and changes nothing (`madvise(2)`, ENOMEM).
            unsafe { libc::madvise(from as *mut c_void, end - from, libc::MADV_DONTNEED) };
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    pub use std::alloc::System as Allocator;

    /// Gives back what is free; only known on Linux.
    pub fn give_back() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_pieces_keep_what_is_in_them_as_they_grow_and_shrink() {
        let mut numbers: Vec<u32> = Vec::new();
        for number in 0..3_000_000 {
            numbers.push(number);
        }
        numbers.truncate(600_000);
        numbers.shrink_to_fit();
        assert!(numbers.iter().copied().eq(0..600_000));
        let zeros = vec![0_u8; 5_000_000];
        assert!(zeros.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_piece_keeps_what_is_in_it_across_each_border() {
        for (from, to) in [
            ((128 << 10) - 1, 128 << 10),
            (128 << 10, (128 << 10) - 1),
            (200 << 10, 300 << 10),
            (300 << 10, 200 << 10),
            (200 << 10, 3 << 20),
            (3 << 20, 200 << 10),
            ((1 << 20) - 1, 1 << 20),
            (1 << 20, (1 << 20) - 1),
            (1 << 20, (2 << 20) - 1),
            (2 << 20, (2 << 20) + 1),
            (5 << 20, 2 << 20),
        ] {
            let mut piece: Vec<u8> = Vec::with_capacity(from);
            piece.extend((0..from.min(to)).map(|place| (place % 251) as u8));
            if to > from {
                piece.reserve_exact(to - piece.len());
            } else {
                piece.shrink_to(to);
            }
            assert!(piece.capacity() >= to);
            assert!(
                piece.iter().enumerate().all(|(place, byte)| usize::from(*byte) == place % 251),
                "{from} {to}"
            );
        }
    }

    #[test]
    fn what_is_in_use_stays_when_the_rest_is_given_back() {
        let (on_the_stack, on_the_heap) = ([7_u8; 4_096], vec![8_u8; 100_000]);
        give_back();
        assert!(on_the_stack.iter().all(|byte| *byte == 7) && on_the_heap.iter().all(|byte| *byte == 8));
    }
}
