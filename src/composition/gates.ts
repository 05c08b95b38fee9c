/** Whose files a supervisor obeys: root's, its own user's, and what the group of its socket may write to. */

import { type Dirent, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { groupId } from '../api/group-id.ts';
import { namesWriters } from '../ffi/files/access-list.ts';
import { createGate, doubtsNow, type Gate, refusedNow } from '../ffi/files/gate.ts';
import type { Refusal } from '../model/trust.ts';
import type { DaemonConfig } from '../settings/daemon-config.ts';
import type { StateRoot } from '../state/root.ts';
import { CERTIFICATE_DIRECTORIES, DEFAULT_TRUST_POLICY } from './registries.ts';

export interface Gates {
  /** What the supervisor obeys without being asked: its directory, manifests, certificates, policy. */
  readonly own: Gate;
  /** Files that an applied manifest names: chosen by the one who applied it, with any owner. */
  readonly applied: Gate;
}

/** Returns the group whose members can connect to the socket, and so may give every command; null for none. */
function socketGroup({ hosts, group, runDir }: Pick<DaemonConfig, 'hosts' | 'group' | 'runDir'>): number | null {
  if (hosts.some((host) => host.startsWith('unix://'))) return groupId(group);
  // Made by the service manager, with the group of its unit.
  return statSync(join(runDir, 'tsdocker.sock'), { throwIfNoEntry: false })?.gid ?? null;
}

export function createGates(config: Pick<DaemonConfig, 'hosts' | 'group' | 'runDir'>): Gates {
  const group = socketGroup(config);
  const groups = group === null ? [0] : [0, group];
  const users = [...new Set([0, process.geteuid?.() ?? 0])];
  return {
    own: createGate({ trusted: { users, groups }, hasAcl: namesWriters }),
    applied: createGate({ trusted: { users: null, groups }, refuses: ({ about }) => about === 'everybody' }),
  };
}

/** Files that were refused at the last look, by path. */
export class RefusedFiles {
  readonly #refused = new Map<string, Refusal>();
  readonly #onRefused: (refusal: Refusal) => void;

  /** @param onRefused called once for each refusal, and again when it is another one */
  constructor(onRefused: (refusal: Refusal) => void) {
    this.#onRefused = onRefused;
  }

  get(path: string): Refusal | undefined {
    return this.#refused.get(path);
  }

  /** The gate, with what it refuses kept. */
  watched(gate: Gate): Gate {
    return (path) => {
      const judged = gate(path);
      const { refusal } = judged;
      const before = this.#refused.get(path);
      if (refusal === null) this.#refused.delete(path);
      else {
        this.#refused.set(path, refusal);
        if (before?.message !== refusal.message) this.#onRefused(refusal);
      }
      return judged;
    };
  }
}

/** Paths beside the manifests that are obeyed, or whose owner could replace what is, and that are refused now. */
export function refusedPaths(
  { trustPolicy, trustKey }: Pick<DaemonConfig, 'trustPolicy' | 'trustKey'>,
  { root, runDir }: Pick<StateRoot, 'root' | 'runDir'>,
  { own }: Gates,
): readonly Refusal[] {
  const given = [trustPolicy ?? DEFAULT_TRUST_POLICY, ...(trustKey === null ? [] : [trustKey])];
  const certificates = CERTIFICATE_DIRECTORIES.flatMap((directory) => [directory, ...filesBelow(directory)]);
  return [root, runDir, ...given, ...certificates].flatMap((path) => refusedNow(path, own) ?? []);
}

/** Warnings about the settings: they are used, since the starter chose them, although group members may write to them. */
export function doubtedSettings({ configFile }: Pick<DaemonConfig, 'configFile'>, { own }: Gates): readonly Refusal[] {
  // Any user may write to it, and nothing is read from it.
  if (configFile === '/dev/null') return [];
  return doubtsNow(configFile, own).map(({ message, command }) => {
    return { message: `${message}, who can change the settings of the supervisor`, hint: `Run \`${command}\`.` };
  });
}

/** Directories of registries, and the files in them. */
function filesBelow(directory: string): string[] {
  const listed = (path: string): Dirent[] => {
    try {
      return readdirSync(path, { withFileTypes: true });
    } catch {
      // Not there, or no directory; one that cannot be read is refused by its own path.
      return [];
    }
  };
  return listed(directory).flatMap(({ name }) => {
    const path = join(directory, name);
    return [path, ...listed(path).map((file) => join(path, file.name))];
  });
}
