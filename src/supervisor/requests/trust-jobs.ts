/** Docker 1.4's job that says whether a key may publish under a name. */
import { createPublicKey } from 'node:crypto';
import type { Engine } from '../../engine/engine.ts';
import { keyId } from '../../images/trust/daemon-key.ts';
import { checkKey, READ_WRITE, type TrustGraph } from '../../images/trust/trust-graph.ts';
import type { Clock } from '../../model/clock.ts';
import { TsdError } from '../../model/errors/errors.ts';

/** `trust_key_check NAMESPACE`, with PublicKey (a JWK) and Permission in its environment. */
export function registerTrustJobs(engine: Engine, clock: Clock, graph: TrustGraph | null): void {
  engine.register('trust_key_check', async (job) => {
    const [name] = job.args;
    if (name === undefined || job.args.length !== 1) {
      throw new TsdError('TSD_BAD_REQUEST', `usage: ${job.name} NAMESPACE`);
    }
    const key = keyOf(job.env.get('PublicKey'));
    const permission = job.env.get('Permission') === '' ? READ_WRITE : job.env.getInt('Permission');
    await job.stdout.write(checkKey(graph, { key, name, permission, nowMs: clock.now().wallMs }));
  });
}

function keyOf(jwk: string): string {
  try {
    return keyId(createPublicKey({ key: JSON.parse(jwk) as { kty: string }, format: 'jwk' }));
  } catch (cause) {
    throw new TsdError('TSD_BAD_REQUEST', 'PublicKey is no key in JWK form', { cause });
  }
}
