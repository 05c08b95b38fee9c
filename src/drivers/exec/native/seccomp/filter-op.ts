import type { SyscallProgram } from '../program/program.ts';
import type { LoadedFilter } from './filters.ts';

/** include/uapi/linux/seccomp.h */
const SECCOMP_SET_MODE_FILTER = 1;
/** include/uapi/linux/filter.h: struct sock_filter, struct sock_fprog { u16 len; struct sock_filter *filter; } */
const INSTRUCTION_BYTES = 8;
const FPROG_BYTES = 16;
const FPROG_FILTER = 8;

/**
 * From here on the filter answers for each system call. Loading it takes no_new_privs, or CAP_SYS_ADMIN in effect: it comes
 * after the one, or before the change of user.
 */
export function addFilter(program: SyscallProgram, filter: LoadedFilter): void {
  const header = Buffer.alloc(FPROG_BYTES);
  header.writeUInt16LE(filter.program.length / INSTRUCTION_BYTES, 0);
  const fprog = program.struct(header, new Map([[FPROG_FILTER, program.data(filter.program)]]));
  program.op('load the seccomp filter', 'seccomp', SECCOMP_SET_MODE_FILTER, filter.flags, fprog);
}
