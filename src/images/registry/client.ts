/** Requests to one endpoint of a registry: authentication and redirects. */
import { setTimeout as delay } from 'node:timers/promises';
import { TsdError } from '../../model/errors/errors.ts';
import { answerError, lying } from './answers.ts';
import { basicAuthorization, type Credentials } from './auth-file.ts';
import { parseChallenges } from './challenge.ts';
import { type Endpoint, type EndpointSettings, tlsSettings } from './endpoints.ts';
import {
  connectionError,
  HttpConnections,
  type HttpRequest,
  type HttpResponse,
  type HttpTimeouts,
  readAnswer,
} from './http.ts';
import { fetchToken } from './token.ts';

export interface ClientOptions {
  readonly endpoint: Endpoint;
  readonly settings: EndpointSettings;
  readonly timeouts: HttpTimeouts;
  readonly credentials: Credentials | null;
  /** Wait before a small document is asked for again; it doubles with each further try. */
  readonly retryDelayMs: number;
  /** Calls off all requests. */
  readonly signal: AbortSignal;
}

/** A request below the endpoint's base, or to a place it named (the URL of an upload). */
export interface ApiRequest extends Omit<HttpRequest, 'url' | 'signal'> {
  readonly path: string | URL;
  /** What a token must allow: `repository:library/nginx:pull`. Several are separated by spaces. */
  readonly scope: string | null;
  /** In words for errors. */
  readonly what: string;
  /** Called again when the request has to be sent a second time. */
  readonly stream?: (() => HttpRequest['body']) | undefined;
}

const MAX_REDIRECTS = 5;
const REDIRECTS = [301, 302, 303, 307, 308];
/** Once with what is known, once with what the challenge asks for, once more when a token has just run out. */
const MAX_ATTEMPTS = 3;
/** Answers of a server that is busy or being restarted; what it says about a document may be another thing in a moment. */
const MOMENTARY = [408, 429, 500, 502, 503, 504];
/** The longest a server may ask us to wait. */
const MAX_RETRY_AFTER_MS = 30_000;

export class RegistryClient {
  readonly endpoint: Endpoint;
  readonly signal: AbortSignal;
  readonly #options: ClientOptions;
  readonly #controller = new AbortController();
  readonly #connections = new Map<string, Promise<HttpConnections>>();
  /** Authorization header by scope. */
  readonly #authorization = new Map<string, string>();

