/** A seccomp profile as data: Docker's JSON and `linux.seccomp` of an OCI bundle, which have nearly one form. */
import { z } from 'zod';
import { ACTIONS, type ActionName } from './actions.ts';

/** Those of libseccomp. What this machine does not run is read and has no effect. */
const ARCHITECTURES = [
  ...['X86', 'X86_64', 'X32', 'ARM', 'AARCH64', 'MIPS', 'MIPS64', 'MIPS64N32', 'MIPSEL', 'MIPSEL64', 'MIPSEL64N32'],
  ...['PPC', 'PPC64', 'PPC64LE', 'S390', 'S390X', 'PARISC', 'PARISC64', 'RISCV64', 'LOONGARCH64', 'M68K', 'SH', 'SHEB'],
].map((name) => `SCMP_ARCH_${name}`);

const OPERATORS = {
  SCMP_CMP_NE: 'NE',
  SCMP_CMP_LT: 'LT',
  SCMP_CMP_LE: 'LE',
  SCMP_CMP_EQ: 'EQ',
  SCMP_CMP_GE: 'GE',
  SCMP_CMP_GT: 'GT',
  SCMP_CMP_MASKED_EQ: 'MASKED_EQ',
} as const;

/** include/uapi/linux/seccomp.h. TSYNC has no meaning for a process of one thread. */
const FLAGS = { SECCOMP_FILTER_FLAG_TSYNC: 0, SECCOMP_FILTER_FLAG_LOG: 2, SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4 } as const;

const MAX_ERRNO = 4095;

const keysOf = <T extends object>(table: T) => Object.keys(table) as [keyof T & string, ...(keyof T & string)[]];

const architecture = z.enum(ARCHITECTURES as [string, ...string[]], {
  error: 'expected the name of an architecture, as SCMP_ARCH_X86_64',
});
const actionName = z.string().transform((written, context): ActionName => {
  if (Object.hasOwn(ACTIONS, written)) return written as ActionName;
  const message =
    written === 'SCMP_ACT_NOTIFY'
      ? 'SCMP_ACT_NOTIFY needs a program that answers, which no container has here'
      : `expected one of ${Object.keys(ACTIONS).join(', ')}`;
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
});
const errno = z.int().min(0).max(MAX_ERRNO).nullish();
/** Numbers of JSON are exact up to 2^53. */
const word = z.int({ error: 'expected a whole number from 0 up to 9007199254740991' }).min(0);
const names = <T extends z.ZodType<string>>(item: T) => z.array(item).nullish();

const argument = z.strictObject({
  index: z.int().min(0).max(5),
  value: word,
  valueTwo: word.nullish(),
  op: z.enum(keysOf(OPERATORS), { error: `expected one of ${Object.keys(OPERATORS).join(', ')}` }),
});

const conditions = z
  .strictObject({
    caps: names(z.string().regex(/^CAP_[A-Z_]+$/, 'expected the name of a capability, as CAP_SYS_ADMIN')),
    arches: names(z.string()),
    minKernel: z
      .string()
      .regex(/^\d+\.\d+$/, 'expected a version of the kernel, as 4.8')
      .nullish(),
  })
  .nullish();

const callName = z.string().regex(/^[a-z_][a-z0-9_]*$/, 'expected the name of a system call');

const rule = z
  .strictObject({
    name: callName.nullish(),
    names: z.array(callName).nullish(),
    action: actionName,
    errnoRet: errno,
    args: z.array(argument).nullish(),
    comment: z.string().nullish(),
    includes: conditions,
    excludes: conditions,
  })
  .refine((written) => written.name != null || (written.names ?? []).length > 0, 'expected names');

const listener = (name: string) => z.undefined({ error: `${name} needs SCMP_ACT_NOTIFY, which is not supported` });

/** What may stand in a file. */
export const profileSchema = z
  .strictObject({
    defaultAction: actionName,
    defaultErrnoRet: errno,
    architectures: z.array(architecture).nullish(),
    archMap: z.array(z.strictObject({ architecture, subArchitectures: z.array(architecture).nullish() })).nullish(),
    flags: z.array(z.enum(keysOf(FLAGS), { error: `expected one of ${Object.keys(FLAGS).join(', ')}` })).nullish(),
    listenerPath: listener('listenerPath').optional(),
    listenerMetadata: listener('listenerMetadata').optional(),
    syscalls: z.array(rule).nullish(),
  })
  .refine(
    ({ architectures, archMap }) => (architectures ?? []).length === 0 || (archMap ?? []).length === 0,
    'architectures and archMap exclude each other',
  );

export type WrittenProfile = z.input<typeof profileSchema>;
export type SeccompProfile = z.output<typeof profileSchema>;
export type ProfileRule = NonNullable<SeccompProfile['syscalls']>[number];
export type ProfileArgument = NonNullable<ProfileRule['args']>[number];
export type ProfileConditions = NonNullable<ProfileRule['includes']>;
export type Operator = (typeof OPERATORS)[keyof typeof OPERATORS];

export function operatorOf({ op }: ProfileArgument): Operator {
  return OPERATORS[op];
}

/** Flags of seccomp(2) for SECCOMP_SET_MODE_FILTER. */
export function loadFlags({ flags }: SeccompProfile): number {
  return (flags ?? []).reduce((all, name) => all | FLAGS[name], 0);
}
