import { SandboxAddresses } from './sandbox-addresses.ts';
import { SandboxRoutes } from './sandbox-routes.ts';
import type { Sandboxes } from './sandboxes.ts';

/** Addresses and routes in the namespaces of containers, as of the last look. */
export class SandboxView {
  readonly #sandboxes: Sandboxes;
  readonly #addresses = new SandboxAddresses();
  readonly #routes = new SandboxRoutes((number) => this.#addresses.containerOf(number));

  constructor(sandboxes: Sandboxes) {
    this.#sandboxes = sandboxes;
    sandboxes.watch({
      held: (containerId) => this.#routes.hold(containerId),
      released: (containerId) => {
        this.#addresses.forget(containerId);
        this.#routes.forget(containerId);
      },
    });
  }

  /** Another number when other namespaces are held. */
  get version(): number {
    return this.#sandboxes.version;
  }

  /** Looks into the namespaces; what was seen is kept until the next look. Returns the containers of which it is another. */
  look(): ReadonlySet<string> {
    const { held } = this.#sandboxes;
    return new Set([...this.#addresses.look(held), ...this.#routes.look(held)]);
  }

  /** IPv4 addresses with prefix length; null of a container whose namespace is not held. */
  addresses(containerId: string): readonly string[] | null {
    return this.#addresses.of(containerId);
  }

  /** Destinations of routes; null where they are not known. */
  routes(containerId: string): ReadonlySet<string> | null {
    return this.#routes.of(containerId);
  }

  /** @param destinations of the routes it is to have */
  routesWanted(containerId: string, destinations: readonly string[]): void {
    this.#routes.want(containerId, destinations);
  }

  /**
   * @param destinations all there are, with an interface that was made just now. Null where it was there: some routes may
   * have been, and be seen as missing still.
   */
  routesMade(containerId: string, destinations: readonly string[] | null): void {
    if (destinations === null) this.#routes.changed(containerId);
    else this.#routes.made(containerId, destinations);
  }

  close(): void {
    this.#addresses.close();
    this.#routes.close();
  }
}
