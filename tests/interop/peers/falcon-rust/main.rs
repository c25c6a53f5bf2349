//! Falcon by the crate falcon-rust, for tests/interop/falcon. All arguments but the first two are files.
//!   generate ALGORITHM PUBLIC SECRET | sign ALGORITHM SECRET MESSAGE SIGNATURE |
//!   verify ALGORITHM PUBLIC MESSAGE SIGNATURE      (exit code 0: right, 1: wrong)
//!
//! The crate writes 10 into the bits of a signature's header that tell how coefficients are encoded, where
//! the specification (section 3.11.3) and every other implementation have 01 for the same encoding. The
//! header is translated here, both ways; everything behind it is as the crate has it.
use std::fs::{read, write};
use std::process::exit;

const ENCODING_BITS: u8 = 0b0110_0000;

fn translated(mut signature: Vec<u8>) -> Vec<u8> {
    if let Some(header) = signature.first_mut() {
        *header ^= ENCODING_BITS;
    }
    signature
}

macro_rules! run {
    ($scheme:ident, $command:expr, $files:expr) => {{
        use falcon_rust::$scheme::{sign, verify, PublicKey, SecretKey, Signature};
        let file = |i: usize| read(&$files[i]).expect("a file");
        match $command {
            "generate" => {
                let secret = SecretKey::generate();
                let public = PublicKey::from_secret_key(&secret);
                write(&$files[0], public.to_bytes()).expect("written");
                write(&$files[1], secret.to_bytes()).expect("written");
                true
            }
            "sign" => {
                let secret = SecretKey::from_bytes(&file(0)).expect("a secret key");
                write(&$files[2], translated(sign(&file(1), &secret).to_bytes())).expect("written");
                true
            }
            "verify" => match (PublicKey::from_bytes(&file(0)), Signature::from_bytes(&translated(file(2)))) {
                (Ok(public), Ok(signature)) => verify(&file(1), &signature, &public),
                _ => false,
            },
            _ => exit(2),
        }
    }};
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, files) = (arguments[0].as_str(), &arguments[2..]);
    let right = match arguments[1].as_str() {
        "falconpadded512" => run!(falcon512, command, files),
        "falconpadded1024" => run!(falcon1024, command, files),
        _ => exit(2),
    };
    exit(i32::from(!right));
}
