/** What every answer of the Docker API says of its server. */
import { IDENTITY_HEADERS, VERSION } from '../../api/version.ts';
import { NEWEST_API } from './versions.ts';

export const DOCKER_HEADERS: Readonly<Record<string, string>> = {
  ...IDENTITY_HEADERS,
  'Api-Version': NEWEST_API,
  'Docker-Experimental': 'false',
  Ostype: 'linux',
  Server: `Docker/${VERSION} (linux)`,
};
