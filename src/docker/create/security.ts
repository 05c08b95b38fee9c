/** What a container may do: capabilities, filters, devices. What is not enforced is refused. */
import { loadProfile } from '../../manifest/seccomp-profile.ts';
import { CAPABILITIES } from '../../model/capabilities.ts';
import type { HostConfigBody } from './container-body.ts';
import { refuse, type Section } from './context.ts';

const ALL = 'ALL';

type Written = Readonly<Record<string, unknown>>;

interface Capabilities {
  readonly add?: readonly string[];
  readonly drop?: readonly string[];
}

function noFile(): never {
  throw new RangeError('a profile in line is in no file');
}

function capabilityNames(names: readonly string[], list: 'CapAdd' | 'CapDrop'): readonly string[] {
  return names.map((written) => {
    const name = written.trim().toUpperCase().replace(/^CAP_/, '');
    if (name !== ALL && !CAPABILITIES.some((known) => known === name))
      refuse(`invalid ${list}: unknown capability: "CAP_${name}"`);
    return name;
  });
}

/** Docker adds what is in both lists, unless all are added; here what is dropped is not there. */
function capabilities({ CapAdd, CapDrop }: HostConfigBody): { readonly capabilities?: Capabilities } {
  const add = capabilityNames(CapAdd, 'CapAdd');
  const named = capabilityNames(CapDrop, 'CapDrop');
  const drop = add.includes(ALL) ? named : named.filter((name) => !add.includes(name));
  // `ALL` in both: Docker drops what is named beside it only.
  const kept = add.includes(ALL) ? drop.filter((name) => name !== ALL) : drop;
  if (add.length === 0 && kept.length === 0) return {};
  return { capabilities: { ...(add.length > 0 && { add }), ...(kept.length > 0 && { drop: kept }) } };
}

/** `label=disable`, `seccomp:unconfined`: both signs are in use. */
function splitOption(option: string): readonly [string, string | null] {
  const at = option.search(/[=:]/);
  return at === -1 ? [option, null] : [option.slice(0, at), option.slice(at + 1)];
}

/** Clients send the profile itself. A path would be one of this host, which no client of Docker means. */
function seccomp(value: string, body: HostConfigBody): Written {
  if (value === 'unconfined') return { seccomp: 'unconfined' };
  if (value === 'builtin' || value === 'default') return {};
  const profile = value.trim();
  if (!profile.startsWith('{')) refuse(`Decoding seccomp profile failed: ${value} is not a profile`);
  const { add = [], drop = [] } = capabilities(body).capabilities ?? {};
  const subject = { seccomp: profile, capabilities: { add: [...add], drop: [...drop] }, privileged: body.Privileged };
  const [problem] = loadProfile(subject, noFile).problems;
  if (problem !== undefined) refuse(`Decoding seccomp profile failed: ${problem.message}`);
  return { seccomp: profile };
}

function securityOption(option: string, body: HostConfigBody): Written {
  const [name, value] = splitOption(option);
  if (name === 'no-new-privileges') {
    if (value === null || /^(1|t|true)$/i.test(value)) return { noNewPrivileges: true };
    if (/^(0|f|false)$/i.test(value)) return {};
  }
  if (name === 'seccomp' && value !== null) return seccomp(value, body);
  if (name === 'apparmor' && value !== null) {
    if (value === 'unconfined') return {};
    return refuse(`apparmor=${value}: AppArmor profiles are not supported`);
  }
  if (name === 'label' && value !== null) {
    if (value === 'disable') return {};
    return refuse(`label=${value}: SELinux labels are not supported`);
  }
  return refuse(`invalid --security-opt: ${JSON.stringify(option)}`);
}

/** What a container does not see or cannot write, in Docker (oci/defaults.go) and here: no client can choose others. */
const MASKED = [
  ...[
    'asound',
    'acpi',
    'interrupts',
    'kcore',
    'keys',
    'latency_stats',
    'timer_list',
    'timer_stats',
    'sched_debug',
    'scsi',
  ].map((name) => `/proc/${name}`),
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const READ_ONLY = ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'].map((name) => `/proc/${name}`);

function checkPaths(asked: readonly string[] | null, own: readonly string[], name: string): void {
  if (asked === null) return;
  if (asked.length === 0) refuse('systempaths=unconfined is not supported; --privileged shows all of /proc and /sys');
  const other = asked.find((path) => !own.includes(path));
  if (other !== undefined) refuse(`${name}: ${other} is not supported; mount something else over it`);
}

function devices(list: HostConfigBody['Devices']): readonly string[] {
  return list.map(({ PathOnHost, PathInContainer, CgroupPermissions }) => {
    const inside = PathInContainer === '' ? PathOnHost : PathInContainer;
    const permissions = CgroupPermissions === '' ? 'rwm' : CgroupPermissions;
    if (!PathOnHost.startsWith('/') || !inside.startsWith('/') || `${PathOnHost}${inside}`.includes(':'))
      refuse(`error gathering device information while adding custom device ${JSON.stringify(PathOnHost)}`);
    if (!/^[rwm]+$/.test(permissions)) refuse(`invalid device permissions: ${permissions}`);
    return `${PathOnHost}:${inside}:${[...new Set(permissions)].join('')}`;
  });
}

function refuseForeign(body: HostConfigBody): void {
  if (!['', 'runc'].includes(body.Runtime)) refuse(`unknown or invalid runtime name: ${body.Runtime}`);
  if (!['', 'default'].includes(body.Isolation))
    refuse(`Invalid isolation: "${body.Isolation}" - linux only supports 'default'`);
  if (Object.keys(body.StorageOpt).length > 0)
    refuse('--storage-opt is not supported: the size of a root is not limited');
  if ('' in body.Annotations) refuse('invalid Annotations: the empty string is not permitted as an annotation key');
  if (body.Privileged) return;
  checkPaths(body.MaskedPaths, MASKED, 'MaskedPaths');
  checkPaths(body.ReadonlyPaths, READ_ONLY, 'ReadonlyPaths');
}

/** Of what is shared or not there the size says nothing. */
const hasOwnShm = ({ IpcMode }: HostConfigBody): boolean => ['', 'private', 'shareable'].includes(IpcMode);

export function securitySection(body: HostConfigBody): Section {
  refuseForeign(body);
  if (body.OomScoreAdj < -1000 || body.OomScoreAdj > 1000)
    refuse(`Invalid value ${body.OomScoreAdj}, range for oom score adj is [-1000, 1000]`);
  if (body.ShmSize < 0) refuse('SHM size can not be less than 0');
  const nodes = devices(body.Devices);
  return {
    written: {
      ...capabilities(body),
      ...(body.Privileged && { privileged: true }),
      ...(body.ReadonlyRootfs && { readOnly: true }),
      ...(nodes.length > 0 && { devices: nodes }),
      ...(body.GroupAdd.length > 0 && { groups: body.GroupAdd }),
      ...(body.ShmSize > 0 && hasOwnShm(body) && { shmSize: body.ShmSize }),
      ...(body.OomScoreAdj !== 0 && { oomScoreAdj: body.OomScoreAdj }),
      ...(Object.keys(body.Sysctls).length > 0 && { sysctls: body.Sysctls }),
      ...Object.fromEntries(body.SecurityOpt.flatMap((option) => Object.entries(securityOption(option, body)))),
    },
  };
}
