//! Flows, by theme.

areas! {
    cancel end extend join listing member read replay submit
}
