//! A `main` from another file.

include!("included_main.inc");
