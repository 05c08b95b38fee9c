/** The filter of system calls that a run gets. Filters are few and large: each is made once and kept. */
import { createHash } from 'node:crypto';
import { release } from 'node:os';
import { CAPABILITIES } from '../../../../model/capabilities.ts';
import { TsdError } from '../../../../model/errors/errors.ts';
import { machineOf } from '../../../../model/seccomp/architectures.ts';
import { DEFAULT_PROFILE } from '../../../../model/seccomp/default-profile.ts';
import { compileFilter } from '../../../../model/seccomp/filter.ts';
import { loadFlags, profileSchema, type SeccompProfile } from '../../../../model/seccomp/profile.ts';
import { missingCalls } from '../../../../model/seccomp/required-calls.ts';
import { rulesOf } from '../../../../model/seccomp/rules.ts';
import type { TaskSpec } from '../../../contract/exec.ts';

/** What seccomp(2) takes. */
export interface LoadedFilter {
  /** Array of struct sock_filter. */
  readonly program: Buffer;
  readonly flags: number;
}

/** More profiles and sets of capabilities than a host has apps that differ in them. */
const MAX_KEPT = 256;
const kept = new Map<string, LoadedFilter>();

/** Of `6.12.41-amd64`. What cannot be read counts as the oldest. */
function kernelVersion(): readonly [major: number, minor: number] {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release()) ?? [];
  return [Number(major ?? 0), Number(minor ?? 0)];
}

let standard: SeccompProfile | undefined;

function defaultProfile(): SeccompProfile {
  standard ??= profileSchema.parse(DEFAULT_PROFILE);
  return standard;
}

function refused(message: string): TsdError {
  return new TsdError('TSD_CONTAINER_SETUP', `seccomp: ${message}`, {
    class: 'invalid',
    step: 'make the seccomp filter',
    hint: 'Correct the profile that the manifest names under seccomp.',
  });
}

function compile(profile: SeccompProfile, capabilities: bigint): LoadedFilter {
  const machine = machineOf(process.arch);
  if (machine === null) {
    throw new TsdError('TSD_UNSUPPORTED_HOST', `there is no table of system calls of ${process.arch}`);
  }
  const held = CAPABILITIES.filter((_, number) => (capabilities >> BigInt(number)) & 1n);
  const context = { machine, capabilities: new Set<string>(held), kernel: kernelVersion() };
  const missing = missingCalls(profile, context);
  if (missing.length > 0) throw refused(`no container can start without ${missing.join(', ')}`);
  try {
    return { program: compileFilter(rulesOf(profile, context)), flags: loadFlags(profile) };
  } catch (cause) {
    throw cause instanceof RangeError ? refused(cause.message) : cause;
  }
}

/** @param capabilities mask of those that the run may ever have. @returns null for one without a filter. */
export function filterOf(
  { seccomp, privileged }: Pick<TaskSpec, 'seccomp' | 'privileged'>,
  capabilities: bigint,
): LoadedFilter | null {
  if (seccomp === 'unconfined' || (seccomp === undefined && privileged)) return null;
  const profile = seccomp ?? 'default';
  const hash = createHash('sha256').update(JSON.stringify([profile, capabilities.toString(16)]));
  const key = hash.digest('hex');
  const known = kept.get(key);
  if (known !== undefined) return known;
  const made = compile(profile === 'default' ? defaultProfile() : profile, capabilities);
  if (kept.size >= MAX_KEPT) kept.clear();
  kept.set(key, made);
  return made;
}
