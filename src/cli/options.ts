/** Parsers and forms that several commands share. */

import type { ManifestInput, StartOptions } from '../api/requests.ts';
import { TsdError } from '../model/errors/errors.ts';
import { parseDuration } from '../model/kinds/short-forms.ts';
import { KINDS, type Kind } from '../model/resource.ts';
import { type Command, InvalidArgumentError, Option } from './command-line/command.ts';
import type { CliContext } from './context.ts';

/** Milliseconds from `30s`, `1m30s` or a number of seconds. */
function durationArgument(text: string): number {
  const parsed = parseDuration(text);
  if (!parsed.ok) throw new InvalidArgumentError(parsed.message);
  return parsed.value;
}

/** As {@link durationArgument}, for what would not be with a duration of nothing. */
export function lastingArgument(text: string): number {
  const duration = durationArgument(text);
  if (duration === 0) throw new InvalidArgumentError('write a duration of more than 0.');
  return duration;
}

/** A whole number from 1. */
export function countArgument(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('write a whole number from 1.');
  return Number(text);
}

/** A moment, or a time before now. */
export type SinceForm = { readonly atMs: number } | { readonly agoMs: number };

/** A duration before now, an RFC 3339 time, or Unix seconds. */
export function sinceArgument(text: string): SinceForm {
  if (/^\d{9,}(\.\d+)?$/.test(text)) return { atMs: Math.floor(Number(text) * 1000) };
  const duration = parseDuration(text);
  if (duration.ok) return { agoMs: duration.value };
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time))
    throw new InvalidArgumentError('write for example 10m, 2026-01-02T15:04:05Z or Unix seconds.');
  return { atMs: time };
}

/** Unix ms of `--since` or `--until`; null without it. */
export function sinceMs(since: SinceForm | undefined, { streams }: CliContext): number | null {
  if (since === undefined) return null;
  return Math.max(0, 'atMs' in since ? since.atMs : streams.now() - since.agoMs);
}

export function collect(value: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

/** `--wait[=30s]`; undefined when it is absent, milliseconds otherwise. */
export function waitOption(what: string): Option {
  return new Option('--wait [duration]', `${what}, for at most this long (default: 30s)`)
    .argParser(durationArgument)
    .preset('30s');
}

/** How long `--wait` may take; alone it waits too. */
export function waitTimeoutOption(): Option {
  return new Option('--timeout <duration>', 'wait as with --wait, for at most this long in all').argParser(
    lastingArgument,
  );
}

export function settleOption(): Option {
  return new Option(
    '--settle <duration>',
    'how long a container without a probe must run without an interruption (default: update.settle of the manifest, 1s)',
  ).argParser(durationArgument);
}

export interface WaitOptions {
  readonly wait?: number;
  readonly timeout?: number;
  readonly settle?: number;
}

/** What --wait, --timeout and --settle say. */
export function waitOf({ wait, timeout, settle }: WaitOptions): { waitMs: number | null; settleMs?: number } {
  return { waitMs: timeout ?? wait ?? null, ...(settle !== undefined && { settleMs: settle }) };
}

export interface StartFlags {
  readonly wait?: number;
  readonly settle?: number;
}

/** What `start` and `restart` wait for. */
export function startOptions(command: Command): void {
  const wait = new Option('--wait [duration]', 'time limit for everything (default: 1m and the time to stop)');
  command.addOption(wait.argParser(lastingArgument).preset('1m')).addOption(settleOption());
}

export function startOf({ wait, settle }: StartFlags): StartOptions {
  return { ...(wait !== undefined && { waitMs: wait }), ...(settle !== undefined && { settleMs: settle }) };
}

export function timeoutOption(): Option {
  return new Option(
    '-t, --timeout <duration>',
    'time between the stop signal and SIGKILL (default: stopTimeout of the manifest, 10s)',
  ).argParser(durationArgument);
}

/** -f and --base-dir. */
export function manifestOptions(command: Command, what: string): Command {
  return command
    .addOption(
      new Option('-f, --file <path>', `${what}: a file, a directory, or - for standard input; repeatable`).argParser(
        collect,
      ),
    )
    .option('--base-dir <dir>', 'where relative paths of a manifest from standard input start');
}

const KIND_ALIASES: Readonly<Record<string, Kind>> = Object.fromEntries(
  KINDS.flatMap((kind) => [kind, `${kind}s`, kind.charAt(0)].map((alias) => [alias, kind])),
);

export interface NamedResource {
  readonly kind: Kind;
  readonly name: string;
  /** No kind was named. */
  readonly assumed?: boolean;
}

/** `web`, `blog/web` (containers), `volume/data`, `volume/blog/data`; or the kind as a word of its own. */
export function resourceArgument(words: readonly string[]): NamedResource {
  const [first = '', ...rest] = words.flatMap((word) => word.split('/'));
  const kind = rest.length > 0 ? KIND_ALIASES[first] : undefined;
  if (kind !== undefined) return { kind, name: rest.join('/') };
  return { kind: 'container', name: [first, ...rest].join('/'), assumed: true };
}

/** @throws TsdError TSD_BAD_REQUEST when no -f was given. */
export function requireManifests(inputs: readonly ManifestInput[]): readonly ManifestInput[] {
  if (inputs.length > 0) return inputs;
  throw new TsdError('TSD_BAD_REQUEST', 'no manifest was named', {
    hint: 'Name one with -f FILE, a directory, or -f -.',
  });
}
