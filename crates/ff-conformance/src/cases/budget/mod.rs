//! Budgets, by theme.

areas! {
    report reservation spec waiting window
}
