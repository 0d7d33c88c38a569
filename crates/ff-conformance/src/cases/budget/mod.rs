//! Budgets, by theme.

areas! {
    flow report reservation spec waiting window
}