  constructor(options: ClientOptions) {
    this.endpoint = options.endpoint;
    this.signal = AbortSignal.any([options.signal, this.#controller.signal]);
    this.#options = options;
  }

  /** Sends a request and returns what answers it in the end, whatever its status. @throws TSD_REGISTRY*. */
  async send(request: ApiRequest): Promise<HttpResponse> {
    const { base } = this.endpoint;
    const url = request.path instanceof URL ? request.path : new URL(request.path, base);
    for (let attempt = 1; ; attempt++) {
      const authorization = this.#authorization.get(request.scope ?? '');
      const response = await this.#follow(url, request, authorization);
      if (response.status !== 401 || response.url.host !== base.host) return response;
      if (attempt === MAX_ATTEMPTS || !(await this.#authorize(response, request, authorization))) {
        throw await answerError(response, request.what, this.signal);
      }
      response.body.destroy();
    }
  }

  /** A request whose answer must have one of these statuses. @throws TSD_REGISTRY*. */
  async expect(statuses: readonly number[], request: ApiRequest): Promise<HttpResponse> {
    const response = await this.send(request);
    if (statuses.includes(response.status)) return response;
    throw await answerError(response, request.what, this.signal);
  }

  /** A small answer as a whole. A server that fails for the moment is asked again. */
  async read(
    max: number,
    request: ApiRequest,
  ): Promise<{ readonly bytes: Buffer; readonly headers: HttpResponse['headers'] }> {
    const { retryDelayMs } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const response = await this.send(request);
      // There is another endpoint after a mirror.
      const last = attempt === MAX_ATTEMPTS || this.endpoint.mirror;
      if (response.status === 200) {
        return { bytes: await readAnswer(response, max, this.signal), headers: response.headers };
      }
      if (last || !MOMENTARY.includes(response.status)) throw await answerError(response, request.what, this.signal);
      response.body.destroy();
      const asked = Number(response.headers['retry-after'] ?? 0) * 1000 || 0;
      const wait = Math.min(MAX_RETRY_AFTER_MS, Math.max(asked, retryDelayMs * 2 ** (attempt - 1)));
      await delay(wait, undefined, { signal: this.signal }).catch((thrown: unknown) => {
        throw connectionError(response.url, thrown, this.signal);
      });
    }
  }

  /** Asks whether a registry of this protocol is there at all, and logs in where it wants that. */
  async ping(scope: string | null = null): Promise<void> {
    const response = await this.expect([200], { method: 'GET', path: '/v2/', scope, what: this.endpoint.base.host });
    response.body.destroy();
  }

  /** Calls off every request that is under way. */
  abort(): void {
    this.#controller.abort();
  }

  async close(): Promise<void> {
    for (const connections of this.#connections.values())
      await connections.then(
        (open) => open.close(),
        () => {},
      );
    this.#connections.clear();
  }

  async #follow(start: URL, request: ApiRequest, authorization: string | undefined): Promise<HttpResponse> {
    let url = start;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const connections = await this.#to(url);
      // Only the registry itself may see the credentials, not the store it sends us to.
      const trusted = url.host === this.endpoint.base.host && url.protocol === this.endpoint.base.protocol;
      const headers = { ...request.headers, ...(trusted && authorization !== undefined && { authorization }) };
      const body = request.stream?.() ?? request.body;
      const response = await connections.send({ method: request.method, url, headers, body, signal: this.signal });
      const { location } = response.headers;
      if (!REDIRECTS.includes(response.status) || location === undefined) return response;
      response.body.destroy();
      url = this.#redirect(url, location);
    }
    throw lying(`${request.what}: ${start.host} redirects more than ${MAX_REDIRECTS} times`);
  }

  #redirect(from: URL, location: string): URL {
    const to = URL.canParse(location, from.href) ? new URL(location, from) : null;
    if (to === null || !/^https?:$/.test(to.protocol)) throw lying(`${from.host} redirects to what is no web address`);
    if (from.protocol === 'https:' && to.protocol === 'http:')
      throw lying(`${from.host} redirects to ${to.host} without TLS`);
    return to;
  }

  /** @returns false when there is no other way to ask. */
  async #authorize({ headers }: HttpResponse, { scope }: ApiRequest, sent: string | undefined): Promise<boolean> {
    const { credentials } = this.#options;
    const challenges = parseChallenges(String(headers['www-authenticate'] ?? ''));
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    const key = scope ?? '';
    // Another request got one meanwhile.
    if (this.#authorization.get(key) !== sent) return true;
    if (bearer !== undefined) {
      const token = await fetchToken(bearer, scope, credentials, {
        base: this.endpoint.base,
        signal: this.signal,
        connections: (url) => this.#to(url),
      });
      this.#authorization.set(key, `Bearer ${token}`);
      return sent !== `Bearer ${token}`;
    }
    const wantsBasic = challenges.some(({ scheme }) => scheme === 'basic');
    if (!wantsBasic || credentials?.type !== 'password') return false;
    const basic = basicAuthorization(credentials);
    if (sent === basic) return false;
    this.#authorization.set(key, basic);
    return true;
  }

  async #to({ host }: URL): Promise<HttpConnections> {
    const { settings, timeouts } = this.#options;
    const known = this.#connections.get(host);
    if (known !== undefined) return known;
    const made = tlsSettings(host, settings).then((tls) => new HttpConnections(tls, timeouts));
    this.#connections.set(host, made);
    return made;
  }
}

/** Whether another try at the same place may go better. */
export function isTransient(thrown: unknown): boolean {
  return thrown instanceof TsdError && thrown.code === 'TSD_REGISTRY' && thrown.class !== 'denied';
}
