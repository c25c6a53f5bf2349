// Falcon by @noble/post-quantum, for tests/interop/falcon. All arguments but the first two are files.
//   generate ALGORITHM PUBLIC SECRET | sign ALGORITHM SECRET MESSAGE SIGNATURE |
//   verify ALGORITHM PUBLIC MESSAGE SIGNATURE      (exit code 0: right, 1: wrong)
import { readFileSync, writeFileSync } from 'node:fs';
import * as falcon from '@noble/post-quantum/falcon.js';

const schemes = {
  falcon512: falcon.falcon512,
  falconpadded512: falcon.falcon512padded,
  falcon1024: falcon.falcon1024,
  falconpadded1024: falcon.falcon1024padded,
};
const [command, algorithm, ...files] = process.argv.slice(2);
const scheme = schemes[algorithm];
const read = (name) => new Uint8Array(readFileSync(name));

function verifies(publicKey, message, signature) {
  try {
    return scheme.verify(signature, message, publicKey);
  } catch {
    return false; // malformed
  }
}

if (command === 'generate') {
  const { publicKey, secretKey } = scheme.keygen();
  writeFileSync(files[0], publicKey);
  writeFileSync(files[1], secretKey);
} else if (command === 'sign') {
  writeFileSync(files[2], scheme.sign(read(files[1]), read(files[0])));
} else if (command === 'verify') {
  process.exit(verifies(...files.map(read)) ? 0 : 1);
} else {
  process.exit(2);
}
