/** Docker 1.4's jobs about who may publish under a name, and how pulls ask them. */
import { createPublicKey } from 'node:crypto';
import type { Engine } from '../../engine/engine.ts';
import type { Job } from '../../engine/job.ts';
import type { JobSpec } from '../../engine/job-spec.ts';
import { keyId } from '../../images/trust/daemon-key.ts';
import type { TrustJobs } from '../../images/trust/signed-manifest.ts';
import { checkKey, READ_WRITE } from '../../images/trust/trust-graph.ts';
import type { TrustStore } from '../../images/trust/trust-store.ts';
import type { Clock } from '../../model/clock.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { usageHint } from '../jobs/parameters.ts';

const KEY_CHECK: JobSpec = {
  name: 'trust_key_check',
  summary: 'says whether a key may publish under a name',
  args: 'NAMESPACE',
  env: {
    PublicKey: { text: 'the key, as JWK' },
    Permission: { text: 'bits: 1 read, 2 write, 4 and 8 the same below; 3 without' },
  },
  stdout: '`verified`, `expired`, `not verified` or `no graph`',
};
const UPDATE_BASE: JobSpec = {
  name: 'trust_update_base',
  summary: 'fetches the statements of the trust base (--trust-base)',
};

export const TRUST_JOBS: readonly JobSpec[] = [KEY_CHECK, UPDATE_BASE];

export function registerTrustJobs(engine: Engine, clock: Clock, store: TrustStore): void {
  engine.register(KEY_CHECK, async (job) => {
    const [name] = job.args;
    if (name === undefined || job.args.length !== 1) {
      throw new TsdError('TSD_BAD_REQUEST', `${job.name} needs NAMESPACE`, { hint: usageHint(job.spec) });
    }
    const key = keyOf(job);
    const permission = permissionOf(job);
    const answer = checkKey(store.graph, { key, name, permission, nowMs: clock.now().wallMs });
    await job.stdout.write(`${answer}\n`);
  });
  engine.register(UPDATE_BASE, async () => {
    await store.update();
  });
}

/** The jobs as pulls ask them. */
export function trustJobs(engine: Engine): TrustJobs {
  return {
    updateBase: () => engine.job(UPDATE_BASE.name).run(),
    checkKey: async (namespace, jwk) => {
      const job = engine.job(KEY_CHECK.name, [namespace], { env: { PublicKey: jwk } });
      let answer = '';
      job.stdout.add((chunk) => {
        answer += String(chunk);
      });
      await job.run();
      return answer.trim();
    },
  };
}

/** 0 stands for nothing, as in Docker. */
function permissionOf({ env, spec }: Job): number {
  const text = env.get('Permission');
  if (text === '') return READ_WRITE;
  if (/^\d{1,5}$/.test(text)) return Number(text) || READ_WRITE;
  throw new TsdError('TSD_BAD_REQUEST', `Permission is a whole number, not ${text}`, { hint: usageHint(spec) });
}

function keyOf(job: Job): string {
  const jwk = job.env.get('PublicKey');
  const hint = usageHint(job.spec);
  if (jwk === '') throw new TsdError('TSD_BAD_REQUEST', 'PublicKey is missing', { hint });
  try {
    return keyId(createPublicKey({ key: JSON.parse(jwk) as { kty: string }, format: 'jwk' }));
  } catch (cause) {
    throw new TsdError('TSD_BAD_REQUEST', 'PublicKey is no key in JWK form', { cause, hint });
  }
}
