/** Looks into the sandboxes in which the kernel reported a change, and into the others in turn. */
import { listAddresses } from '../../../ffi/network/link-addresses.ts';
import { listLinks } from '../../../ffi/network/links.ts';
import { namespaceId } from '../../../ffi/network/namespace-ids.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../../../ffi/network/netlink.ts';
import { RouteChanges, RTMGRP } from '../../../ffi/network/route-changes.ts';
import { listRoutes } from '../../../ffi/network/routes.ts';
import { inNetns } from '../../../ffi/process/namespaces.ts';
import type { Sandbox } from '../../contract/network.ts';
import { withRouteSocket } from '../route-socket.ts';
import type { SeenInside } from './l2-inside.ts';

/** Looked into at one look of those without a report: going there takes ten system calls. */
const IN_TURN = 1;

function lookInto({ netnsFd }: Sandbox): SeenInside {
  return inNetns(netnsFd, () =>
    withRouteSocket((socket) => ({
      links: listLinks(socket),
      addresses: listAddresses(socket, null),
      routes: listRoutes(socket, null),
    })),
  );
}

export class SandboxLooks {
  /** In the host's namespace. */
  #open: { readonly socket: NetlinkSocket; readonly changes: RouteChanges } | null = null;
  /** By container; what was looked into longest ago comes first. */
  readonly #known = new Map<string, SeenInside>();
  readonly #byNumber = new Map<number, string>();

  of(containerId: string): SeenInside | null {
    return this.#known.get(containerId) ?? null;
  }

  /** @param held the sandboxes that count. Returns the containers of which it is another. */
  look(held: readonly Sandbox[]): ReadonlySet<string> {
    if (held.length === 0 && this.#open === null) return new Set();
    // Listened to before anything is read: no change falls between.
    this.#open ??= {
      socket: new NetlinkSocket(NETLINK_ROUTE, true),
      changes: new RouteChanges(
        RTMGRP.LINK | RTMGRP.IPV4_IFADDR | RTMGRP.IPV4_ROUTE | RTMGRP.IPV6_IFADDR | RTMGRP.IPV6_ROUTE,
        true,
      ),
    };
    const { socket, changes } = this.#open;
    const reported = changes.take();
    const changed = reported === null ? null : new Set([...reported.elsewhere].map((at) => this.#byNumber.get(at)));
    const turn = new Set([...this.#known.keys()].slice(0, IN_TURN));
    const found = new Set<string>();
    for (const sandbox of held) {
      const { containerId } = sandbox;
      const before = this.#known.get(containerId);
      if (before && changed?.has(containerId) === false && !turn.has(containerId)) continue;
      if (before === undefined) this.#byNumber.set(namespaceId(socket, sandbox.netnsFd), containerId);
      const now = lookInto(sandbox);
      this.#known.delete(containerId);
      this.#known.set(containerId, now);
      if (before === undefined || JSON.stringify(before) !== JSON.stringify(now)) found.add(containerId);
    }
    return found;
  }

  forget(containerId: string): void {
    this.#known.delete(containerId);
    for (const [number, known] of this.#byNumber) if (known === containerId) this.#byNumber.delete(number);
  }

  close(): void {
    this.#open?.socket.close();
    this.#open?.changes.close();
    this.#open = null;
    this.#known.clear();
    this.#byNumber.clear();
  }
}
