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
    all attempt block cancel claim complete deadline delay explain fail handle hold idempotency
    lease list namespace operator progress read reclaim release replay result retention revoke
    signal state step submit suspend tick timeout token wait waitpoint
}
