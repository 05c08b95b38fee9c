/** Whether an image may be removed, as Docker decides it: a pure function of who uses it. */
import { DockerError } from '../wire/docker-error.ts';

export interface ImageUse {
  readonly id: string;
  /** `repository:tag` of all its names. */
  readonly names: readonly string[];
  /** Containers made of it. */
  readonly containers: readonly { readonly id: string; readonly running: boolean }[];
}

export interface RemovalAsked {
  /** As the client wrote it. */
  readonly text: string;
  /** The name that it is; null for an id. */
  readonly name: string | null;
  readonly force: boolean;
}

const shortId = (id: string): string => id.slice(0, 12);
const repositoryOf = (name: string): string => name.slice(0, name.lastIndexOf(':'));

/** @throws DockerError 409 where something needs it */
export function checkRemoval({ id, names, containers }: ImageUse, { text, name, force }: RemovalAsked): void {
  const running = containers.find((container) => container.running);
  const stopped = containers.find((container) => !container.running);
  if (name !== null) {
    const user = running ?? stopped;
    if (names.length === 1 && !force && user !== undefined) {
      throw new DockerError(
        409,
        `conflict: unable to remove repository reference ${JSON.stringify(text)} (must force) - ` +
          `container ${shortId(user.id)} is using its referenced image ${shortId(id)}`,
      );
    }
    return;
  }
  const refuse = (how: 'cannot be forced' | 'must be forced', reason: string): never => {
    throw new DockerError(409, `conflict: unable to delete ${shortId(id)} (${how}) - ${reason}`);
  };
  if (running !== undefined) {
    refuse('cannot be forced', `image is being used by running container ${shortId(running.id)}`);
  }
  if (!force && new Set(names.map(repositoryOf)).size > 1) {
    refuse('must be forced', 'image is referenced in multiple repositories');
  }
  if (!force && stopped !== undefined) {
    refuse('must be forced', `image is being used by stopped container ${shortId(stopped.id)}`);
  }
}
