//! Compiles the driver, which is C++ like that on ngtcp2, against msquic's header.

use std::process::Command;

/// Where cargo has unpacked a package.
fn directory_of(package: &str) -> String {
    let output = Command::new(std::env::var("CARGO").unwrap())
        .args(["metadata", "--format-version", "1", "--offline", "--filter-platform"])
        .arg(std::env::var("TARGET").unwrap())
        .output()
        .expect("cargo metadata");
    let text = String::from_utf8(output.stdout).expect("JSON");
    let end = text.find(&format!("/{package}/Cargo.toml\"")).expect("the package");
    let begin = text[..end].rfind('"').unwrap() + 1;
    format!("{}/{package}", &text[begin..end])
}

fn main() {
    println!("cargo:rerun-if-changed=../cpp");
    println!("cargo:rerun-if-changed=driver.cpp");
    cc::Build::new()
        .cpp(true)
        .std("c++20")
        .include("../cpp")
        .include(format!("{}/src/inc", directory_of("msquic-2.5.1-beta")))
        .files(["driver.cpp", "../cpp/contract.cpp"])
        .compile("driver");
}
