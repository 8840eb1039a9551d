//! How glibc's allocator gives memory back. The only room that calls it by name.
//!
//! By default glibc moves its threshold for memory that it maps by itself up to the size of the largest piece
//! that was ever freed. From then on the table's chunks come from the heap, of which only the end can
//! be given back: after the second `DEL` of a hash of a million fields half of its memory stayed resident.
//! A fixed threshold below the size of a chunk gives back every chunk that is freed.
//!
//! # Unsafe code
//! `mallopt` is a foreign function, hence unsafe to call. It takes two numbers, touches no memory of ours, and
//! is called once, before there is a second thread. The wire test
//! `each_time_a_large_hash_is_removed_its_memory_goes_back_to_the_system` shows that it works.

/// Pieces from this size on are mapped by themselves, bytes. This is glibc's own threshold at the start. With
/// 512 KiB the holes that growing tables leave in the heap cost 90 bytes more for each of 4,000 idle clients.
const MAPPED_BYTES_MIN: i32 = 128 << 10;
/// Free bytes at the end of the heap before they are given back. With glibc's 128 KiB, buffers that come and
/// go would be given back and asked for again all the time.
const TRIMMED_BYTES_MIN: i32 = 1 << 20;

/// Fixes the thresholds, where the allocator is glibc's. To be called at the start, before any other thread.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn fix_thresholds() {
    for (what, bytes) in
        [(libc::M_MMAP_THRESHOLD, MAPPED_BYTES_MIN), (libc::M_TRIM_THRESHOLD, TRIMMED_BYTES_MIN)]
    {
        // SAFETY: two numbers go in, nothing is borrowed, and no other thread runs yet.
        #[allow(unsafe_code)]
        let accepted = unsafe { libc::mallopt(what, bytes) };
        debug_assert_eq!(accepted, 1, "glibc knows both");
    }
}

/// Other allocators need nothing of the kind.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn fix_thresholds() {}
