//! The cases, one file an area, or one folder where an area has many.

/// The areas, or the parts of one, each a file or a folder.
macro_rules! areas {
    ($($file:ident)+ $(; $($folder:ident)+)?) => {
        $(mod $file;)+
        $($(mod $folder;)+)?

        /// Every case, by area.
        pub(crate) fn all() -> Vec<crate::case::Case> {
            [
                $($file::CASES.to_vec(),)+
                $($($folder::all(),)+)?
            ]
            .concat()
        }
    };
}

areas! {
    all attempt block cancel children complete completions deadline delay explain fail handle hold idempotency
    lease list namespace operator progress read reclaim release replay result retention revoke
    signal state step submit summary suspend tags tick timeout token wait waitpoint;
    budget claim flow lane schedule stream
}
