import { TsdError } from '../../model/errors/errors.ts';

const CONTAINER_ID_PATTERN = /^[0-9a-f]{64}$/;

export const isContainerId = (id: string): boolean => CONTAINER_ID_PATTERN.test(id);

/** @throws TsdError TSD_BUG; what becomes part of the name of a kernel object has passed here. */
export function checkContainerId(id: string): void {
  if (!isContainerId(id)) throw new TsdError('TSD_BUG', `${JSON.stringify(id)} is not a container id`);
}
