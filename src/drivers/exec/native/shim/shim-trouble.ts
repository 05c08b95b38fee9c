/** Shims that cannot be talked to, as messages for the administrator. */
import { errnoName } from '../../../../ffi/call/errno.ts';
import { describeProcess } from '../../../../ffi/process/processes.ts';
import { TsdError } from '../../../../model/errors/errors.ts';
import { PROTOCOL_VERSION } from './shim-protocol.ts';

/** @param cause TSD_TIMEOUT of a request, or EAGAIN of a connection. */
export function silentShim(shimPid: number | undefined, step: string, cause: unknown): TsdError {
  const shim = shimPid === undefined ? '' : ` (${describeProcess(shimPid)})`;
  const pid = shimPid ?? 'PID';
  const wayOut = `\`kill -CONT ${pid}\` resumes it if it was stopped, \`kill -9 ${pid}\` ends the container`;
  const message = `${step === 'adopt' ? 'it runs on untouched: ' : ''}its shim${shim} does not answer; ${wayOut}`;
  return new TsdError('TSD_SHIM', message, { step, cause, hint: 'It is asked again from time to time.' });
}

/** Why the end of a run is not known although its payload has ended. @param path of its exit record */
export function cannotRecord(shimPid: number, path: string, errno: number): string {
  return (
    `its payload has ended, and its shim cannot write down how: ${path}: ${errnoName(errno)}; repair the disk: it is tried ` +
    `again at least once a minute, or give the exit status up by \`kill -9 ${shimPid}\``
  );
}

export function foreignShim(shimPid: number | undefined, version: number): TsdError {
  const message =
    `it runs on untouched: its shim speaks version ${version} of the shim protocol and this tsdocker version ` +
    `${PROTOCOL_VERSION}; go back to the tsdocker that started it, or end it by \`kill -9 ${shimPid ?? 'PID'}\``;
  const hint = 'Start the tsdocker that started it, or a later one.';
  return new TsdError('TSD_SHIM', message, { step: 'adopt', hint });
}
