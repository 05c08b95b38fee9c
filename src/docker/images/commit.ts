/** Makes an image of a container's changes. */
import { z } from 'zod';
import type { DockerParts } from '../docker-parts.ts';
import { parseAs } from '../wire/parse.ts';
import { idIn, resultOf } from './archives.ts';

const texts = z.array(z.string()).nullish();
const emptySet = z.record(z.string(), z.unknown()).nullish();

/** What of a container's configuration an image can have. */
const commitConfig = z.looseObject({
  User: z.string().nullish(),
  Env: texts,
  Cmd: z.union([z.string().transform((text) => [text]), z.array(z.string())]).nullish(),
  Entrypoint: z.union([z.string().transform((text) => [text]), z.array(z.string())]).nullish(),
  WorkingDir: z.string().nullish(),
  Labels: z.record(z.string(), z.string()).nullish(),
  ExposedPorts: emptySet,
  Volumes: emptySet,
  StopSignal: z.string().nullish(),
});
const KEYS = [
  'User',
  'Env',
  'Cmd',
  'Entrypoint',
  'WorkingDir',
  'Labels',
  'ExposedPorts',
  'Volumes',
  'StopSignal',
] as const;

export interface CommitAsked {
  readonly container: string;
  /** `repository[:tag]`; empty for none. */
  readonly name: string;
  readonly changes: readonly string[];
  readonly message: string;
  readonly author: string;
}

/** Members that say nothing, as Go writes them, are left to the image below. */
function configOf(body: unknown): Readonly<Record<string, unknown>> {
  const config = parseAs(commitConfig, body ?? {});
  const said = KEYS.flatMap((key) => {
    const value = config[key];
    const isEmpty = value === null || value === undefined || value === '' || Object.keys(value).length === 0;
    return isEmpty ? [] : [[key, value] as const];
  });
  return Object.fromEntries(said);
}

/** `sha256:…` of the new image. @throws TsdError, DockerError */
export async function commit(
  { api }: Pick<DockerParts, 'api'>,
  { container, ...asked }: CommitAsked,
  body: unknown,
  signal: AbortSignal,
): Promise<string> {
  const request = { ...asked, config: configOf(body) };
  return idIn(await resultOf(api.imageFiles.commit(container, request, signal)));
}
