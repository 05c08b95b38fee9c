/**
 * Signatures as cosign keeps them in a registry: beside the manifest with digest D an image tagged `sha256-D.sig`, each of
 * its layers a signed statement, the signature in an annotation (cosign's SIGNATURE_SPEC).
 */
import { type KeyObject, verify } from 'node:crypto';
import { z } from 'zod';
import { TsdError } from '../../model/errors/errors.ts';
import { type ImageReference, parseImageReference } from '../../model/image-reference.ts';
import { digestSchema, parseJson } from '../image-config.ts';
import type { RegistryClient } from '../registry/client.ts';
import { fetchBlob, fetchManifest } from '../registry/manifest.ts';
import { fullName, type TrustDecision, type TrustRule, untrusted } from './policy.ts';

const PAYLOAD_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';
const SIGNATURE = 'dev.cosignproject.cosign/signature';
const CLAIM = 'cosign container image signature';
const MAX_PAYLOAD_BYTES = 64 * 1024;
/** Signatures of one image that are looked at. */
const MAX_SIGNATURES = 100;

const manifestSchema = z.object({
  layers: z
    .array(
      z.object({
        mediaType: z.string(),
        digest: digestSchema,
        size: z.number().int().nonnegative(),
        annotations: z.record(z.string(), z.string()).nullish(),
      }),
    )
    .max(MAX_SIGNATURES, `more than ${MAX_SIGNATURES} signatures`),
});
const claimSchema = z.object({
  critical: z.object({
    identity: z.object({ 'docker-reference': z.string() }),
    image: z.object({ 'docker-manifest-digest': z.string() }),
    type: z.literal(CLAIM),
  }),
});

type SignedRule = Extract<TrustRule, { type: 'signed-by' }>;

/**
 * Proves that the manifest of this digest was signed as a rule wants it.
 * @param digest hex.
 * @throws TSD_IMAGE_UNTRUSTED telling what is wrong with the signatures there are, TSD_REGISTRY*.
 */
export async function requireSignature(
  client: RegistryClient,
  reference: ImageReference,
  digest: string,
  decision: TrustDecision & { readonly rule: SignedRule },
): Promise<void> {
  const { repository } = reference;
  const tag = `sha256-${digest}.sig`;
  const found = await fetchManifest(client, repository, tag, null).catch((thrown: unknown) => {
    if (thrown instanceof TsdError && thrown.code === 'TSD_REGISTRY_NOT_FOUND') return null;
    throw thrown;
  });
  if (found === null) throw untrusted(reference, decision, `sha256:${digest} is not signed: there is no ${tag}`);
  const { layers } = parseJson(manifestSchema, found.json, `signatures of ${repository}`);
  const reasons: string[] = [];
  for (const layer of layers) {
    const signature = layer.annotations?.[SIGNATURE];
    if (layer.mediaType !== PAYLOAD_TYPE || signature === undefined) continue;
    const payload = await fetchBlob(client, repository, layer, MAX_PAYLOAD_BYTES, `signature of ${repository}`);
    const wrong = judge(payload, Buffer.from(signature, 'base64'), decision.rule, reference, digest);
    if (wrong === null) return;
    reasons.push(wrong);
  }
  const why = reasons.length === 0 ? `${tag} holds no signature` : [...new Set(reasons)].join('; ');
  throw untrusted(reference, decision, `sha256:${digest} has no valid signature: ${why}`);
}

/** Null for a good signature, else what is wrong with it. Nothing of a payload is believed before its signature is right. */
function judge(
  payload: Buffer,
  signature: Buffer,
  { keys, signedAs }: SignedRule,
  reference: ImageReference,
  digest: string,
): string | null {
  if (!keys.some((key) => isSignedBy(key, payload, signature))) return 'one is not made with a key of the rule';
  let claim: z.output<typeof claimSchema>;
  try {
    claim = parseJson(claimSchema, payload.toString('utf8'), 'signed statement');
  } catch (thrown) {
    return (thrown as Error).message;
  }
  const { identity, image } = claim.critical;
  if (image['docker-manifest-digest'] !== `sha256:${digest}`) return 'one is for another image';
  const name = parseImageReference(identity['docker-reference']);
  const signed = name.ok ? fullName(name.value) : '';
  const wanted = signedAs ?? fullName(reference);
  const fits = signed === wanted || (signedAs !== null && signed.startsWith(`${signedAs}/`));
  return fits ? null : `one is for the name ${signed}, not ${wanted}`;
}

function isSignedBy(key: KeyObject, payload: Buffer, signature: Buffer): boolean {
  return verify('sha256', payload, { key, dsaEncoding: 'der' }, signature);
}
