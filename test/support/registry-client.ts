import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { GraphDriver } from '../../src/drivers/contract/graph.ts';
import { createOverlayDriver } from '../../src/drivers/graph/overlay/overlay-driver.ts';
import { layerTar, layerTarSize } from '../../src/images/export/layer-tar.ts';
import type { ImageProgress, LoadedImage } from '../../src/images/image.ts';
import { AuthFile, type Credentials } from '../../src/images/registry/auth-file.ts';
import { type EndpointSettings, INSECURE_BY_DEFAULT } from '../../src/images/registry/endpoints.ts';
import type { PushedImage, PushProgress } from '../../src/images/registry/push.ts';
import { Registry } from '../../src/images/registry/registries.ts';
import { TrustPolicyFile } from '../../src/images/trust/policy.ts';
import type { TrustJobs } from '../../src/images/trust/signed-manifest.ts';
import { type ImageReference, parseImageReference } from '../../src/model/image-reference.ts';
import { loadContext, temporaryDirectory } from './images.ts';

export function reference(text: string): ImageReference {
  const parsed = parseImageReference(text);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
}

const HASTE = { timeouts: { connectMs: 5_000, stallMs: 500 }, retryDelayMs: 1 };

/** A registry client on a root of its own, with an overlay driver to unpack into. */
export class TestHost {
  readonly #directory = temporaryDirectory();
  readonly path = this.#directory.path;
  readonly graph: GraphDriver;
  readonly registry: Registry;
  readonly logins: AuthFile;
  readonly context: ReturnType<typeof loadContext>;

  constructor(settings: Partial<EndpointSettings> = {}, trustJobs: TrustJobs | null = null) {
    mkdirSync(join(this.path, 'root'));
    this.graph = createOverlayDriver(join(this.path, 'root'));
    this.logins = new AuthFile(join(this.path, 'docker', 'config.json'));
    this.context = loadContext(this.graph, join(this.path, 'tmp'));
    this.registry = new Registry({
      settings: { mirrors: [], insecure: INSECURE_BY_DEFAULT, certificates: [join(this.path, 'certs.d')], ...settings },
      downloads: this.downloads,
      records: join(this.path, 'records'),
      logins: this.logins,
      policy: new TrustPolicyFile(this.policy, true),
      trustJobs,
      clock: { now: () => ({ bootMs: 0, wallMs: Date.now() }) },
      ...HASTE,
    });
  }

  /** Where the trust policy is read from, once a test wrote one. */
  get policy(): string {
    return join(this.path, 'policy.yaml');
  }

  get downloads(): string {
    return join(this.path, 'downloads');
  }

  get events(): readonly ImageProgress[] {
    return this.context.events;
  }

  pull(
    name: string,
    options: { credentials?: Credentials; platform?: string; signal?: AbortSignal } = {},
  ): Promise<LoadedImage> {
    const { credentials = null, platform = null, signal = new AbortController().signal } = options;
    return this.registry.pull(reference(name), { credentials, platform, signal }, this.context);
  }

  /** @param events what is reported is added to it. */
  push(
    image: LoadedImage,
    name: string,
    credentials: Credentials | null = null,
    events: PushProgress[] = [],
  ): Promise<string> {
    const asked = { credentials, signal: new AbortController().signal };
    const sent = this.registry.push(this.pushed(image), reference(name), asked, (event) => events.push(event));
    return sent.then(({ digest }) => digest);
  }

  pushed({ configJson, layers }: LoadedImage): PushedImage {
    const store = { graph: this.graph, recipes: this.context.recipes };
    return {
      configJson,
      layers: layers.map((layer) => ({
        diffId: layer.diffId,
        size: () => layerTarSize(store, layer),
        tar: () => layerTar(store, layer),
      })),
    };
  }

  remove(): void {
    this.#directory.remove();
  }
}
