import type { LinkAddress } from '../../ffi/network/link-addresses.ts';
import { SandboxAddresses } from './sandbox-addresses.ts';
import { type Fact, SandboxRoutes } from './sandbox-routes.ts';
import type { Sandboxes } from './sandboxes.ts';

/** Addresses, routes and interfaces in the namespaces of containers, as of the last look. */
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

  /** Null of a container whose namespace is not held. */
  addresses(containerId: string): readonly LinkAddress[] | null {
    return this.#addresses.of(containerId);
  }

  /** Routes and interfaces; null where they are not known. */
  facts(containerId: string): ReadonlySet<Fact> | null {
    return this.#routes.of(containerId);
  }

  /** @param facts what it is to have for the sake of `owner`; none when that is gone */
  want(containerId: string, owner: string, facts: readonly Fact[]): void {
    this.#routes.want(containerId, owner, facts);
  }

  /**
   * @param facts all that came with an interface that was made just now. Null where it was there: some may have been, and be
   * seen as missing still.
   */
  made(containerId: string, facts: readonly Fact[] | null): void {
    if (facts === null) this.#routes.changed(containerId);
    else this.#routes.made(containerId, facts);
  }

  close(): void {
    this.#addresses.close();
    this.#routes.close();
  }
}
