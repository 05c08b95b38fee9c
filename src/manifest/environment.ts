/** The environment of a container, from its manifest, its env files and its secrets. */
import type { ContainerSpec } from '../model/kinds/container.ts';
import { type ContentProblem, countsAsBefore, type ReadFile, type ReadResult } from './content.ts';
import { parseEnvFile } from './env-file.ts';

/** MAX_ARG_STRLEN (linux/binfmts.h): execve refuses a longer `NAME=value`. */
const MAX_ENV_BYTES = 131_072;

export interface Environment {
  /** By name; later files win over earlier ones and `env` over all files. */
  readonly values: ReadonlyMap<string, string>;
  readonly problems: readonly ContentProblem[];
}

const decoder = new TextDecoder('utf-8', { fatal: true });

function decode(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

/** The value of a secret file: its text without one trailing line break. */
function secretValue(bytes: Buffer): { ok: true; value: string } | { ok: false; message: string } {
  const text = decode(bytes);
  if (text === null || text.includes('\0')) return { ok: false, message: 'is not text in UTF-8' };
  if (bytes.length > MAX_ENV_BYTES - 256) return { ok: false, message: 'is too long for an environment variable' };
  return { ok: true, value: text.replace(/\r?\n$/, '') };
}

function unreadable(field: string, read: Extract<ReadResult, { ok: false }>): ContentProblem {
  const { message, hint, reason } = read;
  const refused = reason === 'untrusted' && { refused: hint };
  return { field, message, ...(countsAsBefore(read) && { unanswered: true }), ...refused };
}

/**
 * The container's own environment, read from its files now. Without the image's variables and those of links.
 * @param spec with absolute paths, from a DesiredState.
 */
export function loadEnvironment(spec: Pick<ContainerSpec, 'env' | 'envFile'>, readFile: ReadFile): Environment {
  const values = new Map<string, string>();
  const problems: ContentProblem[] = [];
  for (const [index, path] of spec.envFile.entries()) {
    const field = `envFile.${index}`;
    const read = readFile(path);
    const text = read.ok ? decode(read.bytes) : null;
    if (!read.ok) problems.push(unreadable(field, read));
    else if (text === null) problems.push({ field, message: `${path} is not text in UTF-8` });
    else {
      const file = parseEnvFile(text);
      for (const { line, message } of file.problems) problems.push({ field, message: `${path}:${line}: ${message}` });
      for (const [name, value] of file.values) values.set(name, value);
    }
  }
  for (const [name, value] of Object.entries(spec.env)) {
    if (typeof value === 'string') {
      values.set(name, value);
      continue;
    }
    const read = readFile(value.fromFile);
    const secret = read.ok ? secretValue(read.bytes) : read;
    if (secret.ok && 'value' in secret) values.set(name, secret.value);
    else if (!read.ok) problems.push(unreadable(`env.${name}`, read));
    else if (!secret.ok) problems.push({ field: `env.${name}`, message: `${value.fromFile} ${secret.message}` });
  }
  return { values, problems };
}
