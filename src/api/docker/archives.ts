/**
 * Files of containers as tars, both ways. Node's own client speaks here: an upload is as long as it is, and may be refused
 * before it has ended.
 */
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { TsdError } from '../../model/errors/errors.ts';
import { errorOfDocker } from '../http-errors.ts';
import { connectError } from '../transport.ts';
import { checkServer, IDENTITY_HEADERS, VERSION } from '../version.ts';
import { objectPath } from './paths.ts';

/** What a container has at a path. */
export interface PathStat {
  readonly name: string;
  readonly isDirectory: boolean;
  /** Empty for what is no symbolic link. */
  readonly linkTarget: string;
}

const STAT_HEADER = 'x-docker-container-path-stat';
/** os.ModeDir of Go. */
const GO_DIRECTORY = 2 ** 31;

export class DockerArchives {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** Null where there is nothing, and for a container that is not there. @throws TsdError */
  async stat(container: string, path: string): Promise<PathStat | null> {
    const answer = await this.#answer('HEAD', container, { path });
    answer.resume();
    if (answer.statusCode === 404) return null;
    const header = answer.headers[STAT_HEADER];
    if (answer.statusCode !== 200 || typeof header !== 'string')
      throw new TsdError('TSD_BUG', `the supervisor answered HTTP ${answer.statusCode} without a reason`);
    const stat = JSON.parse(Buffer.from(header, 'base64').toString('utf8')) as Record<string, unknown>;
    return {
      name: String(stat.name),
      isDirectory: Number(stat.mode) >= GO_DIRECTORY,
      linkTarget: String(stat.linkTarget ?? ''),
    };
  }

  /** A tar of what is at the path. @throws TsdError */
  async download(container: string, path: string): Promise<Readable> {
    const answer = await this.#answer('GET', container, { path });
    if (answer.statusCode !== 200) throw await failure(answer);
    return answer;
  }

  /** Unpacks a tar in a directory. @param keepsOwners the owners of its entries, not the user of the container @throws TsdError */
  async upload(container: string, path: string, tar: AsyncIterable<Buffer>, keepsOwners: boolean): Promise<void> {
    const query = { path, noOverwriteDirNonDir: 'true', ...(keepsOwners && { copyUIDGID: 'true' }) };
    const request = await this.#request('PUT', container, query, { 'content-type': 'application/x-tar' });
    const answered = this.#answerTo(request);
    // One that is refused is not read to its end: the answer says why.
    const sent = pipeline(Readable.from(tar), request);
    sent.catch(() => undefined);
    const answer = await Promise.race([answered, sent.then(() => answered)]);
    if (answer.statusCode !== 200) {
      const error = await failure(answer);
      request.destroy();
      throw error;
    }
    await sent;
    answer.resume();
  }

  async #answer(method: string, container: string, query: Readonly<Record<string, string>>): Promise<IncomingMessage> {
    const request = await this.#request(method, container, query);
    const answered = this.#answerTo(request);
    request.end();
    return answered;
  }

  async #request(
    method: string,
    container: string,
    query: Readonly<Record<string, string>>,
    more: Readonly<Record<string, string>> = {},
  ): Promise<ClientRequest> {
    // Other commands do not pay for loading it.
    const { request } = await import('node:http');
    const options: RequestOptions = {
      socketPath: this.#socketPath,
      method,
      path: `${objectPath('containers', container, '/archive')}?${new URLSearchParams(query)}`,
      headers: { 'user-agent': `tsdocker/${VERSION}`, ...IDENTITY_HEADERS, ...more },
      agent: false,
    };
    return request(options);
  }

  #answerTo(request: ClientRequest): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      request.on('error', (error) => reject(connectError(error, this.#socketPath)));
      request.once('response', (answer) => {
        try {
          checkServer(answer.headers as Readonly<Record<string, string>>, this.#socketPath);
          resolve(answer);
        } catch (thrown) {
          request.destroy();
          reject(thrown);
        }
      });
    });
  }
}

async function failure(answer: IncomingMessage): Promise<Error> {
  const status = answer.statusCode ?? 0;
  const text = (await buffer(answer)).toString('utf8');
  const unexplained = new TsdError('TSD_BUG', `the supervisor answered HTTP ${status} without a reason`);
  try {
    return errorOfDocker(status, JSON.parse(text)) ?? unexplained;
  } catch {
    return unexplained;
  }
}
