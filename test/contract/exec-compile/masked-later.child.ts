/** In a mount namespace of its own: the paths masked while the kernel shows only processes in /proc, and after that. */
import { execFileSync } from 'node:child_process';
import { addMaskedPaths } from '../../../src/drivers/exec/native/program/masked-paths.ts';
import { SyscallProgram } from '../../../src/drivers/exec/native/program/program.ts';

function masked(): string[] {
  const program = new SyscallProgram();
  addMaskedPaths(program);
  return Array.from({ length: program.length }, (_, index) => program.stepOf(index));
}

execFileSync('mount', ['-t', 'proc', '-o', 'subset=pid', 'proc', '/proc']);
const before = masked();
execFileSync('umount', ['/proc']);
process.stdout.write(JSON.stringify({ before, after: masked() }));
