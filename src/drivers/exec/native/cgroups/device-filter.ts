/**
 * Which devices a container may create, read and write, as a BPF program on its group in the unified hierarchy. That
 * works beside cgroup v1 as well, and unlike its devices controller costs nothing when a process enters the group.
 */
import { closeSync } from 'node:fs';
import { attachDeviceProgram, loadDeviceProgram } from '../../../../ffi/bpf.ts';

/** `major` and `minor` null: any. `access` is made of r, w and m (mknod). */
export interface DeviceRule {
  readonly type: 'c' | 'b';
  readonly major: number | null;
  readonly minor: number | null;
  readonly access: string;
}

/** `all` for privileged containers. */
export type DevicePolicy = 'all' | readonly DeviceRule[];

/** include/uapi/linux/bpf.h: BPF_DEVCG_DEV_*, BPF_DEVCG_ACC_* */
const DEVICE_TYPE = { b: 1, c: 2 } as const;
const ACCESS = { m: 1, r: 2, w: 4 } as const;
const ALL_ACCESS = 7;

/** Instruction classes as in include/uapi/linux/bpf.h, combined: BPF_LDX|BPF_W|BPF_MEM and so on. */
const OP = {
  loadWord: 0x61,
  andImmediate: 0x57,
  shiftRight: 0x77,
  move: 0xbf,
  set: 0xb7,
  jumpUnlessEqual: 0x55,
  exit: 0x95,
};
const RESULT = 0;
const CONTEXT = 1;
const TYPE = 2;
const ACCESS_WANTED = 3;
const MAJOR = 4;
const MINOR = 5;

interface Instruction {
  readonly code: number;
  readonly target: number;
  readonly source?: number;
  readonly offset?: number;
  readonly immediate?: number;
}

function ruleInstructions(rule: DeviceRule): Instruction[] {
  const allowed = [...rule.access].reduce((mask, letter) => mask | (ACCESS[letter as keyof typeof ACCESS] ?? 0), 0);
  const checks: Instruction[] = [
    { code: OP.jumpUnlessEqual, target: TYPE, immediate: DEVICE_TYPE[rule.type] },
    { code: OP.move, target: CONTEXT, source: ACCESS_WANTED },
    { code: OP.andImmediate, target: CONTEXT, immediate: ALL_ACCESS & ~allowed },
    { code: OP.jumpUnlessEqual, target: CONTEXT, immediate: 0 },
  ];
  if (rule.major !== null) checks.push({ code: OP.jumpUnlessEqual, target: MAJOR, immediate: rule.major });
  if (rule.minor !== null) checks.push({ code: OP.jumpUnlessEqual, target: MINOR, immediate: rule.minor });
  checks.push({ code: OP.set, target: RESULT, immediate: 1 }, { code: OP.exit, target: 0 });
  // A failed check jumps behind the rule's last instruction.
  return checks.map((check, index) =>
    check.code === OP.jumpUnlessEqual ? { ...check, offset: checks.length - 1 - index } : check,
  );
}

/** The filter's machine code: allow when one rule matches, else deny. @internal */
export function deviceFilterCode(rules: readonly DeviceRule[]): Buffer {
  const instructions: Instruction[] = [
    // struct bpf_cgroup_dev_ctx { u32 access_type; u32 major; u32 minor; }; access_type is access << 16 | type.
    { code: OP.loadWord, target: TYPE, source: CONTEXT, offset: 0 },
    { code: OP.loadWord, target: MAJOR, source: CONTEXT, offset: 4 },
    { code: OP.loadWord, target: MINOR, source: CONTEXT, offset: 8 },
    { code: OP.move, target: ACCESS_WANTED, source: TYPE },
    { code: OP.shiftRight, target: ACCESS_WANTED, immediate: 16 },
    { code: OP.andImmediate, target: TYPE, immediate: 0xffff },
    ...rules.flatMap(ruleInstructions),
    { code: OP.set, target: RESULT, immediate: 0 },
    { code: OP.exit, target: 0 },
  ];
  const out = Buffer.alloc(instructions.length * 8);
  instructions.forEach(({ code, target, source = 0, offset = 0, immediate = 0 }, index) => {
    out.writeUInt8(code, index * 8);
    out.writeUInt8(target | (source << 4), index * 8 + 1);
    out.writeInt16LE(offset, index * 8 + 2);
    out.writeInt32LE(immediate, index * 8 + 4);
  });
  return out;
}

/** Puts device filters on groups; keeps the program that most containers share. */
export class DeviceFilters {
  readonly #shared: readonly DeviceRule[];
  #sharedFd: number | null = null;

  /** @param shared the rules most containers have, compared by identity. */
  constructor(shared: readonly DeviceRule[]) {
    this.#shared = shared;
  }

  /** @throws TsdError with errno. */
  apply(cgroupFd: number, policy: DevicePolicy): void {
    if (policy === 'all') return;
    if (policy === this.#shared) {
      this.#sharedFd ??= loadDeviceProgram(deviceFilterCode(policy));
      attachDeviceProgram(this.#sharedFd, cgroupFd);
      return;
    }
    const fd = loadDeviceProgram(deviceFilterCode(policy));
    try {
      attachDeviceProgram(fd, cgroupFd);
    } finally {
      closeSync(fd);
    }
  }
}
