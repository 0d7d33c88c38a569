//! Flows, by theme.

areas! {
    cancel children end extend join listing member read replay submit
}
