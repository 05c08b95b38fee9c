/** Names and drivers of volumes, with Docker's words for what is wrong with them. */
import { DockerError } from '../../wire/docker-error.ts';
import { refuse } from '../context.ts';

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
const LONGEST = 255;

/** @throws DockerError 400 */
export function checkVolumeName(name: string): void {
  if (name.length === 1)
    refuse(`create ${name}: volume name is too short, names should be at least two alphanumeric characters`);
  if (NAME.test(name) && name.length <= LONGEST) return;
  const allowed = 'only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed';
  refuse(
    `create ${name}: ${JSON.stringify(name)} includes invalid characters for a local volume name, ${allowed}. If you intended to pass a host directory, use absolute path`,
  );
}

/** Volumes are directories of this host. @throws DockerError 404 for another driver, 400 for options */
export function checkVolumeDriver(driver: string, options: Readonly<Record<string, string>>, name: string): void {
  if (!['', 'default', 'local'].includes(driver))
    throw new DockerError(
      404,
      `create ${name}: error looking up volume plugin ${driver}: plugin "${driver}" not found`,
    );
  const [option] = Object.keys(options);
  if (option === undefined) return;
  if (!['type', 'device', 'o'].includes(option)) refuse(`create ${name}: invalid option: ${JSON.stringify(option)}`);
  refuse(`create ${name}: the options type, device and o are not supported; mount it on this host and bind it`);
}
