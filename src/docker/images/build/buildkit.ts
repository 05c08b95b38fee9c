/** BuildKit, which is not here: its clients are refused at once. */
import { familiarRepository, type ImageReference } from '../../../model/image-reference.ts';
import { DockerError } from '../../wire/docker-error.ts';

const HOW = 'set DOCKER_BUILDKIT=0 to build with the classic builder, or build with `tsdocker build`';

export const noBuildKit = (): DockerError => new DockerError(501, `there is no BuildKit here: ${HOW}`);

/** Clients that find no BuildKit pull one to run it in a container, which they do not say. @throws DockerError 501 */
export function refuseBuildKitImage(reference: ImageReference): void {
  if (familiarRepository(reference) === 'moby/buildkit') throw noBuildKit();
}
