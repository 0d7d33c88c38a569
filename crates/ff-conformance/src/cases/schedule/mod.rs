//! Schedules, by theme.

areas! {
    misfire occurrence overlap spec steering
}
