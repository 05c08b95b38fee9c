/** Files that a person passes to a command: files of other users could contain unwanted declarations. */
import { closeSync, readFileSync, statSync } from 'node:fs';
import { createGate, type Gate, type JudgedPath, readJudged, untrusted } from '../ffi/files/gate.ts';
import type { Doubt, Refusal } from '../model/trust.ts';

export interface Caller {
  /** Effective user of the command. */
  readonly uid: number;
  /** Of root's command: who called it by sudo. */
  readonly sudoUid: string | undefined;
  /** Group of the supervisor's socket, whose members may command anyway. */
  readonly socketGroup: number | null;
}

/** The message of a refusal for the user `uid`. */
export type Wording = (refusal: Refusal, judged: JudgedPath, uid: number) => Refusal;

const refuses = ({ about }: Doubt): boolean => about !== 'group';

/**
 * What is refused for its owner alone is well where that person has it: `chown` would take a home directory away. Root of
 * its own shell has nothing that says for whom it acts, as SUDO_UID does.
 */
export const forCaller: Wording = (refusal, { doubts, components }, uid) => {
  if (doubts.filter(refuses).some(({ about }) => about !== 'owner')) return refusal;
  const [owner, ...others] = new Set(components.map((component) => component.uid).filter((one) => one !== 0));
  if (uid !== 0 || owner === undefined || others.length > 0) {
    return { ...refusal, hint: 'Copy it to a directory of your own.' };
  }
  const hint = `Where you mean what uid ${owner} wrote, put \`SUDO_UID=${owner}\` before the command, as sudo does; else copy it to a directory of your own.`;
  return { ...refusal, hint };
};

/** For files that belong to the host whoever starts it. */
export const forHost: Wording = (refusal) => refusal;

/** @param onWarning called for each path that members of a group may write to */
export function callerGate(
  { uid, sudoUid, socketGroup }: Caller,
  onWarning: (doubt: Doubt) => void,
  wording: Wording = forCaller,
): Gate {
  const sudo = uid === 0 && sudoUid !== undefined && /^\d{1,10}$/.test(sudoUid) ? [Number(sudoUid)] : [];
  const trusted = { users: [0, uid, ...sudo], groups: socketGroup === null ? [0] : [0, socketGroup] };
  const warned = new Set<string>();
  const gate = createGate({ trusted, refuses });
  return (path) => {
    const judged = gate(path);
    if (judged.refusal !== null) return { ...judged, refusal: wording(judged.refusal, judged, uid) };
    for (const doubt of judged.doubts) {
      if (!warned.has(doubt.path)) onWarning(doubt);
      warned.add(doubt.path);
    }
    return judged;
  };
}

/** The text of what a path leads to; a pipe is the caller's own. @throws TSD_UNTRUSTED, the error of open(2) */
export function readOfCaller(path: string, gate: Gate): string {
  return statSync(path).isFile() ? readJudged(path, gate) : readFileSync(path, 'utf8');
}

/** Checks files that another process will read; that process reports missing ones. @throws TSD_UNTRUSTED */
export function requireOfCaller(path: string, gate: Gate): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined || !(found.isFile() || found.isDirectory())) return;
  const { fd, refusal } = gate(path);
  closeSync(fd);
  if (refusal !== null) throw untrusted(refusal);
}
