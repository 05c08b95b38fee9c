import { TsdError } from '../../model/errors/errors.ts';

export interface ImageName {
  /** `nginx`, `me/app`, `registry.example:5000/team/app`. */
  readonly repository: string;
  readonly tag: string;
}

const TAG = /^\w[\w.-]{0,127}$/;
/** Docker 1.4's pattern of a name; its limits on the namespace (4 to 30 characters) would refuse today's names. */
const COMPONENT = /^[a-z0-9-_.]+$/;
const HOST = /^[a-zA-Z0-9.-]+(:\d+)?$/;

/** The first part of a name is a registry when it looks like a host. */
const isHost = (part: string): boolean => /[.:]/.test(part) || part === 'localhost';

/** `repo[:tag]`: the last colon parts them unless a slash follows. The tag defaults to `latest`. Nothing is checked. */
export function parseImageName(name: string): ImageName {
  const colon = name.lastIndexOf(':');
  if (colon < 0 || name.includes('/', colon)) return { repository: name, tag: 'latest' };
  return { repository: name.slice(0, colon), tag: name.slice(colon + 1) };
}

/** @throws TsdError TSD_BAD_REQUEST with the rule that the name breaks. */
export function checkImageName({ repository, tag }: ImageName): void {
  const refuse = (reason: string): never => {
    throw new TsdError('TSD_BAD_REQUEST', `Invalid image name "${repository}:${tag}": ${reason}`);
  };
  if (repository === '') refuse('the repository is empty');
  if (repository.includes('://')) refuse('it must not have a scheme');
  if (!TAG.test(tag))
    refuse('a tag has 1 to 128 letters, digits, "_", "." or "-" and begins with none of the last two');
  const parts = repository.split('/');
  const [first = ''] = parts;
  const path = parts.length > 1 && isHost(first) ? parts.slice(1) : parts;
  if (path.length < parts.length && !HOST.test(first)) refuse(`"${first}" is not a host`);
  if (!path.every((part) => COMPONENT.test(part))) refuse('its parts may have a-z, 0-9, "-", "_" and "."');
  if (/^[0-9a-f]{64}$/.test(repository)) refuse('it looks like an image id');
}
