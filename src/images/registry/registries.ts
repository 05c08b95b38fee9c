/** Registries of images, as the supervisor uses them: pull, push, tags, search and logins. */
import { createHash } from 'node:crypto';
import PQueue from 'p-queue';
import type { Clock } from '../../model/clock.ts';
import { TsdError, toTsdError } from '../../model/errors/errors.ts';
import { DOCKER_HUB, formatReference, type ImageReference } from '../../model/image-reference.ts';
import type { ImageProgress, LoadContext, LoadedImage } from '../image.ts';
import { rejected, type TrustPolicyFile } from '../trust/policy.ts';
import type { TrustJobs } from '../trust/signed-manifest.ts';
import type { AuthFile, Credentials } from './auth-file.ts';
import { BlobFiles } from './blob-files.ts';
import { BlobRecords } from './blob-records.ts';
import { RegistryClient } from './client.ts';
import { type EndpointSettings, endpointsOf } from './endpoints.ts';
import type { HttpTimeouts } from './http.ts';
import {
  type DescribedImage,
  describeImage,
  describePlatform,
  hostPlatform,
  type Platform,
  parsePlatform,
} from './manifest.ts';
import { pullImage } from './pull.ts';
import { type PushedImage, type PushedManifest, type PushProgress, pushImage } from './push.ts';
import { type SearchResult, searchImages } from './search.ts';
import { SharedTasks } from './shared-tasks.ts';
import { listTags } from './tags.ts';

export interface RegistryOptions {
  readonly settings: EndpointSettings;
  /** Directory of downloads that can be continued with. */
  readonly downloads: string;
  /** Directory that remembers which blobs on which registries hold which layers. */
  readonly records: string;
  /** Logins that are used when the one who asks brings none. */
  readonly logins: AuthFile;
  readonly policy: TrustPolicyFile;
  /** The engine's jobs about who may publish a name; left out, pulls ask the policy alone. */
  readonly trustJobs?: TrustJobs | null;
  readonly clock: Clock;
  readonly timeouts?: HttpTimeouts;
  readonly retryDelayMs?: number;
}

export interface Asked {
  /** Null takes the login of the supervisor's own file. */
  readonly credentials: Credentials | null;
  readonly signal: AbortSignal;
}

/** Docker's limits on a registry that does not answer. */
const TIMEOUTS: HttpTimeouts = { connectMs: 10_000, stallMs: 60_000 };
const RETRY_DELAY_MS = 500;
/** As in Docker. */
const CONCURRENT_DOWNLOADS = 3;

