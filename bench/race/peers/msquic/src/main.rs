//! Starts the driver; it uses msquic by its C interface, which this links in.

use std::ffi::{c_char, c_int, CString};

use msquic as _;

extern "C" {
    fn race_main(argc: c_int, argv: *mut *mut c_char) -> c_int;
}

fn main() {
    let arguments: Vec<CString> = std::env::args().map(|it| CString::new(it).unwrap()).collect();
    let mut pointers: Vec<*mut c_char> = arguments.iter().map(|it| it.as_ptr().cast_mut()).collect();
    // SAFETY: the strings outlive the call, which does not change them.
    std::process::exit(unsafe { race_main(pointers.len() as c_int, pointers.as_mut_ptr()) });
}
