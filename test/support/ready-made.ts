/** The ready-made manifests in a supervisor of a test. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { TestSupervisor } from './supervisor.ts';
import { until } from './wait.ts';

const MANIFESTS = resolve(import.meta.dirname, '../../manifests');

/** Images that the manifests of these files name. */
export function imagesOf(files: readonly string[]): readonly string[] {
  const texts = files.map((file) => readFileSync(join(MANIFESTS, file), 'utf8'));
  const images = texts.flatMap((text) => [...text.matchAll(/^ +image: (\S+)$/gm)].map(([, image = '']) => image));
  return [...new Set(images)].sort();
}

/** Copies all manifests into a new directory, with these secrets, whose values it gives. */
export function placeManifests(directory: string, names: readonly string[]): Record<string, string> {
  cpSync(MANIFESTS, directory, { recursive: true });
  mkdirSync(join(directory, 'secrets'), { mode: 0o700 });
  // With a letter first, as NATS needs it.
  const secrets = Object.fromEntries(names.map((name) => [name, `t${randomBytes(24).toString('hex')}`]));
  for (const [name, value] of Object.entries(secrets)) writeFileSync(join(directory, 'secrets', name), `${value}\n`);
  return secrets;
}

/** Applies files and waits until all is ready; what the containers say is in the error. @param files `-f FILE` of each */
export async function applyAll(supervisor: TestSupervisor, files: readonly string[]): Promise<void> {
  const { status, stdout, stderr } = await supervisor.cli('apply', '--wait=2m', ...files);
  if (status === 0) return;
  const names = (await supervisor.containers()).filter(({ ready }) => !ready).map(({ app, name }) => `${app}/${name}`);
  const logs = await Promise.all(names.map((name) => supervisor.cli('logs', '--tail', '20', name)));
  const texts = names.map((name, index) => `${name}:\n${logs[index]?.stdout}${logs[index]?.stderr}`);
  throw new Error([stdout.split('\n').slice(-10).join('\n'), stderr, ...texts].join('\n'));
}

export async function request(url: string, init: RequestInit = {}): Promise<string> {
  const response = await fetch(url, { ...init, headers: { connection: 'close', ...init.headers } });
  const text = await response.text();
  if (!response.ok) throw new Error(`${init.method ?? 'GET'} ${url} answers ${response.status}: ${text}`);
  return text;
}

/** What a user keeps in one of the services. */
export interface Kept {
  readonly write: () => Promise<unknown>;
  readonly read: () => Promise<unknown>;
}

/** Pids by `app/name`, once there are so many containers: a predecessor goes a while after its successor is ready. */
export async function pidsOf(supervisor: TestSupervisor, count: number): Promise<Readonly<Record<string, number>>> {
  const containers = await until('the declared ones alone', async () => {
    const all = await supervisor.containers();
    return all.length === count ? all : null;
  });
  return Object.fromEntries(containers.map(({ app, name, pid }) => [`${app}/${name}`, pid ?? 0]));
}

/** Of the payload's process, or of the program that its init started. */
export const uidOf = (pid: number): number =>
  Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? -1);

/** Files below the root that hold one of the secrets, those in volumes apart: what programs write there is their own. */
export function filesWithSecrets(
  { root }: TestSupervisor,
  secrets: Readonly<Record<string, string>>,
): { readonly state: readonly string[]; readonly volumes: readonly string[] } {
  const patterns = Object.values(secrets).flatMap((secret) => ['-e', secret]);
  const { stdout } = spawnSync('grep', ['-rlaF', ...patterns, root], { encoding: 'utf8' });
  const found = stdout.split('\n').filter((path) => path !== '');
  const isOfVolume = (path: string): boolean => path.startsWith(join(root, 'vfs/dir/'));
  return { state: found.filter((path) => !isOfVolume(path)), volumes: found.filter(isOfVolume) };
}
