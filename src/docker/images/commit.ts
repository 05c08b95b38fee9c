/** Makes an image of a container's changes. */
import { z } from 'zod';
import { mergedConfig } from '../../images/make/merged-config.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { struct } from '../create/go-json.ts';
import type { DockerParts } from '../docker-parts.ts';
import { parseAs } from '../wire/parse.ts';
import { idIn, resultOf } from './archives.ts';

const set = z.record(z.string(), z.unknown()).optional();
const command = z.union([z.string().transform((text) => [text]), z.array(z.string())]).optional();

/** What of a container's configuration an image can have. */
const commitConfig = struct({
  User: z.string().optional(),
  Env: z.array(z.string()).optional(),
  Cmd: command,
  Entrypoint: command,
  WorkingDir: z.string().optional(),
  Labels: z.record(z.string(), z.string()).optional(),
  ExposedPorts: set,
  Volumes: set,
  StopSignal: z.string().optional(),
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
  readonly container: ContainerRecord;
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
    const isEmpty = value === undefined || value === '' || Object.keys(value).length === 0;
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
  // What the container was made with is above its image, and what the request says above both.
  const config = mergedConfig(configOf(body), configOf(container.owner?.request?.body));
  return idIn(await resultOf(api.imageFiles.commit(container.id, { ...asked, config }, signal)));
}
