/** The directory of one container: which files are in it, and how they are written and read. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GoDecodeError, goMarshal } from '../files/go-json.ts';
import { toStateError } from '../files/state-error.ts';
import { corrupt, readGoFile } from '../files/state-file.ts';
import { decodeContainer, encodeContainer } from './container-codec.ts';
import { CONFIG_JSON } from './container-files.ts';
import type { ContainerRecord } from './container-record.ts';
import { HOST_CONFIG } from './run-config.ts';

/** Files that are bind-mounted into the container; built by hosts.ts and resolv-conf.ts. */
export const CONTAINER_TEXT_FILES = ['hostname', 'hosts', 'resolv.conf'] as const;
export type ContainerTextFile = (typeof CONTAINER_TEXT_FILES)[number];

export const FILE_MODE = 0o600;
export const TEXT_FILE_MODE = 0o644;

/** Read-only, for every user of the container. */
const CONTENT_FILE_MODE = 0o444;
export const contentName = (index: number): string => `content.${index}`;

export const CONFIG_FILE = 'config.json';
export const HOST_CONFIG_FILE = 'hostconfig.json';

export const encodeConfig = (record: ContainerRecord): string => goMarshal(CONFIG_JSON, encodeContainer(record));
export const encodeHostConfig = ({ hostConfig }: ContainerRecord): string => goMarshal(HOST_CONFIG, hostConfig);

/** @throws TsdError TSD_STATE_CORRUPT. */
export function loadContainer(directory: string, id: string): ContainerRecord {
  const path = join(directory, CONFIG_FILE);
  const json = readGoFile(path, CONFIG_JSON);
  if (json === null) throw corrupt(path, 'is missing');
  if (json.ID !== id) throw corrupt(path, `Container ${json.ID} is stored at ${id}`);
  const hostPath = join(directory, HOST_CONFIG_FILE);
  const hostConfig = readGoFile(hostPath, HOST_CONFIG);
  // Docker has containers without one; ours have it from the beginning.
  if (hostConfig === null && json.Tsdocker) throw corrupt(hostPath, 'is missing');
  try {
    return decodeContainer(json, hostConfig ?? HOST_CONFIG.zero());
  } catch (error) {
    throw error instanceof GoDecodeError ? corrupt(path, error.message, error) : error;
  }
}

/** The files of a new container's directory. */
export interface ContainerDraft {
  readonly record: ContainerRecord;
  readonly texts: Readonly<Record<ContainerTextFile, string>>;
  /** Files that its spec holds, by their number. */
  readonly contents: ReadonlyMap<number, string>;
}

/**
 * Writes the directory of a new container. Returns the files in it that have to survive a power loss.
 * @throws TsdError TSD_DISK_FULL, TSD_SYSCALL; then nothing is left.
 */
export function writeContainer(directory: string, { record, texts, contents }: ContainerDraft, step: string): string[] {
  const durable = {
    [CONFIG_FILE]: encodeConfig(record),
    [HOST_CONFIG_FILE]: encodeHostConfig(record),
  };
  const write = (name: string, text: string, mode: number): void =>
    writeFileSync(join(directory, name), text, { mode });
  try {
    mkdirSync(directory, { mode: 0o700 });
    for (const [name, text] of Object.entries(durable)) write(name, text, FILE_MODE);
    for (const name of CONTAINER_TEXT_FILES) write(name, texts[name], TEXT_FILE_MODE);
    for (const [index, text] of contents) write(contentName(index), text, CONTENT_FILE_MODE);
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw toStateError(error, step);
  }
  return [...Object.keys(durable), ...[...contents.keys()].map(contentName)].map((name) => join(directory, name));
}
