/** Links and addresses of the host's namespace, read again only when the kernel reported a change. */

import { type LinkAddress, listAddresses } from '../../../ffi/network/link-addresses.ts';
import { type Link, listPluggedLinks, listTopLinks, type PluggedLink } from '../../../ffi/network/links.ts';
import type { NetlinkSocket } from '../../../ffi/network/netlink.ts';
import { RouteChanges, RTMGRP } from '../../../ffi/network/route-changes.ts';

export interface HostView {
  /** As {@link listTopLinks}. */
  readonly top: readonly Link[];
  readonly plugged: readonly PluggedLink[];
  readonly addresses: readonly LinkAddress[];
}

/** Number of looks answered from the last read; the next one reads again and finds unreported changes. */
const LOOKS_BETWEEN_READS = 30;

export class HostLinks {
  readonly #socket: NetlinkSocket;
  #changes: RouteChanges | null = null;
  #last: { readonly view: HostView; looks: number } | null = null;

  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  look(): HostView {
    // Listened to before anything is read: no change falls between.
    this.#changes ??= new RouteChanges(RTMGRP.LINK | RTMGRP.IPV4_IFADDR | RTMGRP.IPV6_IFADDR, false);
    const isAsBefore = this.#changes.take()?.here === false;
    if (isAsBefore && this.#last !== null && ++this.#last.looks < LOOKS_BETWEEN_READS) return this.#last.view;
    this.#last = null;
    const view = this.#read();
    this.#last = { view, looks: 0 };
    return view;
  }

  close(): void {
    this.#changes?.close();
    this.#changes = null;
    this.#last = null;
  }

  #read(): HostView {
    return {
      top: listTopLinks(this.#socket),
      plugged: listPluggedLinks(this.#socket),
      addresses: listAddresses(this.#socket, null),
    };
  }
}
