/** Preconditions of a start, checked before anything is opened, and the start parameters. */
import { type Stats, statSync } from 'node:fs';
import { release } from 'node:os';
import { VERSION } from '../api/version.ts';
import type { InfoView } from '../api/views/host-views.ts';
import { describeError, TsdError } from '../model/errors/errors.ts';
import { architectureProblem, kernelProblem } from '../model/host-requirements.ts';
import type { DaemonConfig } from '../settings/daemon-config.ts';
import type { StateIssue } from '../state/files/state-file.ts';

export function requireRoot(): void {
  const uid = process.geteuid?.();
  if (uid !== 0) throw new TsdError('TSD_NOT_ROOT', `The supervisor needs to be run as root, not as uid ${uid}`);
}

/** @throws TSD_UNSUPPORTED_HOST where containers could not be started at all. */
export function requireHost(kernel = release(), architecture = process.arch): void {
  const problem = architectureProblem(architecture) ?? kernelProblem(kernel);
  if (problem) throw new TsdError('TSD_UNSUPPORTED_HOST', problem.what, { step: 'start', hint: problem.fix });
}

/** @throws TSD_FLAG for manifests that can never be read there. A directory that is missing may come later. */
export function requireDirectory(path: string): void {
  const step = '--manifests';
  let found: Stats | undefined;
  try {
    found = statSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    const { message } = cause as Error;
    const hint = `\`namei -l ${path}\` shows what is on the way to it.`;
    throw new TsdError('TSD_FLAG', `cannot look at ${path}: ${message}`, { step, hint, cause });
  }
  if (found?.isDirectory() !== false) return;
  throw new TsdError('TSD_FLAG', `${path} is not a directory`, {
    step,
    hint: 'Name the directory that holds the manifests; a single one is handed over with `tsdocker apply -f`.',
  });
}

/** The start parameters of a supervisor that `info` prints. */
export function daemonFacts(
  config: DaemonConfig,
  id: string,
  issues: readonly StateIssue[],
): Pick<InfoView, 'id' | 'version' | 'manifests' | 'socket' | 'defaultBridge' | 'labels' | 'warnings'> {
  return {
    id,
    version: VERSION,
    manifests: config.manifests,
    socket: config.hosts.join(', '),
    defaultBridge: config.disableNetwork ? 'none' : (config.bridge ?? config.defaultBridge),
    labels: config.label,
    warnings: issues.map(({ error }) => describeError(error)),
  };
}
