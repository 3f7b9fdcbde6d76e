// Checks a JWT with a public key, by another implementation than the one that signed it:
//   node verify.mjs ALG SPKI-PEM-FILE < JWT      prints header and claims as JSON
import fs from 'node:fs';
import { createPublicKey } from 'node:crypto';
import { compactVerify } from 'jose';

const [alg, file] = process.argv.slice(2);
const key = createPublicKey(fs.readFileSync(file));
const { payload, protectedHeader } = await compactVerify(fs.readFileSync(0, 'utf8').trim(), key, { algorithms: [alg] });
console.log(JSON.stringify({ ...protectedHeader, ...JSON.parse(new TextDecoder().decode(payload)) }));