export class Registry {
  readonly #options: RegistryOptions;
  readonly #blobs: BlobFiles;
  readonly #records: BlobRecords;
  readonly #queue = new PQueue({ concurrency: CONCURRENT_DOWNLOADS });
  readonly #pulls = new SharedTasks<LoadedImage, ImageProgress>('pull');
  readonly #pushes = new SharedTasks<PushedManifest, PushProgress>('push');

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#blobs = new BlobFiles(options.downloads);
    this.#records = new BlobRecords(options.records);
  }

  /**
   * Brings an image into the graph; a second pull of the same name shares the first.
   * @param platform `os/architecture[/variant]`, or null for this machine's.
   * @throws TSD_REGISTRY*, TSD_IMAGE_INVALID, TSD_LAYER_HOSTILE, TSD_DISK_FULL.
   */
  async pull(
    reference: ImageReference,
    { platform, credentials, signal }: Asked & { readonly platform: string | null },
    context: LoadContext,
  ): Promise<LoadedImage> {
    const wanted = platform === null ? hostPlatform() : parsePlatform(platform);
    const name = formatReference(reference);
    const waiting = (kind: string) =>
      context.progress({
        type: 'reading',
        what: `Repository ${name} already being ${kind} by another client. Waiting.`,
      });
    while (this.#pushes.has(name)) {
      waiting('pushed');
      await this.#pushes.ended(name);
    }
    const key = pullKey(name, wanted, credentials);
    if (this.#pulls.has(key)) waiting('pulled');
    return this.#pulls.join(
      key,
      (own, progress) => this.#pull(reference, wanted, { credentials, signal: own }, { ...context, progress }),
      context.progress,
      signal,
    );
  }

  /** @throws TSD_REGISTRY*, class conflict while it is pulled or pushed. */
  async push(
    image: PushedImage,
    reference: ImageReference,
    asked: Asked,
    progress: (event: PushProgress) => void,
  ): Promise<PushedManifest> {
    const name = formatReference(reference);
    if (this.#pushes.has(name) || this.#pulls.keys.some((key) => key.startsWith(`${name} `))) {
      throw new TsdError('TSD_REGISTRY', `push ${name} is already in progress`, { class: 'conflict', step: 'push' });
    }
    const records = this.#records;
    const start = (signal: AbortSignal, report: (event: PushProgress) => void) =>
      this.#with(reference.registry, { ...asked, signal }, false, (client) =>
        pushImage({ client, records }, image, reference, report),
      );
    return this.#pushes.join(name, start, progress, asked.signal);
  }

  /** Names of a repository's tags, sorted. */
  tags({ registry, repository }: ImageReference, asked: Asked): Promise<readonly string[]> {
    return this.#with(registry, asked, true, (client) => listTags(client, repository));
  }

  describe(reference: ImageReference, asked: Asked): Promise<DescribedImage> {
    return this.#with(reference.registry, asked, true, (client) => describeImage(client, reference));
  }

  search(registry: string | null, term: string, asked: Asked): Promise<readonly SearchResult[]> {
    return this.#with(registry ?? DOCKER_HUB, asked, false, (client) => searchImages(client, term));
  }

  /** Proves that a registry takes these credentials. @throws TSD_REGISTRY_DENIED. */
  async checkLogin(registry: string, credentials: Credentials, signal: AbortSignal): Promise<void> {
    await this.#with(registry, { credentials, signal }, false, (client) => client.ping());
  }

  async #pull(reference: ImageReference, platform: Platform, asked: Asked, context: LoadContext): Promise<LoadedImage> {
    const { clock, policy, trustJobs = null, retryDelayMs = RETRY_DELAY_MS } = this.#options;
    const trust = policy.decide(reference);
    if (trust.rule.type === 'reject') throw rejected(reference, trust);
    await this.#blobs.prune(clock.now().wallMs);
    const parts = { blobs: this.#blobs, records: this.#records, queue: this.#queue, retryDelayMs, trust, trustJobs };
    const work = (client: RegistryClient) => {
      context.progress({ type: 'reading', what: `${formatReference(reference)} from ${client.endpoint.base.host}` });
      return pullImage({ ...parts, client }, reference, platform, context);
    };
    return this.#with(reference.registry, asked, true, work, ({ message }) =>
      context.progress({ type: 'reading', what: `${message}; trying the next` }),
    );
  }

  /** Does something at the first endpoint where it can be done. */
  async #with<T>(
    registry: string,
    { credentials, signal }: Asked,
    forPull: boolean,
    work: (client: RegistryClient) => Promise<T>,
    onFailure: (error: TsdError) => void = () => {},
  ): Promise<T> {
    const { settings, logins, timeouts = TIMEOUTS, retryDelayMs = RETRY_DELAY_MS } = this.#options;
    const endpoints = await endpointsOf(registry, settings, forPull);
    const own = credentials ?? (await logins.get(registry));
    for (const [index, endpoint] of endpoints.entries()) {
      // A mirror is another party: it never sees the login of the registry it stands for.
      const login = endpoint.mirror ? await logins.get(endpoint.base.host) : own;
      const client = new RegistryClient({ endpoint, settings, timeouts, retryDelayMs, credentials: login, signal });
      try {
        return await work(client);
      } catch (thrown) {
        const error = toTsdError(thrown);
        const last = index === endpoints.length - 1;
        if (last || signal.aborted || !(endpoint.mirror ? isOfRegistry(error) : speaksNoTls(error))) throw error;
        onFailure(error);
      } finally {
        await client.close();
      }
    }
    throw new TsdError('TSD_BUG', `${registry} has no endpoint`);
  }
}

/** Another login may be refused where this one is not: those who bring one share the pulls of that login only. */
function pullKey(name: string, platform: Platform, credentials: Credentials | null): string {
  const login = createHash('sha256').update(JSON.stringify(credentials)).digest('hex');
  return `${name} ${describePlatform(platform)} ${login}`;
}

/** A registry that answers with TLS and is not trusted, or refuses us, is never asked without it. */
function speaksNoTls({ code, class: kind }: TsdError): boolean {
  return code === 'TSD_REGISTRY' && kind !== 'denied';
}

/** Not of this host: a full disk stays full with the next registry. */
function isOfRegistry({ code }: TsdError): boolean {
  return code.startsWith('TSD_REGISTRY') || code === 'TSD_IMAGE_INVALID' || code === 'TSD_IMAGE_UNTRUSTED';
}
