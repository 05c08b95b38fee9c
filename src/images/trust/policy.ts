/** Which images may come in: a rule for each beginning of a name, from a file that people write. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { LineCounter, parseDocument, type Range } from 'yaml';
import { z } from 'zod';
import { type Gate, readJudged } from '../../ffi/files/gate.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { DOCKER_HUB, formatReference, type ImageReference, registryName } from '../../model/image-reference.ts';

export type TrustRule =
  | { readonly type: 'accept' }
  | { readonly type: 'reject' }
  | {
      readonly type: 'signed-by';
      /** A signature of one of them is enough. P-256 each. */
      readonly keys: readonly KeyObject[];
      /** Repository, or beginning of one, that the signature must be for; null for the image's own. */
      readonly signedAs: string | null;
    };

/** A rule with where it stands. */
export interface TrustDecision {
  readonly rule: TrustRule;
  /** `registry.example/team`, or `default`. */
  readonly prefix: string;
  /** Null without a policy file. */
  readonly file: string | null;
}

const ruleSchema = z.union(
  [
    z.enum(['accept', 'reject']),
    z.strictObject({
      signedBy: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]),
      signedAs: z.string().min(1).optional(),
    }),
  ],
  'must be accept, reject, or { signedBy: KEY }',
);
const fileSchema = z.strictObject({
  default: z.enum(['accept', 'reject'], 'must be accept or reject').default('accept'),
  images: z.record(z.string(), ruleSchema).default({}),
});

const STEP = 'read trust policy';
const MAX_POLICY_BYTES = 1024 * 1024;
const NO_POLICY: TrustPolicy = { file: null, rules: new Map(), otherwise: { type: 'accept' } };

interface TrustPolicy {
  readonly file: string | null;
  /** By beginning of a name, without a slash at its end. */
  readonly rules: ReadonlyMap<string, TrustRule>;
  readonly otherwise: TrustRule;
}

/** `docker.io/library/nginx`: the one form of a name that rules are looked up by. */
export const fullName = ({ registry, repository }: Pick<ImageReference, 'registry' | 'repository'>): string =>
  `${registry}/${repository}`;

/** The policy of a file, read again for each image: what was edited counts from the next one on. */
export class TrustPolicyFile {
  readonly #path: string | null;
  readonly #mayBeMissing: boolean;
  readonly #gate: Gate | null;

  /**
   * @param mayBeMissing a file that is not there accepts everything, as does no file at all (null).
   * @param gate judges it and the keys it names; null: whoever wrote them is trusted
   */
  constructor(path: string | null, mayBeMissing: boolean, gate: Gate | null = null) {
    this.#path = path;
    this.#gate = gate;
    this.#mayBeMissing = mayBeMissing;
  }

  /** The rule with the longest beginning of the image's name. @throws TSD_TRUST_POLICY when the file cannot be used. */
  decide(reference: Pick<ImageReference, 'registry' | 'repository'>): TrustDecision {
    const { file, rules, otherwise } = this.read();
    const parts = fullName(reference).split('/');
    for (let length = parts.length; length > 0; length--) {
      const prefix = parts.slice(0, length).join('/');
      const rule = rules.get(prefix);
      if (rule !== undefined) return { rule, prefix, file };
    }
    return { rule: otherwise, prefix: 'default', file };
  }

  /** Refuses an image that comes without a registry, and so without signatures. @throws TSD_IMAGE_UNTRUSTED, TSD_TRUST_POLICY. */
  admitFile(reference: ImageReference): void {
    const decision = this.decide(reference);
    if (decision.rule.type === 'accept') return;
    if (decision.rule.type === 'reject') throw rejected(reference, decision);
    throw untrusted(reference, decision, 'a file has no signatures; it wants one');
  }

