/** What this host can and cannot do, as checks with the fix; works without a running supervisor. */
import { existsSync, statfsSync } from 'node:fs';
import { release } from 'node:os';
import { dirname } from 'node:path';
import type { DoctorCheck } from '../../api/views/host-views.ts';
import type { Driver } from '../../drivers/contract/driver.ts';
import type { NetworkDriver } from '../../drivers/contract/network.ts';
import type { Sysinfo } from '../../ffi/host/sysinfo.ts';
import { architectureProblem, kernelProblem } from '../../model/host-requirements.ts';
import type { HostFamilies } from '../../reconcile/ops/networks/network-families.ts';
import { isInMemory } from '../../state/root.ts';
import { LATELY_MS, type LoopPause, type LoopPausesView } from '../loop-pauses.ts';
import type { SharingContainer } from '../views/shared-groups.ts';
import type { UnfilteredRun } from '../views/unfiltered.ts';
import { type EarlierNetwork, earlierNetworksCheck } from './earlier-networks.ts';
import { type StateFacts, stateChecks } from './state-checks.ts';

const LOW_SPACE_BYTES = 1024 ** 3;

function check(name: string, works: boolean, message: string, fix: string): DoctorCheck {
  return { name, status: works ? 'ok' : 'failed', message, fix: works ? null : fix };
}

function nearestExisting(path: string): string {
  return existsSync(path) ? path : nearestExisting(dirname(path));
}

function hostCheck(name: string, is: string, problem: ReturnType<typeof kernelProblem>): DoctorCheck {
  return check(name, problem === null, problem?.what ?? is, problem?.fix ?? '');
}

function spaceCheck(root: string): DoctorCheck {
  const { bavail, bsize, ffree } = statfsSync(nearestExisting(root));
  const free = bavail * bsize;
  const message = `${(free / 1024 ** 3).toFixed(1)} GiB and ${ffree} inodes free for ${root}`;
  if (free >= LOW_SPACE_BYTES && ffree > 10_000) return check('disk space', true, message, '');
  return { name: 'disk space', status: 'warning', message, fix: 'Free space, or move the root with --root.' };
}

function cgroupCheck({ cgroupVersion, unified }: Sysinfo): DoctorCheck {
  const name = 'cgroups';
  const version = cgroupVersion === null ? 'none mounted' : `version ${cgroupVersion}`;
  const message = cgroupVersion === 1 && unified ? `${version} with the unified hierarchy beside` : version;
  const fix = 'Mount the cgroup filesystem: mount -t cgroup2 none /sys/fs/cgroup';
  return check(name, cgroupVersion !== null, message, fix);
}

/** @param supervisor null without one: its flags are not known then */
function forwardingCheck(sysinfo: Sysinfo, supervisor: DoctorFacts | null): DoctorCheck {
  const name = 'forwarding';
  const { ipv4 } = sysinfo.forwarding();
  if (ipv4 === true) return check(name, true, 'net.ipv4.ip_forward is on', '');
  if (ipv4 === null) {
    const message = 'net.ipv4.ip_forward cannot be read: whether containers reach other hosts is not known';
    return { name, status: 'warning', message, fix: 'Run `sysctl net.ipv4.ip_forward` as root to see why.' };
  }
  if (supervisor?.ipForward === false) {
    return {
      name,
      status: 'warning',
      message:
        'net.ipv4.ip_forward is off and left so (--ip-forward=false): containers do not reach other hosts, other hosts do not ' +
        'reach published ports, and containers of different networks not each other; this host reaches them all',
      fix: 'sysctl -w net.ipv4.ip_forward=1, or leave --ip-forward=false out.',
    };
  }
  return {
    name,
    status: 'warning',
    message:
      'net.ipv4.ip_forward is off; the supervisor turns it on, and the host then routes between its other interfaces too',
    fix: 'Where it must not, drop that in the forward chain first (docs/security.md), or start it with --ip-forward=false.',
  };
}

/** A host without IPv6 is in order. */
function newNetworksCheck({ ipv6, lacking }: HostFamilies): DoctorCheck {
  const without = lacking === null ? 'IPv4 (--ipv6=false)' : `IPv4, without IPv6: ${lacking}`;
  return check('new networks', true, `those that do not say have ${ipv6 ? 'IPv4 and IPv6' : without}`, '');
}

/** Containers of the default network where that is switched off. */
function cutOffCheck(cutOff: readonly CutOff[]): DoctorCheck {
  const name = 'default network';
  const message = 'it is switched off (-b none): containers without a network of their own have loopback only';
  const unheard = cutOff.filter(({ ports }) => ports > 0).map((container) => container.name);
  if (unheard.length === 0) return check(name, true, message, '');
  return {
    name,
    status: 'warning',
    message: `${message}; published ports lead nowhere: ${unheard.join(', ')}`,
    fix: 'Declare a network and put them on it, or start the supervisor without -b none.',
  };
}

function runDirCheck(runDir: string): DoctorCheck {
  const name = 'run directory';
  if (isInMemory(runDir)) return check(name, true, `${runDir} is in memory`, '');
  return {
    name,
    status: 'warning',
    message: `${runDir} is on a disk: secrets are written to it, and what clears disks away takes the sockets of containers`,
    fix: 'Give --run-dir a directory on a tmpfs, such as one below /run.',
  };
}

