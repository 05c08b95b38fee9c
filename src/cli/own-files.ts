/** Judges the files that a command hands over: whose they are, and who else may write to them. */
import { statSync } from 'node:fs';
import { groupId } from '../api/group-id.ts';
import { callerGate, forCaller, forHost, type Wording } from '../manifest/caller-files.ts';
import type { Doubt } from '../model/trust.ts';
import type { CliContext } from './context.ts';
import { paint, printable } from './output/text.ts';

function socketGroup(host: string): number | null {
  const path = host.startsWith('unix://') ? host.slice('unix://'.length) : null;
  return path === null ? null : (statSync(path, { throwIfNoEntry: false })?.gid ?? null);
}

function gateOf(context: CliContext, socketGroup: number | null, wording: Wording): ReturnType<typeof callerGate> {
  const { streams } = context;
  const caller = { uid: process.geteuid?.() ?? 0, sudoUid: streams.env.SUDO_UID, socketGroup };
  const warn = ({ message, command }: Doubt): void => {
    const label = paint(streams, streams.stderr, 'yellow', 'warning:');
    context.warn(`${label} ${printable(`${message}, who can change the input: ${command}`)}`);
  };
  return callerGate(caller, warn, wording);
}

export const ownFiles = (context: CliContext): ReturnType<typeof callerGate> =>
  gateOf(context, socketGroup(context.host), forCaller);

/** For the settings of a supervisor that is started. @param group of its socket */
export const ownSettings = (context: CliContext, group: string): ReturnType<typeof callerGate> =>
  gateOf(context, groupId(group), forHost);
