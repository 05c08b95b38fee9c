import { CAPABILITIES } from '../capabilities.ts';
import { readSignal, SIGNAL_NAMES, type SignalName, signalName } from '../signals.ts';
import { closest } from '../text/suggest.ts';
import {
  type ContentReaction,
  DEPENDENCY_CONDITIONS,
  type DependencySpec,
  type LinkSpec,
  type Parsed,
  parsed,
  type RestartSpec,
  refused,
  type UlimitSpec,
} from './short-forms.ts';
import { isReference } from './storage-forms.ts';

/** `name`, `name:alias`, `app/name` or `app/name:alias`; the alias defaults to the name. */
export function parseLink(text: string): Parsed<LinkSpec> {
  const [target = '', alias = target.split('/').at(-1) ?? '', ...more] = text.split(':');
  if (more.length > 0 || !isReference(target)) return refused(`"${text}" is not a link; write name or name:alias`);
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/.test(alias)) return refused(`"${text}": "${alias}" cannot be a host name`);
  return parsed({ target, alias });
}

/** `name`, `app/name` or either with `:ready`, `:started` or `:completed`. */
export function parseDependency(text: string): Parsed<DependencySpec> {
  const [container = '', word = 'ready', ...more] = text.split(':');
  if (more.length > 0 || !isReference(container)) {
    return refused(`"${text}" is not a dependency; write name or name:condition`);
  }
  const condition = DEPENDENCY_CONDITIONS.find((known) => known === word);
  if (condition) return parsed({ container, condition });
  const hint = closest(word, DEPENDENCY_CONDITIONS);
  const known = hint ? `did you mean ${hint}?` : `write ${DEPENDENCY_CONDITIONS.join(', ')}`;
  return refused(`"${text}": "${word}" is not a condition; ${known}`);
}

const POLICIES: readonly RestartSpec['policy'][] = ['no', 'always', 'unless-stopped', 'on-failure'];

/** `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:5`. */
export function parseRestart(text: string): Parsed<RestartSpec> {
  const [name = '', count, ...more] = text.split(':');
  const policy = POLICIES.find((known) => known === name);
  if (!policy || more.length > 0) {
    const hint = closest(name, POLICIES);
    return refused(
      `"${text}" is not a restart policy${hint ? `; did you mean ${hint}?` : `; write ${POLICIES.join(', ')}`}`,
    );
  }
  if (count === undefined) return parsed({ policy, max: 0, backoff: null });
  if (policy !== 'on-failure') return refused(`"${text}": only on-failure takes a maximum`);
  return /^\d{1,6}$/.test(count)
    ? parsed({ policy, max: Number(count), backoff: null })
    : refused(`"${text}": "${count}" is not a count`);
}

/** `restart`, `recreate`, `ignore` or `signal:HUP`. */
export function parseReaction(text: string): Parsed<ContentReaction> {
  if (text === 'restart' || text === 'recreate' || text === 'ignore') return parsed(text);
  const name = /^signal:(.+)$/.exec(text)?.[1];
  if (name === undefined) return refused(`"${text}" is not a reaction; write restart, recreate, signal:HUP or ignore`);
  const signal = parseSignal(name);
  return signal.ok ? parsed<ContentReaction>(`signal:${signal.value}`) : signal;
}

/** What a new run of a container means for those that link to it or depend on it. */
export type DependencyReaction = 'nothing' | 'restart' | `signal:${SignalName}`;

/** `nothing`, `restart` or `signal:HUP`. */
export function parseDependencyReaction(text: string): Parsed<DependencyReaction> {
  if (text === 'nothing' || text === 'restart') return parsed(text);
  const name = /^signal:(.+)$/.exec(text)?.[1];
  if (name === undefined) return refused(`"${text}" is not a reaction; write nothing, restart or signal:HUP`);
  const signal = parseSignal(name);
  return signal.ok ? parsed<DependencyReaction>(`signal:${signal.value}`) : signal;
}

/** The signal of `signal:SIGHUP`; undefined for any other reaction. */
export function signalOf(reaction: ContentReaction | DependencyReaction | undefined): SignalName | undefined {
  return /^signal:(.*)$/.exec(reaction ?? '')?.[1] as SignalName | undefined;
}

/** getrlimit(2), without the RLIMIT_ prefix. */
export const ULIMIT_NAMES = [
  'as',
  'core',
  'cpu',
  'data',
  'fsize',
  'locks',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
] as const;

function parseLimit(text: string): number | null {
  if (text === 'unlimited' || text === '-1') return -1;
  const value = Number(text);
  return /^\d+$/.test(text) && Number.isSafeInteger(value) ? value : null;
}

/** A number for both limits, `soft:hard`, or `unlimited`. */
export function parseUlimit(written: string | number): Parsed<UlimitSpec> {
  const [softText = '', hardText = softText, ...more] = String(written).split(':');
  const soft = parseLimit(softText);
  const hard = parseLimit(hardText);
  if (soft === null || hard === null || more.length > 0) {
    return refused(`"${written}" is not a limit; write for example 1024 or 1024:4096`);
  }
  return hard !== -1 && (soft === -1 || soft > hard)
    ? refused(`"${written}": soft is above hard`)
    : parsed({ soft, hard });
}

/** `net_admin`, `CAP_NET_ADMIN` or `ALL`; result upper case without CAP_. */
export function parseCapability(text: string): Parsed<string> {
  const name = text.trim().toUpperCase().replace(/^CAP_/, '');
  const known = ['ALL', ...CAPABILITIES];
  if (known.includes(name)) return parsed(name);
  const hint = closest(name, known);
  return refused(`"${text}" is not a capability${hint ? `; did you mean ${hint}?` : ''}`);
}

/** A signal as {@link readSignal} reads it. */
export function parseSignal(written: string | number): Parsed<SignalName> {
  const number = readSignal(String(written));
  if (number !== null) return parsed(signalName(number));
  const text = String(written).trim().toUpperCase();
  const hint = closest(text.startsWith('SIG') ? text : `SIG${text}`, SIGNAL_NAMES);
  return refused(`"${written}" is not a signal${hint && !/^\d+$/.test(text) ? `; did you mean ${hint}?` : ''}`);
}
