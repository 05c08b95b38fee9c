/** One signed statement: who may publish under which name. */
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { TsdError } from '../../model/errors/errors.ts';
import { verifyPrettyJws } from './pretty-jws.ts';
import type { Statement } from './trust-graph.ts';

const name = z.string().min(1);
const bits = z.number().int().nonnegative();
const time = z.iso.datetime({ offset: true });
const statementSchema = z.object({
  revocations: z.array(z.object({ subject: name, revocation: bits, grantee: name })).nullish(),
  grants: z.array(z.object({ subject: name, permission: bits, grantee: name })).nullish(),
  expiration: time,
  issuedAt: time,
});

export interface SignedStatement extends Statement {
  readonly keys: readonly KeyObject[];
}

/** @param what names it in errors. @throws TSD_TRUST_STORE for one that is not signed right, or is none. */
export function parseStatement(bytes: Buffer, what: string): SignedStatement {
  const { payload, keys } = verifyPrettyJws(bytes, what);
  const parsed = statementSchema.safeParse(payload);
  if (!parsed.success) {
    throw new TsdError('TSD_TRUST_STORE', `${what}: ${z.prettifyError(parsed.error)}`, { step: 'read statement' });
  }
  const { grants, revocations, expiration, issuedAt } = parsed.data;
  return {
    grants: grants ?? [],
    revocations: revocations ?? [],
    issuedAtMs: Date.parse(issuedAt),
    expiresAtMs: Date.parse(expiration),
    keys,
  };
}