  /** @throws TSD_TRUST_POLICY with the position of what is wrong. */
  read(): TrustPolicy {
    if (this.#path === null) return NO_POLICY;
    let text: string;
    try {
      text = readText(this.#path, this.#gate);
    } catch (cause) {
      if (cause instanceof TsdError) throw cause;
      const { code, message } = cause as NodeJS.ErrnoException;
      if (this.#mayBeMissing && code === 'ENOENT') return NO_POLICY;
      throw new TsdError('TSD_TRUST_POLICY', `cannot read ${this.#path}: ${message}`, { step: STEP, cause });
    }
    if (text.length > MAX_POLICY_BYTES) {
      throw new TsdError('TSD_TRUST_POLICY', `${this.#path} is longer than ${MAX_POLICY_BYTES} bytes`, { step: STEP });
    }
    return parsePolicy(this.#path, text, this.#gate);
  }
}

export function rejected(reference: ImageReference, decision: TrustDecision): TsdError {
  return untrusted(reference, decision, 'it is rejected');
}

/** @param why follows the rule's name. */
export function untrusted(reference: ImageReference, { prefix, file }: TrustDecision, why: string): TsdError {
  const message = `${formatReference(reference)}: by the rule for ${prefix} of ${file}, ${why}`;
  return new TsdError('TSD_IMAGE_UNTRUSTED', message, { step: 'check trust' });
}

function readText(path: string, gate: Gate | null): string {
  return gate === null ? readFileSync(path, 'utf8') : readJudged(path, gate);
}

function parsePolicy(file: string, text: string, gate: Gate | null): TrustPolicy {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false });
  const wrong = (offset: number, message: string): TsdError => {
    const { line, col } = counter.linePos(offset);
    return new TsdError('TSD_TRUST_POLICY', message, { step: STEP, source: { file, line, column: col } });
  };
  const [syntax] = document.errors;
  if (syntax !== undefined) throw wrong(syntax.pos[0], syntax.message);
  const startOf = (path: readonly PropertyKey[]): number => {
    for (let length = path.length; length > 0; length--) {
      const node = document.getIn(path.slice(0, length), true) as { readonly range?: Range | null } | undefined;
      if (node?.range) return node.range[0];
    }
    return 0;
  };
  const parsed = fileSchema.safeParse(document.toJS() ?? {});
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const path = issue?.path ?? [];
    throw wrong(startOf(path), `${path.join('.') || 'the policy'}: ${issue?.message}`);
  }
  const rules = new Map<string, TrustRule>();
  for (const [written, rule] of Object.entries(parsed.data.images)) {
    const at = startOf(['images', written]);
    const prefix = prefixOf(written);
    if (prefix === null) {
      throw wrong(at, `${written}: write the name with its registry, for example docker.io/library/nginx`);
    }
    if (rules.has(prefix)) throw wrong(at, `${written}: there are two rules for ${prefix}`);
    rules.set(
      prefix,
      typeof rule === 'string' ? { type: rule } : signedBy(file, rule, gate, (message) => wrong(at, message)),
    );
  }
  return { file, rules, otherwise: { type: parsed.data.default } };
}

/** Null for what does not begin with a registry. */
function prefixOf(written: string): string | null {
  const [host = '', ...path] = written.replace(/\/$/, '').split('/');
  const isRegistry = /[.:]/.test(host) || host === 'localhost';
  const isPath = path.every((part) => /^[a-z0-9._-]+$/.test(part));
  return isRegistry && isPath ? [registryName(host), ...path].join('/') : null;
}

function signedBy(
  file: string,
  { signedBy: named, signedAs }: Exclude<z.output<typeof ruleSchema>, string>,
  gate: Gate | null,
  wrong: (message: string) => TsdError,
): TrustRule {
  const keys = [named].flat().map((name) => {
    const path = resolve(dirname(file), name);
    let key: KeyObject;
    try {
      key = createPublicKey(readText(path, gate));
    } catch (cause) {
      if (cause instanceof TsdError) throw cause;
      throw wrong(`cannot read the public key ${path}: ${(cause as Error).message}`);
    }
    if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key;
    throw wrong(`${path} is no ECDSA key of curve P-256, as cosign makes them`);
  });
  const as = signedAs === undefined ? null : prefixOf(signedAs);
  if (signedAs !== undefined && as === null) {
    throw wrong(`signedAs: write a name with its registry, for example ${DOCKER_HUB}/library`);
  }
  return { type: 'signed-by', keys, signedAs: as };
}
