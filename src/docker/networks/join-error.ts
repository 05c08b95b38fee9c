/** A container that could not join a network, in Docker's words. */
import { TsdError } from '../../model/errors/errors.ts';
import { DockerError } from '../wire/docker-error.ts';

/** @param address that was asked for; null for any free one */
export function joinError(thrown: unknown, address: string | null): unknown {
  if (!(thrown instanceof TsdError) || thrown.code !== 'TSD_ADDRESS_POOL_FULL') return thrown;
  return new DockerError(403, address === null ? thrown.message : 'Address already in use');
}
