/** key.json: the key that makes a supervisor known, a P-256 JWK as libtrust writes it. Its id is the daemon's. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { TsdError } from '../../model/errors/errors.ts';

const jwkSchema = z.object({
  crv: z.literal('P-256'),
  d: z.string(),
  kty: z.literal('EC'),
  x: z.string(),
  y: z.string(),
});

/** RFC 4648. */
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const ID_BYTES = 30;
const STEP = 'read key';

/** Groups of four letters, from the first 240 bits of the SHA-256 of the public key's DER form (libtrust, util.go). */
export function keyId(key: KeyObject): string {
  const der = (key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' });
  const digest = createHash('sha256').update(der).digest().subarray(0, ID_BYTES);
  const bits = [...digest].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const letters = (bits.match(/.{5}/g) ?? []).map((five) => BASE32[Number.parseInt(five, 2)]).join('');
  return (letters.match(/.{4}/g) ?? []).join(':');
}

function unusable(path: string, message: string, cause: unknown): TsdError {
  const hint =
    `Put a backup back, or let the next start make a new one: \`mv ${path} ${path}.damaged-1\`. The supervisor has another ` +
    'id then.';
  return new TsdError('TSD_TRUST_STORE', message, { step: STEP, cause, hint });
}

/** Returns the key of a file and creates it when missing. @throws TSD_TRUST_STORE for one that cannot be used: it is never replaced. */
export function openDaemonKey(path: string): KeyObject {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return makeKey(path);
    throw unusable(path, `cannot read ${path}: ${(cause as Error).message}`, cause);
  }
  try {
    return createPrivateKey({ key: jwkSchema.parse(JSON.parse(text)), format: 'jwk' });
  } catch (cause) {
    throw unusable(path, `${path} is no P-256 key in JWK form`, cause);
  }
}

function makeKey(path: string): KeyObject {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { crv, d, kty, x, y } = privateKey.export({ format: 'jwk' });
  const jwk = { crv, d, kid: keyId(privateKey), kty, x, y };
  writeFileSync(`${path}.tmp`, JSON.stringify(jwk, null, 4), { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
  return privateKey;
}
