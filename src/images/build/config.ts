/** What instructions do to an image's configuration. Pure. */
import { posix } from 'node:path';
import type { Expander } from '../../model/dockerfile/expand.ts';
import type { Instruction, Keyword } from '../../model/dockerfile/instruction.ts';
import { dockerfileError } from '../../model/dockerfile/place.ts';
import { parsePortRange } from '../../model/kinds/port-forms.ts';
import { parseSignal } from '../../model/kinds/runtime-forms.ts';
import { type Parsed, parseDuration } from '../../model/kinds/short-forms.ts';
import type { BuildRequest } from './host.ts';

/** The `config` object of an OCI image configuration, in its own keys. */
export type RawConfig = Readonly<Record<string, unknown>>;

/** A stage's configuration on its way. */
export interface StageConfig {
  readonly config: RawConfig;
  readonly author: string;
  /** CMD came in this stage: an ENTRYPOINT after it leaves it. */
  readonly ownCommand: boolean;
}

/** A configuration with labels and variables that come from outside of the Dockerfile. */
export function withAdded(config: RawConfig, { labels, env }: Pick<BuildRequest, 'labels' | 'env'>): RawConfig {
  return {
    ...config,
    ...(Object.keys(labels).length > 0 && { Labels: { ...(config.Labels as object | null), ...labels } }),
    ...(Object.keys(env).length > 0 && { Env: withVariables(envOf(config), Object.entries(env)) }),
  };
}

type Change = (before: StageConfig, instruction: Instruction, expander: Expander) => StageConfig;

const DEFAULT_SHELL: readonly string[] = ['/bin/sh', '-c'];
const NS_PER_MS = 1_000_000;

/** The shell of the shell forms. */
export const shellOf = ({ Shell: shell }: RawConfig): readonly string[] =>
  Array.isArray(shell) && shell.length > 0 ? (shell as string[]) : DEFAULT_SHELL;

export const envOf = ({ Env: env }: RawConfig): readonly string[] => (env as string[] | null | undefined) ?? [];

export const workingDirOf = ({ WorkingDir: directory }: RawConfig): string =>
  posix.join('/', (directory as string | null | undefined) ?? '');

export const userOf = ({ User: user }: RawConfig): string => (user as string | null | undefined) ?? '';

/** Triggers that an image has for those that build on it. */
export const triggersOf = ({ OnBuild: triggers }: RawConfig): readonly string[] =>
  (triggers as string[] | null | undefined) ?? [];

const set = (before: StageConfig, changed: RawConfig): StageConfig => ({
  ...before,
  config: { ...before.config, ...changed },
});

const CHANGES: Readonly<Partial<Record<Keyword, Change>>> = {
  CMD: (before, instruction) => ({
    ...set(before, { Cmd: commandOf(before.config, instruction) }),
    ownCommand: true,
  }),
  ENTRYPOINT: (before, instruction) =>
    set(before, {
      Entrypoint: commandOf(before.config, instruction),
      // As in Docker: a new entrypoint ends the command that the old one took.
      ...(!before.ownCommand && { Cmd: null }),
    }),
  ENV: (before, instruction, expander) =>
    set(before, { Env: withVariables(envOf(before.config), pairs(instruction, expander)) }),
  LABEL: (before, instruction, expander) => {
    const labels = { ...(before.config.Labels as object | null), ...Object.fromEntries(pairs(instruction, expander)) };
    return set(before, { Labels: labels });
  },
  EXPOSE: (before, instruction, expander) => {
    const ports = expander.words(instruction.rest, instruction.place).flatMap((word) => portsOf(word, instruction));
    return set(before, { ExposedPorts: { ...(before.config.ExposedPorts as object | null), ...asSet(ports) } });
  },
  VOLUME: (before, instruction, expander) => {
    const { json, rest, place } = instruction;
    const paths = json?.map((path) => expander.word(path, place)) ?? expander.words(rest, place);
    if (paths.some((path) => path === '')) throw dockerfileError(place, 'VOLUME has an empty path');
    return set(before, { Volumes: { ...(before.config.Volumes as object | null), ...asSet(paths) } });
  },
  USER: (before, { rest, place }, expander) => set(before, { User: expander.word(rest, place) }),
  WORKDIR: (before, { rest, place }, expander) =>
    set(before, { WorkingDir: posix.resolve(workingDirOf(before.config), expander.word(rest, place)) }),
  STOPSIGNAL: (before, instruction, expander) => {
    const signal = accept(parseSignal(expander.word(instruction.rest, instruction.place)), instruction);
    return set(before, { StopSignal: signal });
  },
  SHELL: (before, { json }) => set(before, { Shell: json }),
  HEALTHCHECK: (before, instruction) => set(before, { Healthcheck: healthcheck(before.config, instruction) }),
  ONBUILD: (before, { script }) => set(before, { OnBuild: [...triggersOf(before.config), script] }),
  MAINTAINER: (before, { rest }) => ({ ...before, author: rest }),
};

