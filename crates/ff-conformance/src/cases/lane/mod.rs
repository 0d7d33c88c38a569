//! Lanes, by theme.

areas! {
    limits queue spec turns
}
