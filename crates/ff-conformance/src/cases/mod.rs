//! The cases, one file an area.

macro_rules! areas {
    ($($area:ident)+) => {
        $(mod $area;)+

        /// Every case, by area.
        pub(crate) fn all() -> Vec<crate::case::Case> {
            [$($area::CASES),+].concat()
        }
    };
}

areas! {
    cancel claim complete delay fail handle idempotency lease release submit
}
