/** Changes to an image's configuration as a Dockerfile would make them: what `commit` and `import` take as --change. */
import { TsdError } from '../../model/errors.ts';

/** The `config` object of an OCI image configuration, in its own keys. */
export type RawConfig = Readonly<Record<string, unknown>>;

type Change = (config: RawConfig, argument: string) => RawConfig;

const INSTRUCTIONS: Readonly<Record<string, Change>> = {
  CMD: (config, argument) => ({ ...config, Cmd: command(argument) }),
  // As in Docker: a new entrypoint ends the command that the old one took.
  ENTRYPOINT: (config, argument) => ({ ...config, Entrypoint: command(argument), Cmd: null }),
  ENV: (config, argument) => ({
    ...config,
    Env: withVariables((config.Env as string[] | null) ?? [], pairs(argument)),
  }),
  EXPOSE: (config, argument) => ({
    ...config,
    ExposedPorts: { ...(config.ExposedPorts as object | null), ...asSet(words(argument).map(portOf)) },
  }),
  LABEL: (config, argument) => ({
    ...config,
    Labels: { ...(config.Labels as object | null), ...Object.fromEntries(pairs(argument)) },
  }),
  STOPSIGNAL: (config, argument) => ({ ...config, StopSignal: argument }),
  USER: (config, argument) => ({ ...config, User: argument }),
  VOLUME: (config, argument) => ({
    ...config,
    Volumes: { ...(config.Volumes as object | null), ...asSet(jsonArray(argument) ?? words(argument)) },
  }),
  WORKDIR: (config, argument) => ({ ...config, WorkingDir: argument }),
};

/** Applies Dockerfile instructions in order. @throws TSD_BAD_REQUEST naming the one that cannot be read. */
export function changeConfig(config: RawConfig, changes: readonly string[]): RawConfig {
  return changes.reduce((changed, text) => {
    const [, name = '', argument = ''] = /^\s*(\S+)\s*(.*?)\s*$/s.exec(text) ?? [];
    const change = INSTRUCTIONS[name.toUpperCase()];
    if (change === undefined) {
      throw badChange(text, `it does not begin with one of ${Object.keys(INSTRUCTIONS).join(', ')}`);
    }
    if (argument === '') throw badChange(text, 'it has no value');
    return change(changed, argument);
  }, config);
}

function badChange(text: string, reason: string): TsdError {
  return new TsdError('TSD_BAD_REQUEST', `cannot apply the change ${JSON.stringify(text)}: ${reason}`, {
    hint: 'For example --change \'CMD ["/bin/app"]\' or --change "ENV MODE=production".',
  });
}

/** The exec form as it is, anything else for a shell. */
const command = (argument: string): readonly string[] => jsonArray(argument) ?? ['/bin/sh', '-c', argument];

function jsonArray(argument: string): string[] | null {
  if (!argument.startsWith('[')) return null;
  try {
    const value: unknown = JSON.parse(argument);
    return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : null;
  } catch {
    return null;
  }
}

/** `a=b c="d e"`, or the old form `a value to the end`. */
function pairs(argument: string): (readonly [key: string, value: string])[] {
  const all = words(argument);
  if (!all[0]?.includes('=')) {
    const [, key = '', value = ''] = /^(\S+)\s+(.*)$/s.exec(argument) ?? [];
    if (key === '') throw badChange(argument, 'it has no =');
    return [[key, value]];
  }
  return all.map((word) => {
    const equals = word.indexOf('=');
    if (equals <= 0) throw badChange(argument, `${word} is not KEY=VALUE`);
    return [word.slice(0, equals), word.slice(equals + 1)] as const;
  });
}

/** Words parted by white space; single and double quotes hold one together, a backslash takes the next character as it is. */
function words(text: string): string[] {
  const found = text.match(/(?:\\.|"(?:\\.|[^"\\])*"|'[^']*'|[^\s"'\\])+/gs) ?? [];
  return found.map((word) =>
    word.replace(/\\(.)|"((?:\\.|[^"\\])*)"|'([^']*)'/gs, (_all, one, double, single) => {
      if (double !== undefined) return (double as string).replace(/\\(["\\$])/g, '$1');
      return (one ?? single) as string;
    }),
  );
}

/** A variable that is there changes its value and keeps its place. */
function withVariables(env: readonly string[], set: readonly (readonly [string, string])[]): string[] {
  const byKey = new Map(env.map((variable) => [variable.split('=', 1)[0] ?? '', variable]));
  for (const [key, value] of set) byKey.set(key, `${key}=${value}`);
  return [...byKey.values()];
}

const portOf = (port: string): string => (port.includes('/') ? port : `${port}/tcp`);

const asSet = (names: readonly string[]): Record<string, object> => Object.fromEntries(names.map((name) => [name, {}]));
