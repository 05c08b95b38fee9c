/**
 * The manifest of an image in the signed form of Docker 1.4 (schema 1, libtrust), asked for beside the one that is pulled:
 * its keys may be those that a trust base grants the name to (graph/pull.go).
 */
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { TsdError } from '../../model/errors/errors.ts';
import { formatReference, type ImageReference } from '../../model/image-reference.ts';
import type { RegistryClient } from '../registry/client.ts';
import { MAX_DOCUMENT_BYTES, pullScope } from '../registry/manifest.ts';
import { verifyPrettyJws } from './pretty-jws.ts';

const SIGNED = 'application/vnd.docker.distribution.manifest.v1+prettyjws';
/** A gzipped archive of nothing: what schema 1 has for a step without a layer. */
const EMPTY_LAYER = 'a3ed95caeb02ffe68cdd9fd84406680ae93d663cb16422d00e8a7c22955b46d4';

const manifestSchema = z.object({
  schemaVersion: z.literal(1),
  name: z.string(),
  tag: z.string(),
  /** The newest first. */
  fsLayers: z.array(z.object({ blobSum: z.string() })),
});

/** The engine's jobs that pulls ask. */
export interface TrustJobs {
  /** `trust_update_base`. Rejects when it failed. */
  updateBase(): Promise<void>;
  /** `trust_key_check`: `verified`, `expired`, `not verified` or `no graph`. @param jwk public key */
  checkKey(namespace: string, jwk: string): Promise<string>;
}

/**
 * Says whether a key that the name is granted to signed what is about to be pulled. As in Docker 1.4 a pull continues without.
 * @param layers digests of the image, the bottom first; hex
 * @throws TSD_IMAGE_UNTRUSTED for a manifest whose signature is wrong, or that is signed for another image.
 */
export async function askTrust(
  jobs: TrustJobs,
  client: RegistryClient,
  reference: ImageReference,
  layers: readonly string[],
  say: (text: string) => void,
): Promise<void> {
  const name = formatReference(reference);
  await jobs.updateBase().catch((thrown: Error) => say(`the trust base could not be updated: ${thrown.message}`));
  const unverified = (why: string) => say(`${name} is not verified: ${why}`);
  const tag = reference.digest === null ? (reference.tag ?? 'latest') : null;
  if (tag === null) return unverified('a digest has no signed manifest, a tag may have one');
  const bytes = await signedManifest(client, reference.repository, tag).catch((thrown: unknown) => {
    if (client.signal.aborted || !(thrown instanceof TsdError)) throw thrown;
    unverified(thrown.message);
    return undefined;
  });
  if (bytes === undefined) return;
  if (bytes === null) return unverified('the registry has no signed manifest of it');
  const keys = keysOf(bytes, { name, repository: reference.repository, tag, layers });
  if (keys === null) return unverified('the signed manifest has other layers');
  const answers = new Set<string>();
  for (const key of keys) {
    const answer = await jobs.checkKey(`/${reference.repository}`, JSON.stringify(key.export({ format: 'jwk' })));
    if (answer === 'verified') return say('The image you are pulling has been verified');
    answers.add(answer);
  }
  unverified([...answers].join(', '));
}

/** Null where the registry has none. */
async function signedManifest(client: RegistryClient, repository: string, tag: string): Promise<Buffer | null> {
  const request = {
    method: 'GET',
    path: `/v2/${repository}/manifests/${tag}`,
    headers: { accept: SIGNED },
    scope: pullScope(repository),
    what: `signed manifest ${repository}:${tag}`,
  } as const;
  try {
    const { bytes, headers } = await client.read(MAX_DOCUMENT_BYTES, request);
    return String(headers['content-type']).startsWith(SIGNED) ? bytes : null;
  } catch (thrown) {
    if (thrown instanceof TsdError && thrown.code === 'TSD_REGISTRY_NOT_FOUND') return null;
    throw thrown;
  }
}

/** Keys that signed a manifest of these layers; null for one of others, such as another platform's. */
function keysOf(
  bytes: Buffer,
  wanted: {
    readonly name: string;
    readonly repository: string;
    readonly tag: string;
    readonly layers: readonly string[];
  },
): readonly KeyObject[] | null {
  const refuse = (why: string, cause?: unknown) =>
    new TsdError('TSD_IMAGE_UNTRUSTED', `${wanted.name}: the signed manifest ${why}`, { step: 'check trust', cause });
  let signed: ReturnType<typeof verifyPrettyJws>;
  let manifest: z.output<typeof manifestSchema>;
  try {
    signed = verifyPrettyJws(bytes, 'manifest');
    manifest = manifestSchema.parse(signed.payload);
  } catch (cause) {
    throw refuse(`is not right: ${(cause as Error).message}`, cause);
  }
  const { name, tag, fsLayers } = manifest;
  if (name !== wanted.repository || tag !== wanted.tag) throw refuse(`is for ${name}:${tag}`);
  const listed = fsLayers.map(({ blobSum }) => blobSum.replace(/^sha256:/, '')).reverse();
  const filled = (digests: readonly string[]) => digests.filter((digest) => digest !== EMPTY_LAYER).join();
  return filled(listed) === filled(wanted.layers) ? signed.keys : null;
}