/** The configuration after an instruction; null for one that changes files too. @throws TSD_DOCKERFILE. */
export function changedConfig(before: StageConfig, instruction: Instruction, expander: Expander): StageConfig | null {
  return CHANGES[instruction.keyword]?.(before, instruction, expander) ?? null;
}

/** Instructions that are about the configuration alone. */
export const CONFIG_KEYWORDS: readonly string[] = Object.keys(CHANGES);

/** The exec form as it is, anything else for the shell. */
export function commandOf(
  config: RawConfig,
  { json, script }: Pick<Instruction, 'json' | 'script'>,
): readonly string[] {
  return json ?? [...shellOf(config), script];
}

/** `a=b c="d e"`, or the old form `a value to the end`. */
function pairs(instruction: Instruction, expander: Expander): (readonly [key: string, value: string])[] {
  const { keyword, rest, place } = instruction;
  const [first = ''] = rest.split(/\s/, 1);
  if (!first.includes('=') && !/^["']/.test(first)) {
    const [, key = '', value = ''] = /^(\S+)\s+(.*)$/s.exec(rest) ?? [];
    if (key === '') throw dockerfileError(place, `${keyword} ${rest} has no =`);
    return [[expander.word(key, place), expander.word(value, place)]];
  }
  return expander.words(rest, place).map((word) => {
    const equals = word.indexOf('=');
    if (equals <= 0) throw dockerfileError(place, `${word} is not KEY=VALUE`);
    return [word.slice(0, equals), word.slice(equals + 1)] as const;
  });
}

/** A variable that is there changes its value and keeps its place. */
function withVariables(env: readonly string[], changed: readonly (readonly [string, string])[]): string[] {
  const byKey = new Map(env.map((variable) => [variable.split('=', 1)[0] ?? '', variable]));
  for (const [key, value] of changed) byKey.set(key, `${key}=${value}`);
  return [...byKey.values()];
}

/** `80`, `53/udp`, `8000-8002/tcp`. */
function portsOf(word: string, { place }: Instruction): string[] {
  const range = parsePortRange(word);
  if (range === null || !['tcp', 'udp', 'sctp'].includes(range.protocol)) {
    throw dockerfileError(place, `${JSON.stringify(word)} is no port; write for example 80, 53/udp or 8000-8010`);
  }
  const { first, last, protocol } = range;
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol}`);
}

/** Docker's image specification counts times in nanoseconds. */
function healthcheck(config: RawConfig, instruction: Instruction): RawConfig {
  const { rest, script, flags, place } = instruction;
  if (/^NONE$/i.test(rest.trim())) return { Test: ['NONE'] };
  const command = script.replace(/^CMD\s*/i, '');
  const json = command.startsWith('[') ? jsonCommand(command) : null;
  if (command === '') throw dockerfileError(place, 'HEALTHCHECK CMD needs a command');
  const shell = shellOf(config);
  const isDefaultShell = shell.join('\0') === DEFAULT_SHELL.join('\0');
  const inShell = isDefaultShell ? ['CMD-SHELL', command] : ['CMD', ...shell, command];
  const time = (flag: string, key: string): RawConfig => {
    const [text] = flags.get(flag) ?? [];
    return text === undefined ? {} : { [key]: accept(parseDuration(text), instruction) * NS_PER_MS };
  };
  const [retries] = flags.get('retries') ?? [];
  if (retries !== undefined && !/^\d{1,6}$/.test(retries)) throw dockerfileError(place, '--retries needs a number');
  return {
    Test: json === null ? inShell : ['CMD', ...json],
    ...time('interval', 'Interval'),
    ...time('timeout', 'Timeout'),
    ...time('start-period', 'StartPeriod'),
    ...time('start-interval', 'StartInterval'),
    ...(retries !== undefined && { Retries: Number(retries) }),
  };
}

function jsonCommand(text: string): readonly string[] | null {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : null;
  } catch {
    return null;
  }
}

function accept<T>(result: Parsed<T>, { place }: Instruction): T {
  if (result.ok) return result.value;
  throw dockerfileError(place, result.message);
}

const asSet = (names: readonly string[]): Record<string, object> => Object.fromEntries(names.map((name) => [name, {}]));
