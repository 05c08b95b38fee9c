import { smallest } from '../../model/lists.ts';
/** Who may do what with which names, from signed statements. Pure. Rules of libtrust's trustgraph. */

/** Bits of a permission: read, write, and both for what is below. */
export const READ_WRITE = 3;

interface Grant {
  /** A name and everything below it: `/library`. */
  readonly subject: string;
  readonly permission: number;
  /** A key id, or a name whose holders get the permission. */
  readonly grantee: string;
}

interface Revocation {
  readonly subject: string;
  /** Bits that are taken away. */
  readonly revocation: number;
  readonly grantee: string;
}

export interface Statement {
  readonly grants: readonly Grant[];
  readonly revocations: readonly Revocation[];
  /** Unix ms. */
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
}

export interface TrustGraph {
  readonly grants: readonly Grant[];
  /** When the first of its statements ends; Unix ms. */
  readonly expiresAtMs: number;
}

export type TrustAnswer = 'verified' | 'expired' | 'not verified' | 'no graph';

const covers = (subject: string, name: string): boolean =>
  name === subject || name.startsWith(subject.endsWith('/') ? subject : `${subject}/`);

/** What holds after all statements, in the order in which they were issued. Null without any. */
export function collapse(statements: readonly Statement[]): TrustGraph | null {
  if (statements.length === 0) return null;
  let grants: Grant[] = [];
  for (const { grants: added, revocations } of statements.toSorted((a, b) => a.issuedAtMs - b.issuedAtMs)) {
    for (const { subject, revocation, grantee } of revocations) {
      grants = grants.map((grant) =>
        grant.grantee === grantee && covers(subject, grant.subject)
          ? { ...grant, permission: grant.permission & ~revocation }
          : grant,
      );
    }
    grants = [...grants, ...added];
  }
  return {
    grants: grants.filter(({ permission }) => permission !== 0),
    expiresAtMs: smallest(statements.map(({ expiresAtMs }) => expiresAtMs)),
  };
}

/** Whether a key has a permission for a name, by itself or through names that have it. @param nowMs Unix ms */
export function checkKey(
  graph: TrustGraph | null,
  { key, name, permission, nowMs }: { key: string; name: string; permission: number; nowMs: number },
): TrustAnswer {
  if (graph === null) return 'no graph';
  const seen = new Set<string>();
  const pending = [name];
  for (let target = pending.pop(); target !== undefined; target = pending.pop()) {
    if (seen.has(target)) continue;
    seen.add(target);
    for (const { subject, permission: given, grantee } of graph.grants) {
      if (!covers(subject, target) || (given & permission) !== permission) continue;
      if (grantee === key) return graph.expiresAtMs < nowMs ? 'expired' : 'verified';
      if (grantee.startsWith('/')) pending.push(grantee);
    }
  }
  return 'not verified';
}
