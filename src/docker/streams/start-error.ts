/** What a client is answered when a program was not started. */
import { TsdError } from '../../model/errors/errors.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { type StartFailure, startFailure, UNABLE, unstartable } from '../containers/start-failure.ts';
import { DockerError } from '../wire/docker-error.ts';

/** Of a program that could not be executed in a container, whatever the reason. */
const NOT_EXECUTED = 126;

/** Null for what no container is to blame for. @param thrown what a start threw @param record of the container after it */
export function failureOf(thrown: unknown, record: ContainerRecord): StartFailure | null {
  if (!(thrown instanceof TsdError) || thrown.class === 'bug') return null;
  return startFailure(record, record.state.startError?.message ?? thrown.message);
}

/** Where there is nothing to add to what was thrown, its own answer is the better one: it has a hint. */
export function startError(thrown: unknown, failure: StartFailure | null): unknown {
  const ownWords = thrown instanceof Error && failure !== null && thrown.message.endsWith(failure.message);
  return failure === null || ownWords ? thrown : new DockerError(failure.status, failure.message);
}

/** The same for a program that is run in a container. */
export function execError(command: string, thrown: unknown): { readonly exitCode: number; readonly message: string } {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const reason = unstartable(command, message);
  if (reason === null) return { exitCode: NOT_EXECUTED, message };
  const words = `OCI runtime exec failed: exec failed: ${UNABLE}: ${reason.words}: unknown`;
  return { exitCode: NOT_EXECUTED, message: words };
}
