/** The trust directory of Docker 1.4: statements about who may publish under which name. */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { TsdError } from '../../model/errors/errors.ts';
import { verifyPrettyJws } from './pretty-jws.ts';
import { collapse, type Statement, type TrustGraph } from './trust-graph.ts';

const name = z.string().min(1);
const bits = z.number().int().nonnegative();
const time = z.iso.datetime({ offset: true });
const statementSchema = z.object({
  revocations: z.array(z.object({ subject: name, revocation: bits, grantee: name })).nullish(),
  grants: z.array(z.object({ subject: name, permission: bits, grantee: name })).nullish(),
  expiration: time,
  issuedAt: time,
});

/**
 * Reads all `*.json` of the directory, which is made when it is missing; official.json is one of them.
 * @returns null when there is no statement. Expired ones count: what they say is then answered as expired.
 * @throws TSD_TRUST_STORE for a statement that cannot be read or is not signed right.
 */
export function readTrustDirectory(directory: string): TrustGraph | null {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const names = readdirSync(directory).filter((file) => file.endsWith('.json'));
  return collapse(names.sort().map((file) => readStatement(join(directory, file))));
}

function readStatement(path: string): Statement {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new TsdError('TSD_TRUST_STORE', `cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  const { payload } = verifyPrettyJws(bytes, path);
  const parsed = statementSchema.safeParse(payload);
  if (!parsed.success) {
    throw new TsdError('TSD_TRUST_STORE', `${path}: ${z.prettifyError(parsed.error)}`, { step: 'read statement' });
  }
  const { grants, revocations, expiration, issuedAt } = parsed.data;
  return {
    grants: grants ?? [],
    revocations: revocations ?? [],
    issuedAtMs: Date.parse(issuedAt),
    expiresAtMs: Date.parse(expiration),
  };
}
