/** JSON that carries its own signatures, as libtrust writes it ("pretty" JWS): the signed text is the document without them. */
import { createPublicKey, type KeyObject, verify, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { TsdError } from '../../model/errors/errors.ts';

const jwkSchema = z.object({ kty: z.literal('EC'), crv: z.literal('P-256'), x: z.string(), y: z.string() });
const documentSchema = z.looseObject({
  signatures: z
    .array(
      z.object({
        header: z.object({ jwk: jwkSchema.nullish(), x5c: z.array(z.string()).nullish(), alg: z.literal('ES256') }),
        signature: z.string(),
        protected: z.string(),
      }),
    )
    .min(1, 'it is not signed'),
});
const protectedSchema = z.object({
  /** Bytes of the document that are signed. */
  formatLength: z.number().int().positive(),
  /** What follows them in the signed text; base64url. */
  formatTail: z.string(),
});

type Signature = z.output<typeof documentSchema>['signatures'][number];

const invalid = (what: string, why: string, cause?: unknown): TsdError =>
  new TsdError('TSD_TRUST_STORE', `${what}: ${why}`, { step: 'verify statement', cause });

/**
 * The signed JSON of a document and the keys that signed it: every signature must be right.
 * @throws TSD_TRUST_STORE.
 */
export function verifyPrettyJws(
  bytes: Buffer,
  what: string,
): { readonly payload: unknown; readonly keys: readonly KeyObject[] } {
  let document: z.output<typeof documentSchema>;
  try {
    document = documentSchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    throw invalid(what, cause instanceof z.ZodError ? z.prettifyError(cause) : 'it is not JSON', cause);
  }
  const signed = document.signatures.map((signature) => verifyOne(bytes, signature, what));
  const [first] = signed;
  if (first === undefined || signed.some(({ text }) => !text.equals(first.text))) {
    throw invalid(what, 'its signatures are for different texts');
  }
  let payload: unknown;
  try {
    payload = JSON.parse(first.text.toString('utf8'));
  } catch (cause) {
    throw invalid(what, 'the signed text is not JSON', cause);
  }
  return { payload, keys: signed.map(({ key }) => key) };
}

function verifyOne(
  bytes: Buffer,
  signature: Signature,
  what: string,
): { readonly text: Buffer; readonly key: KeyObject } {
  try {
    const format = protectedSchema.parse(JSON.parse(Buffer.from(signature.protected, 'base64url').toString('utf8')));
    const tail = Buffer.from(format.formatTail, 'base64url');
    const text = Buffer.concat([bytes.subarray(0, format.formatLength), tail]);
    const key = keyOf(signature);
    const input = Buffer.from(`${signature.protected}.${text.toString('base64url')}`);
    const proof = Buffer.from(signature.signature, 'base64url');
    if (verify('sha256', input, { key, dsaEncoding: 'ieee-p1363' }, proof)) return { text, key };
  } catch (cause) {
    throw invalid(what, `a signature cannot be read: ${(cause as Error).message}`, cause);
  }
  throw invalid(what, 'a signature is wrong');
}

function keyOf({ header: { jwk, x5c } }: Signature): KeyObject {
  const [certificate] = x5c ?? [];
  const key =
    certificate === undefined
      ? createPublicKey({ key: jwkSchema.parse(jwk), format: 'jwk' })
      : new X509Certificate(Buffer.from(certificate, 'base64')).publicKey;
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Error('the key is not of curve P-256');
  return key;
}
