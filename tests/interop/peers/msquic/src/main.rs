//! Starts the driver; it uses msquic by its C interface, which this links in.

use msquic as _;

extern "C" {
    fn interop_main() -> !;
}

fn main() {
    // SAFETY: it takes nothing and does not come back.
    unsafe { interop_main() }
}
