/** Parameters of a call, as typed code gives them and as a job run by name has them: arguments, environment, input. */
import type { z } from 'zod';
import type { Job } from '../../engine/job.ts';
import type { JobSpec } from '../../engine/job-spec.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { append } from '../../model/lists.ts';

type EnvSpecs = NonNullable<JobSpec['env']>;
/** What a variable says; with `secret` its value is never shown. */
type Text = EnvSpecs[string];

/** A job run by name, whose arguments are taken one by one. */
interface TextSource {
  readonly job: Job;
  /** Arguments that no parameter has taken yet. */
  readonly words: string[];
}

/** What a typed call shows of itself. */
export interface Shown {
  readonly args: string[];
  readonly env: Record<string, string>;
}

export interface Parameter<T> {
  /** Its place in the usage line. */
  readonly usage?: string;
  readonly env?: EnvSpecs;
  readonly stdin?: string;
  read(source: TextSource): T | Promise<T>;
  show(value: T, shown: Shown): void;
  /** It is the signal of the job: a typed call gets that of its job. */
  readonly isSignal?: true;
}

/** One argument. */
export function word(usage: string): Parameter<string> {
  return {
    usage,
    read: (source) => takeWord(source, usage),
    show: (value, { args }) => void args.push(value),
  };
}

/** One argument that a schema reads. */
export function wordOf<T extends string | number>(usage: string, schema: z.ZodType<T>): Parameter<T> {
  return {
    usage,
    read: (source) => firstReading(usage, takeWord(source, usage), schema, usageHint(source.job.spec)),
    show: (value, { args }) => void args.push(String(value)),
  };
}

/** All arguments that are left. */
export function words(usage: string): Parameter<readonly string[]> {
  return {
    usage: `[${usage}…]`,
    read: ({ words: left }) => left.splice(0),
    show: (value, { args }) => append(args, value),
  };
}

/** A variable of the environment. */
export function variable<T>(name: string, text: string, schema: z.ZodType<T>): Parameter<T> {
  return {
    env: { [name]: { text } },
    read: ({ job }) => readVariable(job, name, schema),
    show: (value, shown) => showValue(name, value, shown),
  };
}

export const secret = (text: string): Text => ({ text, secret: true });

type TextsOf<T> = { readonly [K in keyof T]-?: string | Text };

/**
 * An object: the members in `first` are arguments, in that order, the others variables.
 * @param texts what each says
 */
export function object<T extends object>(
  schema: z.ZodObject & z.ZodType<T>,
  texts: TextsOf<T>,
  first: readonly (keyof T & string)[] = [],
): Parameter<T> {
  const entries = Object.entries(texts) as [keyof T & string, string | Text][];
  const env = Object.fromEntries(
    entries
      .filter(([name]) => !first.includes(name))
      .map(([name, text]) => [name, typeof text === 'string' ? { text } : text]),
  );
  return {
    usage: first.map((name) => name.toUpperCase()).join(' '),
    env,
    read: (source) => {
      const members: Record<string, unknown> = {};
      const member = (name: string) => schema.shape[name] as z.ZodType<unknown>;
      for (const name of first) {
        const usage = name.toUpperCase();
        members[name] = firstReading(usage, takeWord(source, usage), member(name), usageHint(source.job.spec));
      }
      for (const name of Object.keys(env)) {
        const value = readVariable(source.job, name, member(name));
        if (value !== undefined) members[name] = value;
      }
      return members as T;
    },
    show: (value, shown) => {
      for (const name of first) shown.args.push(String(value[name]));
      for (const [name, spec] of Object.entries(env)) {
        if (spec.secret !== true) showValue(name, value[name as keyof T], shown);
      }
    },
  };
}

/** Options of a call that also identify the requester. */
export function asked<T extends object>(
  options: Parameter<Omit<T, 'askedBy'>>,
): Parameter<T & { readonly askedBy?: number | null }> {
  return {
    ...options,
    read: async (source) => ({ ...((await options.read(source)) as T), askedBy: source.job.by?.uid ?? null }),
  };
}

/** Uid of the requester. */
export const asker: Parameter<number | null> = { read: ({ job }) => job.by?.uid ?? null, show: () => {} };

export const signal: Parameter<AbortSignal> = { read: ({ job }) => job.signal, show: () => {}, isSignal: true };

function takeWord({ job, words: left }: TextSource, usage: string): string {
  const next = left.shift();
  if (next !== undefined && next !== '') return next;
  throw new TsdError('TSD_BAD_REQUEST', `${job.name} needs ${usage}`, { hint: usageHint(job.spec) });
}

export function usageHint({ name, args, env }: JobSpec): string {
  const variables = Object.keys(env ?? {}).map((variable) => ` [--env ${variable}=…]`);
  return `Usage: tsdocker job ${name}${args === undefined ? '' : ` ${args}`}${variables.join('')}; docs/jobs.md says what each is`;
}

function readVariable<T>(job: Job, name: string, schema: z.ZodType<T>): T {
  const raw = job.env.get(name);
  return firstReading(name, raw === '' ? null : raw, schema, usageHint(job.spec));
}

/** Values that mean an absent parameter: the empty value of each type. */
const ABSENT: readonly unknown[] = [undefined, null, false, [], {}, ''];
const FLAGS: Readonly<Record<string, boolean>> = {
  '0': false,
  no: false,
  false: false,
  '1': true,
  yes: true,
  true: true,
};

const flagOf = (text: string): boolean | undefined => {
  const word = text.trim().toLowerCase();
  return Object.hasOwn(FLAGS, word) ? FLAGS[word] : undefined;
};

export const isYes = (text: string): boolean => flagOf(text) === true;

/** The first way to read a text that the schema takes: as it is, as JSON, as a flag, as a list of one. */
function firstReading<T>(name: string, raw: string | null, schema: z.ZodType<T>, hint?: string): T {
  const ways = raw === null ? ABSENT : waysToRead(raw);
  for (const way of ways) {
    const result = schema.safeParse(way);
    if (result.success) return result.data;
  }
  const what = raw === null ? 'is missing' : firstProblem(schema, jsonOf(raw) ?? raw);
  throw new TsdError('TSD_BAD_REQUEST', `${name} ${what}`, { hint });
}

/** Types of the schema in the words of one who writes an argument. */
const EXPECTED: Readonly<Record<string, string>> = {
  number: 'it is no number',
  int: 'it is no whole number',
  boolean: 'it is neither 1 nor 0',
  array: 'it is no list as JSON',
  object: 'it is no object as JSON',
  record: 'it is no object as JSON',
};

/** Queries of the API have a flag as a word, requests as a truth value. */
function waysToRead(raw: string): readonly unknown[] {
  const flag = flagOf(raw);
  // To a schema with a default, undefined is a value.
  return [raw, jsonOf(raw), flag, flag === undefined ? flag : String(flag), [raw]].filter((way) => way !== undefined);
}

function firstProblem(schema: z.ZodType<unknown>, value: unknown): string {
  const issue = schema.safeParse(value).error?.issues[0];
  const plain = issue?.code === 'invalid_type' && issue.path.length === 0 ? EXPECTED[issue.expected] : undefined;
  return `has a wrong value: ${plain ?? issue?.message}`;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What is left out is not shown. */
function showValue(name: string, value: unknown, { env }: Shown): void {
  if (value === undefined || value === null || value === false || value === '') return;
  env[name] = typeof value === 'string' ? value : JSON.stringify(value);
}
