//! The crates of the workspace depend on each other in one direction only.

#[test]
fn dependencies_point_the_right_way() {
    let violations = xtask::deps::check(&xtask::workspace_root()).unwrap();

    assert!(violations.is_empty(), "{}", violations.join("\n"));
}