function sharedGroupsCheck(sharing: readonly SharingContainer[]): DoctorCheck {
  const name = 'control groups';
  if (sharing.length === 0) return check(name, true, 'every container that runs is in groups of its own', '');
  const found = sharing.map((container) => `${container.name} (${container.hierarchies.join(', ')})`);
  return {
    name,
    status: 'warning',
    message: `containers in groups of the host: ${found.join('; ')}`,
    fix: `The next run of those that an earlier version started has groups of its own: tsdocker restart ${sharing.map((container) => container.name).join(' ')}. Of the others, the line of the driver names the hierarchies that this host gives no group in.`,
  };
}

function filterCheck(runs: readonly UnfilteredRun[]): DoctorCheck {
  const name = 'seccomp';
  if (runs.length === 0) return check(name, true, 'every container that runs has a filter of system calls', '');
  const message = `runs without a filter of system calls: ${runs.map((run) => `${run.name} (${run.why})`).join(', ')}`;
  const old = runs.filter((run) => run.old).map((run) => run.name);
  if (old.length > 0) {
    return { name, status: 'warning', message, fix: `Their next run has one: tsdocker restart ${old.join(' ')}` };
  }
  return check(name, true, message, '');
}

/** Those that are without need nothing of the host. */
export const hasNetworks = ({ connections }: NetworkDriver): boolean => connections !== null;

/** @param family drivers of which one that works is enough. */
function driverChecks(family: readonly Driver[]): DoctorCheck[] {
  const found = family.map((driver) => ({ driver, fingerprint: driver.fingerprint() }));
  const enough = found.some(({ fingerprint }) => fingerprint.works);
  return found.flatMap(({ driver, fingerprint }): DoctorCheck[] => {
    const { problems, attributes } = fingerprint;
    const facts = Object.entries(attributes)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ');
    const name = `driver ${driver.name}`;
    if (problems.length === 0) return [{ name, status: 'ok', message: facts === '' ? 'works' : facts, fix: null }];
    return problems.map(({ what, fix }) => ({
      name,
      status: enough ? ('warning' as const) : ('failed' as const),
      message: what,
      fix,
    }));
  });
}

/** A pause after which people think that the supervisor hangs. */
const LONG_PAUSE_MS = 1_000;

function pauseText({ ms, during }: LoopPause): string {
  const what = during.length === 0 ? '' : ` (${during.join(', ')})`;
  return `${Math.round(ms)} ms${ms === 0 ? '' : what}`;
}

function loopCheck({ longest, lately }: LoopPausesView): DoctorCheck {
  const name = 'event loop';
  const minutes = LATELY_MS / 60_000;
  const message = `its longest pause is ${pauseText(longest)} since the start, ${pauseText(lately)} in the last ${minutes} minutes`;
  if (lately.ms < LONG_PAUSE_MS) return check(name, true, message, '');
  return {
    name,
    status: 'warning',
    message: `${message}; meanwhile nothing was answered or restarted`,
    fix: 'Make smaller what ran then, or give the host more processor time: `tsdocker events` shows what was done, `top` who else computes.',
  };
}

export interface CutOff {
  readonly name: string;
  /** How many ports it publishes. */
  readonly ports: number;
}

/** Of the supervisor that asks. */
export interface DoctorFacts {
  readonly runDir: string;
  readonly ipForward: boolean;
  /** Null where there is, or should be, a default network. */
  readonly cutOff: readonly CutOff[] | null;
  /** What networks get that leave IPv6 open. */
  readonly newNetworks: HostFamilies;
  readonly earlierNetworks: readonly EarlierNetwork[];
  /** Containers that run in control groups of the host. */
  readonly sharing: readonly SharingContainer[];
  readonly state: StateFacts;
  readonly unfiltered: readonly UnfilteredRun[];
  readonly pauses: LoopPausesView;
}

/**
 * @param families drivers by what they are for; of each family one has to work
 * @param supervisor null for none
 */
export function runDoctor(
  root: string,
  sysinfo: Sysinfo,
  families: readonly (readonly Driver[])[],
  supervisor: DoctorFacts | null = null,
): readonly DoctorCheck[] {
  const isRoot = process.geteuid?.() === 0;
  const host = [
    check(
      'root',
      isRoot,
      isRoot ? 'running as root' : `running as uid ${process.geteuid?.()}`,
      'Run it as root, for example with sudo.',
    ),
    hostCheck('kernel', `Linux ${release()}`, kernelProblem(release())),
    hostCheck('architecture', process.arch, architectureProblem(process.arch)),
    cgroupCheck(sysinfo),
    forwardingCheck(sysinfo, supervisor),
    ...(supervisor?.cutOff ? [cutOffCheck(supervisor.cutOff)] : []),
    spaceCheck(root),
    ...(supervisor === null
      ? []
      : [
          runDirCheck(supervisor.runDir),
          newNetworksCheck(supervisor.newNetworks),
          earlierNetworksCheck(supervisor.earlierNetworks),
          sharedGroupsCheck(supervisor.sharing),
          filterCheck(supervisor.unfiltered),
          ...stateChecks(supervisor.state),
          loopCheck(supervisor.pauses),
        ]),
  ];
  return isRoot ? [...host, ...families.flatMap(driverChecks)] : host;
}
