//! Budgets, by theme.

areas! {
    flow report reservation sharing spec waiting window
}
