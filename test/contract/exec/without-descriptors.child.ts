/** Asks about processes with no free descriptor, and prints the result. */
import { closeSync, openSync } from 'node:fs';
import { isEnding, signalProcess, startTimeOf } from '../../../src/ffi/process/processes.ts';
import { TsdError } from '../../../src/model/errors/errors.ts';

const startTime = startTimeOf(process.pid) ?? '';
const opened: number[] = [];
try {
  for (;;) opened.push(openSync('/dev/null', 'r'));
} catch {
  // There are no more.
}
const outcome = (ask: () => unknown): string => {
  try {
    return String(ask());
  } catch (error) {
    return error instanceof TsdError ? error.class : String(error);
  }
};
const results = [
  outcome(() => startTimeOf(process.pid)),
  outcome(() => isEnding(process.pid, startTime)),
  outcome(() => signalProcess(process.pid, startTime, 0)),
];
for (const fd of opened) closeSync(fd);
process.stdout.write(JSON.stringify([...results, startTimeOf(2 ** 22 + 1) === null, isEnding(process.pid, startTime)]));
